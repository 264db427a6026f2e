package runner

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// Get gives a run. Asking renews its keepalive.
func (r *Runner) Get(ctx context.Context, id string) (Run, error) {
	r.mu.Lock()
	if l := r.lives[id]; l != nil {
		defer r.mu.Unlock()
		l.hear()
		return l.told(), nil
	}
	r.mu.Unlock()
	return r.opts.Store.Run(ctx, id)
}

// Look gives a run as Get does. Looking renews nothing: it may be somebody who is
// not the run's caller.
func (r *Runner) Look(ctx context.Context, id string) (Run, error) {
	r.mu.Lock()
	if l := r.lives[id]; l != nil {
		defer r.mu.Unlock()
		return l.told(), nil
	}
	r.mu.Unlock()
	return r.opts.Store.Run(ctx, id)
}

// Namespace tells where a run belongs. Asking renews nothing: it may be somebody
// who has no business with the run.
func (r *Runner) Namespace(ctx context.Context, id string) (string, error) {
	run, err := r.Look(ctx, id)
	return run.Terms.Namespace, err
}

// told gives the run as callers see it: with what its log has so far. The caller
// holds mu.
func (l *live) told() Run {
	run := l.run
	state := l.log.State()
	run.Log.Lines, run.Log.Bytes = state.Lines, state.Bytes
	return run
}

// List gives the newest runs first. Those under way are told as they are now,
// which the store need not know.
func (r *Runner) List(ctx context.Context, f Filter) ([]Run, error) {
	all := r.under(f)
	ended := slices.DeleteFunc(slices.Clone(f.States), func(s State) bool { return !s.Ended() })
	if !f.Active && (len(f.States) == 0 || len(ended) > 0) {
		f.States = ended
		if len(ended) == 0 {
			f.States = []State{Succeeded, Failed, Canceled, TimedOut, Interrupted, Lost, Refused}
		}
		runs, err := r.opts.Store.Runs(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, run := range runs {
			// One that ended between the two looks is in both.
			if !slices.ContainsFunc(all, func(l Run) bool { return l.ID == run.ID }) {
				all = append(all, run)
			}
		}
	}
	slices.SortFunc(all, func(a, b Run) int { return cmp.Compare(b.ID, a.ID) })
	if f.Limit > 0 && len(all) > f.Limit {
		all = all[:f.Limit]
	}
	return all, nil
}

// under gives the runs under way that a filter chooses.
func (r *Runner) under(f Filter) []Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Run
	for _, l := range r.lives {
		if f.takes(l.run) {
			all = append(all, l.told())
		}
	}
	return all
}

func (f Filter) takes(run Run) bool {
	return (len(f.States) == 0 || slices.Contains(f.States, run.State)) &&
		(f.Before == "" || run.ID < f.Before) &&
		(f.Image == "" || run.Image == f.Image) &&
		(f.Host == "" || run.Host == f.Host) &&
		(f.Key == "" || run.Terms.Key == f.Key) &&
		(f.Scope == "" || run.Terms.Scope == f.Scope) &&
		(f.Namespace == "" || run.Terms.Namespace == f.Namespace)
}

// CopyLog passes the log of a run behind after to w, as whole lines of JSON;
// with follow it goes on until the log ends. Whoever follows renews the run's
// keepalive, and nobody else does.
func (r *Runner) CopyLog(ctx context.Context, id string, after int64, follow bool, w func(chunk []byte) error) error {
	if l := r.reading(id, follow); l != nil {
		if follow {
			defer r.leave(l)
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer context.AfterFunc(r.life, func() { cancel(stopping()) })()
		err := l.log.Copy(ctx, after, follow, w)
		if err != nil && ctx.Err() != nil {
			err = errors.Join(err, context.Cause(ctx))
		}
		if err == nil && follow && r.life.Err() != nil && !isClosed(l.ended) {
			err = stopping() // the log goes on in the next life
		}
		if err == nil && follow {
			return r.copySame(ctx, id, after, w)
		}
		return err
	}
	run, err := r.opts.Store.Run(ctx, id)
	switch {
	case err != nil:
		return err
	case run.SameAs != "":
		return r.copySame(ctx, id, after, w)
	case run.Log.Removed:
		return problem.New(problem.LogRemoved, "the log of run "+id+" was removed", "runner.logs.keep and runner.logs.total of the configuration say how long logs are kept")
	}
	return r.opts.Spool.Copy(ctx, id, after, w)
}

// copySame passes the log of the run that did another one's work.
func (r *Runner) copySame(ctx context.Context, id string, after int64, w func(chunk []byte) error) error {
	run, err := r.opts.Store.Run(ctx, id)
	if err != nil || run.SameAs == "" {
		return err
	}
	return r.CopyLog(ctx, run.SameAs, after, false, w)
}

// Wait gives a run once it has ended, or as it is when ctx ends. Whoever waits
// renews its keepalive.
func (r *Runner) Wait(ctx context.Context, id string) (Run, error) {
	if l := r.visit(id); l != nil {
		defer r.leave(l)
		select {
		case <-l.ended:
		case <-ctx.Done():
		case <-r.life.Done():
			return Run{}, stopping()
		}
	}
	return r.Get(context.WithoutCancel(ctx), id)
}

// reading gives a run under way whose log is to be read; nil: it is not.
func (r *Runner) reading(id string, follow bool) *live {
	if follow {
		return r.visit(id)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lives[id]
}

// visit notes that somebody cares for a run; nil where it is not under way.
func (r *Runner) visit(id string) *live {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lives[id]
	if l != nil {
		l.readers++
		l.hear()
	}
	return l
}

func (r *Runner) leave(l *live) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.readers--
	l.hear()
}

// hear notes that the caller is there. The caller of hear holds mu.
func (l *live) hear() {
	l.heard = time.Now()
	l.run.Unattended = time.Time{}
}

func stopping() error {
	return problem.New(problem.Stopping, "the server is stopping", "ask again once it is back")
}
