package runner

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// debt is a stop that is owed to the container of a run that has ended here, as
// far as anybody could know.
type debt struct {
	run     Run
	writing sync.Mutex    // held over each write of the run
	paid    chan struct{} // closed once nothing is owed any more
}

// owe begins to pay. The caller holds mu.
func (r *Runner) owe(run Run) {
	d := &debt{run: run, paid: make(chan struct{})}
	r.owed[run.ID] = d
	r.started.Go(func() { r.pay(r.life, d) })
}

// retryPay and maxRetryPay bound the wait between two tries to reach a host to
// which a stop is owed.
const (
	retryPay    = 5 * time.Second
	maxRetryPay = time.Minute
)

// pay stops the container as soon as its host answers, writes down how it ended,
// and removes it: in this order, for it is all that tells of a success.
func (r *Runner) pay(ctx context.Context, d *debt) {
	for wait := retryPay; ctx.Err() == nil && !isClosed(d.paid); wait = min(2*wait, maxRetryPay) {
		found, err := r.payOnce(ctx, d)
		if err == nil && r.settle(ctx, d, found) {
			r.removeLater(d.run)
			return
		}
		if err != nil && problem.CodeOf(err) != problem.HostUnreachable && ctx.Err() == nil {
			r.log.Warn("a stop that is owed is not done; trying again", "run", d.run.ID, "host", d.run.Host, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-d.paid:
		case <-time.After(wait):
		}
	}
}

// found is what became of a container to which a stop was owed.
type found struct {
	detail string
	exit   *Exit // it had ended by itself
}

func (r *Runner) payOnce(ctx context.Context, d *debt) (found, error) {
	run := d.run
	engine, err := r.engineOf(run.Host)
	if err != nil {
		return found{}, err
	}
	seen, err := engine.Look(ctx, run.ContainerID)
	if problem.CodeOf(err) == problem.ContainerLost {
		return found{detail: "its container was not there any more when host " + run.Host + " answered again"}, nil
	}
	if err != nil {
		return found{}, err
	}
	if seen.Running {
		if err := r.noteSent(ctx, d); err != nil {
			return found{}, err
		}
		ran, err := engine.Stop(ctx, seen.ID, r.grace(run))
		if err != nil {
			return found{}, err
		}
		if ran {
			return found{detail: "its container was still running when host " + run.Host + " answered again, and was stopped"}, nil
		}
	}
	switch {
	case seen.Fresh:
		return found{detail: "its container had not been started"}, nil
	case seen.Failed != "":
		return found{detail: "its container could not be started: " + seen.Failed}, nil
	}
	exit, err := engine.Wait(ctx, seen.ID, run.EngineLife)
	if err == nil {
		err = engine.Confirm(ctx)
	}
	if err != nil {
		return found{}, err
	}
	f := found{detail: fmt.Sprintf("its container had ended when host %s answered again", run.Host)}
	if !exit.Unwitnessed && !endedByStop(d.run, exit, r.opts.Images.Facts(run.Host).ClockOffset) {
		f.exit = &exit
	}
	return f, nil
}

// noteSent writes down that a stop is sent, before it goes: an end after that is
// no success of the program's own.
func (r *Runner) noteSent(ctx context.Context, d *debt) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	if !d.run.Stop.Sent.IsZero() || isClosed(d.paid) {
		return nil
	}
	run := d.run
	run.Stop.Sent = time.Now()
	if err := r.opts.Store.UpdateRun(ctx, run); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d.run = run
	return nil
}

