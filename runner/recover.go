package runner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner/spool"
)

// Recover takes up what an earlier life left: runs that were queued are queued
// again, those that have a container are followed to their end, and stops that
// are owed are tried on. It returns once it has read the store; the hosts are
// dealt with beside it.
func (r *Runner) Recover(ctx context.Context) error {
	scopes, err := r.opts.Store.Scopes(ctx)
	if err != nil {
		return fmt.Errorf("read the pin scopes: %w", err)
	}
	runs, err := r.opts.Store.UnfinishedRuns(ctx)
	if err != nil {
		return fmt.Errorf("look for unfinished runs: %w", err)
	}
	restored, waited, err := r.opts.Store.Restored(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.restored = restored; !restored.IsZero() {
		r.log.Warn(restoredText(restored) + ": what happened since is not known; nothing is executed until all hosts were looked at")
	}
	for _, s := range scopes {
		r.scopes[scopeIDOf(s)] = &s
	}
	for _, run := range runs {
		if run.State.Ended() {
			r.owe(run)
			continue
		}
		if err := r.recover(run, slices.Contains(waited, run.ID)); err != nil {
			return err
		}
	}
	if len(runs) > 0 {
		r.log.Info("runs of an earlier life are taken up again", "runs", len(runs))
	}
	return nil
}

// recover takes up one run; inBackup: it waited in the backup that the state comes
// from. The caller holds mu.
func (r *Runner) recover(run Run, inBackup bool) error {
	log, err := r.opts.Spool.Open(run.ID, r.logCap(run))
	if err != nil {
		return fmt.Errorf("take up the log of run %s: %w", run.ID, err)
	}
	l := newLive(run)
	l.log = log
	if run.Stop.Why != "" {
		close(l.stop)
	}
	r.lives[run.ID] = l
	if run.ContainerID == "" {
		// Its container is on disk before it is started: so it never was.
		l.run.State, l.run.Host, l.run.EngineMarker, l.run.Placed = Queued, "", "", time.Time{}
		if run.Stop.Why != "" {
			r.started.Go(func() { r.endStopped(l) })
			return nil
		}
		if made := r.restored; inBackup {
			r.started.Go(func() { r.endRestored(l, made) })
			return nil
		}
		l.ready = true // as far as is known; the hosts were not asked anything yet
		r.enqueue(l)
		return nil
	}
	h := r.hostOf(run.Host)
	if h == nil { // it left the configuration
		h = &host{HostOptions: HostOptions{Name: run.Host}}
		r.hosts = append(r.hosts, h)
	}
	r.occupy(run, h)
	l.adopted = true
	l.run.FirstLine = firstLineOf(log)
	r.started.Go(func() {
		defer r.vacate(run, h)
		if r.remask(r.life, l) {
			r.resume(r.life, l)
		}
	})
	return nil
}

// firstLineOf tells when the first line came; zero: there is none.
func firstLineOf(log *spool.Log) time.Time {
	var at time.Time
	_ = log.Read(context.Background(), 0, false, func(e spool.Entry) error { // a log that can't be read says so elsewhere
		at = e.Time
		return errSeen
	})
	return at
}

// remask gets a run's secret values back from its container: the store has not
// got them any more, and its log must not show them.
func (r *Runner) remask(ctx context.Context, l *live) bool {
	run := r.now(l)
	var names []string
	for _, e := range run.Spec.SecretEnv {
		names = append(names, e.Name)
	}
	for len(names) > 0 && !run.Terms.Unmasked && ctx.Err() == nil {
		engine, err := r.engineOf(run.Host)
		var values []string
		if err == nil {
			values, err = engine.Secrets(ctx, run.ContainerID, names)
		}
		if err == nil {
			r.maskAs(l, values)
			return true
		}
		if problem.CodeOf(err) == problem.ContainerLost {
			return true // resume says so
		}
		if code, lost := r.outOfContact(l, err); lost {
			r.endLost(l, code)
			return false
		}
		pause(ctx, retryLook)
	}
	return ctx.Err() == nil
}
