package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prewarm/prewarm/internal/failpoint"
	"github.com/prewarm/prewarm/internal/problem"
)

// follow takes a container that was started to its end: its log into the spool,
// stops to it, its outcome to disk.
func (r *Runner) follow(ctx context.Context, l *live, id string) {
	r.mu.Lock()
	if l.run.State != Canceling {
		l.run.State = Running
	}
	fresh := !l.adopted
	if fresh {
		l.run.Started = time.Now()
	}
	run := l.run
	r.mu.Unlock()
	if fresh {
		r.opts.Measures.Started(run, run.Started.Sub(run.Submitted))
	}
	stops := r.stopOnWish(ctx, l, id)
	log := r.followLog(ctx, l, id)
	exit, err := r.await(ctx, l, id)
	failpoint.Here("run.exited")
	ran, known := stops()
	if ctx.Err() != nil {
		log.stop()
		return // we are stopping; the next life follows it on
	}
	if problem.CodeOf(err) == problem.StartFailed {
		log.stop()
		r.endForgotten(ctx, l, id)
		return
	}
	state := log.finish(ctx, err == nil)
	failpoint.Here("log.swept")
	if ctx.Err() != nil {
		return
	}
	switch {
	case problem.CodeOf(err) == problem.ContainerLost:
		r.endGone(l)
		return
	case err != nil:
		r.endLost(l, problem.CodeOf(err))
		return
	}
	result, trouble := r.result(ctx, l, id)
	offset := r.opts.Images.Facts(l.run.Host).ClockOffset
	r.end(l, func(run *Run) {
		run.Log = state.with(exit)
		byUs := ran
		if !known { // by its time then, which a crash does not take away
			byUs = endedByStop(*run, exit, offset)
		}
		if run.Started.IsZero() {
			run.Started = exit.Started.Add(-offset)
		}
		outcome(run, exit, byUs)
		run.Result = result
		if trouble != nil && run.Reason == "" {
			run.Reason, run.Detail = problem.CodeOf(trouble), trouble.Error()
		}
	})
	r.removeLater(r.now(l))
}

// endedByStop tells by its time whether a container's end came after a stop was
// sent to it. There are two ways to know that time by our clock: from the
// engine's, and from how long it ran. Where they disagree the host's clock was
// set meanwhile, and a code that a stop leads to speaks for one.
func endedByStop(run Run, exit Exit, offset time.Duration) bool {
	if run.Stop.Sent.IsZero() {
		return false
	}
	byClock := !exit.Finished.Add(-offset).Before(run.Stop.Sent)
	if run.Started.IsZero() { // an earlier life of ours started it
		return byClock
	}
	byDuration := !run.Started.Add(exit.Finished.Sub(exit.Started)).Before(run.Stop.Sent)
	if byClock == byDuration {
		return byClock
	}
	return exit.Code == exitKilled || exit.Code == exitTerminated
}

// The codes of a program that SIGKILL or SIGTERM ended.
const (
	exitKilled     = 137
	exitTerminated = 143
)

// await waits for a container's end, however often its host is lost on the way.
// It ends with problem.ContainerLost where the container is gone, with StartFailed
// where its engine does not know that it was ever started, and with ContactLost or
// Released where nobody waits for it any longer.
func (r *Runner) await(ctx context.Context, l *live, id string) (Exit, error) {
	wait := retryLook
	exit, err := r.waitOnce(ctx, l, id)
	for ctx.Err() == nil {
		switch {
		case err == nil:
			return exit, nil
		case problem.CodeOf(err) == problem.ContainerLost, problem.CodeOf(err) == problem.StartFailed:
			return Exit{}, err
		}
		if code, lost := r.outOfContact(l, err); lost {
			return Exit{}, problem.Wrap(code, err, "follow the container of run "+l.run.ID, "")
		}
		l.rest(ctx, wait)
		wait = min(2*wait, maxRetry)
		if !errors.Is(err, errHeld) { // there the engine still answers, on the old connections
			// A wait blocks for hours where the host is back. That it is has to be
			// seen before, or the host counts as gone all the time.
			if _, err = r.see(ctx, l); err != nil {
				continue
			}
			wait = retryLook
		}
		exit, err = r.waitOnce(ctx, l, id)
	}
	return Exit{}, ctx.Err()
}

// maxRetry is the longest wait between two tries to reach a host.
const maxRetry = 10 * time.Second

// errHeld tells that a container has ended, and its engine gave no sign of life
// since: the exit is held until it does.
var errHeld = errors.New("the container has ended, but its engine does not answer a new connection, so it may be stopping")

// waitOnce waits for a container's end and believes it only once the engine has
// given a sign of life over a new connection: one that is being stopped tells of
// ends that were not its containers' own.
func (r *Runner) waitOnce(ctx context.Context, l *live, id string) (Exit, error) {
	r.mu.Lock()
	host, life := l.run.Host, l.run.EngineLife
	r.mu.Unlock()
	engine, err := r.engineOf(host)
	if err != nil {
		return Exit{}, err
	}
	exit, err := engine.Wait(ctx, id, life)
	if err != nil {
		return exit, err
	}
	if err := engine.Confirm(ctx); err != nil {
		return exit, fmt.Errorf("%w: %w", errHeld, err)
	}
	return exit, nil
}

