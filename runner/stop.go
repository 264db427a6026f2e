package runner

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/failpoint"
	"github.com/prewarm/prewarm/internal/problem"
)

// Cancel asks for a run to be stopped; the wish is on disk when it returns, and
// what follows is the server's business. A run that has ended keeps its outcome.
func (r *Runner) Cancel(ctx context.Context, id string) (Run, error) {
	return r.wish(ctx, id, StopCancel)
}

// Withdraw is Cancel by the caller of one call, named by its idempotency word.
// Where another call has joined the run since, the run is that one's: an
// orchestrator gave the first caller up for dead and tried again, and the signal
// that reaches it late must not end the second one's work. That is
// problem.JoinedSince.
func (r *Runner) Withdraw(ctx context.Context, id, word string) (Run, error) {
	r.admission.Lock() // nobody joins meanwhile
	defer r.admission.Unlock()
	latest, err := r.opts.Store.LatestCall(ctx, id)
	if err != nil {
		return Run{}, err
	}
	if latest != word {
		return Run{}, problem.New(problem.JoinedSince, "run "+id+" was not canceled: another call has joined it since, and follows it", "to cancel it nevertheless: prewarm cancel "+id)
	}
	return r.wish(ctx, id, StopCancel)
}

// wish writes down that a run is to be stopped, and then tells those who do it.
// The first reason stays.
func (r *Runner) wish(ctx context.Context, id string, why StopReason) (Run, error) {
	r.mu.Lock()
	l := r.lives[id]
	r.mu.Unlock()
	if l == nil {
		return r.opts.Store.Run(ctx, id)
	}
	at := time.Now()
	err := r.save(context.WithoutCancel(ctx), l, func(run *Run) {
		if !run.State.Ended() && run.Stop.Why == "" {
			run.Stop = Stop{Why: why, At: at}
		}
	})
	if err != nil {
		return Run{}, fmt.Errorf("write down that run %s is to be stopped: %w", id, err)
	}
	failpoint.Here("stop.written")
	r.mu.Lock()
	defer r.mu.Unlock()
	if !l.run.State.Ended() && !isClosed(l.stop) {
		close(l.stop)
		if queued := slices.Index(r.queue, l); queued >= 0 {
			r.queue = slices.Delete(r.queue, queued, queued+1)
			r.started.Go(func() { r.endStopped(l) })
		}
	}
	return l.run, nil
}

// overdue asks for a run to be stopped whose time is up. The caller holds mu.
func (r *Runner) overdue(l *live, k *look) {
	if l.run.Stop.Why != "" || l.wishing {
		return
	}
	// A crash may have come between the write of a run that takes another one's
	// place and that one's stop.
	if newer := k.newest[workKey{l.run.Terms.Namespace, l.run.Terms.Key}]; newer.ID > l.run.ID {
		why := StopReplaced
		if newer.Terms.Epoch != l.run.Terms.Epoch {
			why = StopEpoch
		}
		r.wishSoon(l, why)
		return
	}
	if deadline := l.run.deadline(); !deadline.IsZero() {
		if !k.now.Before(deadline) {
			r.wishSoon(l, StopDeadline)
			return
		}
		k.at(deadline)
	}
	patience := l.run.Terms.Keepalive
	if patience == 0 || l.readers > 0 || !l.run.Unreachable.IsZero() {
		return
	}
	silent := l.heard.Add(patience)
	switch {
	case k.now.Before(silent):
		k.at(silent)
	case l.run.Terms.KeepaliveAction == KeepaliveStop:
		r.wishSoon(l, StopKeepalive)
	case l.run.Unattended.IsZero():
		l.run.Unattended = k.now
		r.log.Warn("nobody has asked for a run for longer than its keepalive", "run", l.run.ID, "image", l.run.Image, "keepalive", patience)
		if l.run.Orphaned.IsZero() {
			r.started.Go(func() { r.must(l, func(run *Run) { run.Orphaned = k.now }) })
		}
	}
}

