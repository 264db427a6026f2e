package runner

import "time"

// Stats are the runs under way in numbers.
type Stats struct {
	// By counts those without an outcome by their state, and Oldest is when the
	// queued one that waits longest was submitted; zero: none waits.
	By     map[State]int
	Oldest time.Time
	// Unreachable are those whose host does not answer, Unattended those whose
	// caller has been silent for longer than its keepalive, and Owed the ended
	// ones whose container may still run.
	Unreachable, Unattended, Owed int
}

// Active are the states of a run without an outcome.
var Active = []State{Queued, Placed, Starting, Running, Canceling}

// Stats counts the runs under way.
func (r *Runner) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{By: make(map[State]int, len(Active)), Owed: len(r.owed)}
	for _, l := range r.lives {
		run := &l.run
		s.By[run.State]++
		if run.State == Queued && (s.Oldest.IsZero() || run.Submitted.Before(s.Oldest)) {
			s.Oldest = run.Submitted
		}
		if !run.Unreachable.IsZero() {
			s.Unreachable++
		}
		if !run.Unattended.IsZero() {
			s.Unattended++
		}
	}
	return s
}
