package runner

import "context"

// raise notes that a later try of a task is with a run under way: how that one
// ends is then the later try's end, and the last one's needs somebody. A run that
// ended meanwhile is looked for again.
func (r *Runner) raise(ctx context.Context, run Run, by Terms) error {
	if run.State.Ended() || by.Try <= run.Terms.Try {
		return nil
	}
	again := &missing{func(context.Context) error { return nil }}
	r.mu.Lock()
	l := r.lives[run.ID]
	r.mu.Unlock()
	if l == nil {
		return again
	}
	err := r.save(context.WithoutCancel(ctx), l, func(run *Run) { run.Terms.Try, run.Terms.Tries = by.Try, by.Tries })
	if err == nil && r.now(l).Terms.Try < by.Try {
		return again
	}
	return err
}