// wishSoon writes a wish down off the lock. The caller holds mu.
func (r *Runner) wishSoon(l *live, why StopReason) {
	l.wishing = true
	id := l.run.ID
	r.started.Go(func() {
		_, err := r.wish(r.life, id, why)
		if err != nil && r.life.Err() == nil {
			r.log.Error("a run whose time is up could not be stopped; trying again", "run", id, "why", why, "error", err)
			pause(r.life, time.Second)
		}
		r.mu.Lock()
		l.wishing = false
		r.mu.Unlock()
		r.wake()
	})
}

// endStopped ends a run that was stopped before anything was executed.
func (r *Runner) endStopped(l *live) {
	r.end(l, func(run *Run) {
		run.State, run.Reason = stopped(run.Stop.Why)
		run.Detail = "stopped before its container was started: nothing was executed"
	})
}

// stopped is how a stop ends a run.
func stopped(why StopReason) (State, problem.Code) {
	switch why {
	case StopDeadline:
		return TimedOut, problem.DeadlinePassed
	case StopKeepalive:
		return Canceled, problem.CallerSilent
	case StopReplaced, StopEpoch:
		return Canceled, problem.Replaced
	default:
		return Canceled, problem.CancelAsked
	}
}

// stopOnWish sends a stop to a container once its run is to be stopped. The
// function that it returns ends the watch; it tells whether the container was
// running when it was stopped, and whether that is known.
func (r *Runner) stopOnWish(ctx context.Context, l *live, id string) (ended func() (ran, known bool)) {
	type answer struct{ ran, known bool }
	over := make(chan struct{})
	said := make(chan answer, 1)
	r.started.Go(func() {
		select {
		case <-over:
		case <-ctx.Done():
		case <-l.stop:
		}
		var a answer
		if !isClosed(over) && ctx.Err() == nil {
			a.ran, a.known = r.stop(ctx, l, id, over)
		}
		said <- a
	})
	return sync.OnceValues(func() (bool, bool) {
		close(over)
		a := <-said
		return a.ran, a.known
	})
}

// grace is how long a run's container has between its stop signal and the kill.
func (r *Runner) grace(run Run) time.Duration {
	if run.Spec.StopGrace > 0 {
		return run.Spec.StopGrace
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.setup.Grace
}

// retryStop is the wait before a stop that failed is sent again.
const retryStop = 5 * time.Second

// stop sends the stop signal until the engine has taken it, or the container is
// seen to have ended.
func (r *Runner) stop(ctx context.Context, l *live, id string, over <-chan struct{}) (ran, known bool) {
	now := time.Now()
	// Whether one may have been sent that nobody knows of.
	doubt := !r.now(l).Stop.Sent.IsZero()
	sent := r.must(l, func(run *Run) {
		if run.Stop.Sent.IsZero() {
			run.Stop.Sent = now // before it goes: after a crash it may have gone
		}
	})
	if !sent {
		return false, false
	}
	failpoint.Here("stop.sending")
	r.mu.Lock()
	l.run.State = Canceling
	host := l.run.Host
	r.mu.Unlock()
	grace := r.grace(r.now(l))
	for ctx.Err() == nil && !isClosed(over) {
		engine, err := r.engineOf(host)
		if err == nil {
			ran, err = engine.Stop(ctx, id, grace)
		}
		if err == nil && ran {
			failpoint.Here("stop.sent")
			return true, true
		}
		doubt = doubt || ran // the container ran, and the answer to its stop was lost
		if err != nil && ctx.Err() == nil {
			r.log.Warn("container not stopped; trying again", "run", l.run.ID, "host", host, "error", err)
		}
		select {
		case <-over:
		case <-ctx.Done():
		case <-time.After(retryStop):
		}
	}
	// One that had ended may have ended by a stop that was sent before.
	return false, !doubt
}