// see looks at a run's container. Seen running in another life of its engine, it
// has survived a restart, and that life is the witness from then on.
func (r *Runner) see(ctx context.Context, l *live) (Look, error) {
	r.mu.Lock()
	run := l.run
	r.mu.Unlock()
	engine, err := r.engineOf(run.Host)
	if err != nil {
		return Look{}, err
	}
	seen, err := engine.Look(ctx, run.ContainerID)
	if err != nil {
		return Look{}, err
	}
	if seen.Running && seen.Life != "" && seen.Life != run.EngineLife {
		r.must(l, func(run *Run) { run.EngineLife = seen.Life })
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l.freed = false // what can be known needs no release
	if !l.run.Unreachable.IsZero() {
		r.log.Info("host answers again for a run", "run", run.ID, "host", run.Host, "after", time.Since(l.run.Unreachable).Round(time.Millisecond))
		l.run.Unreachable = time.Time{}
		l.hear() // time out of contact is not the caller's
	}
	return seen, nil
}

const (
	// contactLimit is how long a host may be out of contact before its runs
	// without a deadline are lost.
	contactLimit = time.Hour
	// contactLeast is how long it may be, however near the deadline.
	contactLeast = time.Minute
)

// outOfContact notes that a run's host does not answer, and tells whether it is
// given up, and why.
func (r *Runner) outOfContact(l *live, err error) (code problem.Code, lost bool) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.freed {
		return problem.Released, true
	}
	if l.run.Unreachable.IsZero() {
		l.run.Unreachable = now
		r.log.Warn("the host of a run does not answer", "run", l.run.ID, "host", l.run.Host, "error", err)
	}
	limit := l.run.Unreachable.Add(contactLimit)
	if deadline := l.run.deadline(); !deadline.IsZero() {
		limit = deadline
		if least := l.run.Unreachable.Add(contactLeast); limit.Before(least) {
			limit = least
		}
	}
	return problem.ContactLost, !now.Before(limit)
}

// outcome says how a container's exit ends its run.
func outcome(run *Run, exit Exit, byUs bool) {
	run.ExitCode, run.Exited, run.OOMKilled, run.Detail = exit.Code, true, exit.OOMKilled, exit.Detail
	if exit.Code > 128 && exit.Code < 128+65 {
		run.Signal = exit.Code - 128
	}
	switch {
	case exit.Unwitnessed:
		run.State, run.Reason = Interrupted, problem.EngineRestarted
		run.Detail = fmt.Sprintf("the engine was restarted, or may have been, while the container ran, so its exit code %d proves nothing", exit.Code)
		run.ExitCode, run.Exited, run.Signal, run.OOMKilled = 0, false, 0, false
	case byUs:
		run.State, run.Reason = stopped(run.Stop.Why)
	case exit.Code == 0:
		run.State = Succeeded
	case exit.OOMKilled:
		run.State, run.Reason, run.Detail = Failed, problem.OutOfMemory, "killed: out of memory"
	case run.Signal > 0:
		run.State, run.Reason = Failed, problem.Signaled
	default:
		run.State, run.Reason = Failed, problem.ExitCode
	}
}

// result reads the result file of a run that asked for one.
func (r *Runner) result(ctx context.Context, l *live, id string) ([]byte, error) {
	path := l.run.Spec.Result
	if path == "" {
		return nil, nil
	}
	r.mu.Lock()
	limit := r.setup.MaxResult
	r.mu.Unlock()
	for deadline := time.Now().Add(sweepPatience); ; pause(ctx, retryLook) {
		engine, err := r.engineOf(l.run.Host)
		var b []byte
		if err == nil {
			b, err = engine.Result(ctx, id, path, limit)
		}
		switch {
		case err == nil:
			return compactJSON(b, path)
		case problem.CodeOf(err) != problem.HostUnreachable || ctx.Err() != nil || time.Now().After(deadline):
			return nil, err
		}
	}
}

// endGone ends a run whose container is not on its host any more. Where another
// engine answers there, the container may live on elsewhere, but nobody will
// ever reach it from here.
func (r *Runner) endGone(l *live) {
	now := r.opts.Images.Facts(l.run.Host).Marker
	if replaced := now != "" && l.run.EngineMarker != "" && now != l.run.EngineMarker; replaced {
		r.end(l, func(run *Run) {
			run.State, run.Reason = Lost, problem.EngineReplaced
			run.Detail = "another engine answers for host " + run.Host + ": what became of the container can't be known"
			run.Log.Gap = "the engine that had it is not there any more"
		})
		return
	}
	r.end(l, func(run *Run) {
		run.State, run.Reason = Interrupted, problem.ContainerLost
		run.Detail = "somebody removed the container from host " + run.Host + " before its end was seen"
		run.Log.Gap = "the container was removed before its log was read to the end"
	})
}

// endLost ends a run whose host has not answered for too long. Its container may
// still run, so a stop is owed to it; a released one is owed nothing.
func (r *Runner) endLost(l *live, code problem.Code) {
	r.end(l, func(run *Run) {
		run.State, run.Reason, run.Owed = Lost, code, code != problem.Released
		run.Detail = "host " + run.Host + " has not answered since " + run.Unreachable.UTC().Format(time.RFC3339) + ": the container may still run there"
		if code == problem.Released {
			run.Detail = "released while host " + run.Host + " did not answer: the container may still run there"
		}
		run.Log.Gap = "the host was lost while the container ran"
	})
}