// settle writes down that nothing is owed any more. A lost run stays lost; how
// its container ended is told beside that, and decides whether its work is done.
func (r *Runner) settle(ctx context.Context, d *debt, f found) bool {
	d.writing.Lock()
	defer d.writing.Unlock()
	if isClosed(d.paid) {
		return true // by a release, or the other way round
	}
	run := d.run
	run.Owed = false
	if f.detail != "" {
		run.Detail += "; " + f.detail
	}
	if f.exit != nil {
		run.Exited, run.ExitCode, run.OOMKilled = true, f.exit.Code, f.exit.OOMKilled
		run.Detail += fmt.Sprintf(" with exit code %d", f.exit.Code)
	}
	if err := r.opts.Store.UpdateRun(ctx, run); err != nil {
		r.log.Error("it is not written down that no stop is owed any more; trying again", "run", run.ID, "error", err)
		return false
	}
	r.log.Info("a stop that was owed is done", "run", run.ID, "host", run.Host, "found", f.detail)
	r.mu.Lock()
	delete(r.owed, run.ID)
	r.mu.Unlock()
	close(d.paid)
	r.wake()
	return true
}

// releaseWait is how long a release waits for its run to end.
const releaseWait = 2 * time.Second

// Release gives the key of a run free that can't be known: one whose host does
// not answer ends as lost, and a stop that is owed is owed no more. What its
// container does, if it is anywhere, is the admin's word from then on.
func (r *Runner) Release(ctx context.Context, id string) (Run, error) {
	r.mu.Lock()
	l, d := r.lives[id], r.owed[id]
	unreachable := l != nil && (!l.run.Unreachable.IsZero() || l.run.ContainerID != "" && !r.opts.Images.Facts(l.run.Host).Reachable)
	if unreachable {
		l.freed = true
		select {
		case l.poke <- struct{}{}:
		default: // it will ask in a moment
		}
	}
	r.mu.Unlock()
	switch {
	case unreachable:
		// It ends with the next look that fails: soon, and its caller need not wait
		// for a connection that hangs.
		ctx, cancel := context.WithTimeout(ctx, releaseWait)
		defer cancel()
		return r.Wait(ctx, id)
	case d != nil:
		if !r.settle(context.WithoutCancel(ctx), d, found{detail: "released"}) {
			return Run{}, problem.New(problem.Internal, "release run "+id+": it could not be written down", "try again; the server's log says why")
		}
	case l != nil:
		return Run{}, problem.New(problem.NotReleasable, "run "+id+" is under way, and its host answers", "cancel it")
	}
	run, err := r.opts.Store.Run(ctx, id)
	if err == nil && d == nil {
		return Run{}, problem.New(problem.NotReleasable, fmt.Sprintf("run %s is %s and claims nothing", id, run.State), "its key is free already")
	}
	return run, err
}

// Reject notes that the caller can't use a run's success: its key's next submit
// starts anew. Where the run was answered by another one's success, it is that.
func (r *Runner) Reject(ctx context.Context, id string) (Run, error) {
	r.admission.Lock()
	defer r.admission.Unlock()
	run, err := r.opts.Store.Run(ctx, id)
	if err != nil {
		return Run{}, err
	}
	if run = r.newer(run); !run.succeeded() && !run.Rejected {
		return Run{}, problem.New(problem.InvalidRequest, fmt.Sprintf("run %s is %s: only a success can be rejected", id, run.State), "submit the key again: it starts anew by itself")
	}
	ctx = context.WithoutCancel(ctx)
	if err := r.rejectEarlier(ctx, run.SameAs); err != nil {
		return Run{}, err
	}
	run.Rejected = true
	return run, r.opts.Store.UpdateRun(ctx, run)
}

// rejectEarlier notes the same of the run that answered another one, and of what
// answered that, unless it was forgotten since. Empty: none did.
func (r *Runner) rejectEarlier(ctx context.Context, id string) error {
	for id != "" {
		run, err := r.opts.Store.Run(ctx, id)
		switch {
		case problem.CodeOf(err) == problem.RunNotFound:
			return nil
		case err != nil:
			return err
		}
		run.Rejected = true
		if err := r.opts.Store.UpdateRun(ctx, run); err != nil {
			return err
		}
		id = run.SameAs
	}
	return nil
}
