package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// execute takes a placed run to its end on h.
func (r *Runner) execute(ctx context.Context, l *live, h *host) {
	defer r.free(h)
	if !r.create(ctx, l, h) || !r.start(ctx, l, h) {
		return
	}
	r.attend(ctx, l, h)
}

// free gives a slot back and looks who waits for it.
func (r *Runner) free(h *host) {
	r.mu.Lock()
	h.inUse--
	r.mu.Unlock()
	r.wake()
}

// wake lets Run look at the queue.
func (r *Runner) wake() {
	select {
	case r.kick <- struct{}{}:
	default: // a look is owed already
	}
}

// create makes the container. A host that lost the image meanwhile is avoided
// and the run is placed again: nothing was executed yet.
func (r *Runner) create(ctx context.Context, l *live, h *host) bool {
	r.mu.Lock()
	run := l.run
	r.mu.Unlock()
	if isClosed(l.canceled) {
		r.end(l, func(run *Run) { run.State = Canceled })
		return false
	}
	// Before anything exists on the host: after a crash the record must not say
	// that the run was only queued.
	if !r.write(run) {
		return false
	}
	id, err := h.Engine.Create(ctx, Container{Name: run.containerName(), Run: run.ID, Pin: run.Pin, Spec: run.Spec})
	switch {
	case err == nil:
		r.mu.Lock()
		l.run.ContainerID = id
		r.mu.Unlock()
		return true
	case ctx.Err() != nil:
		return false // we are stopping; the next start cleans up
	case problem.CodeOf(err) == problem.ImageLost:
		r.opts.Images.Recheck(h.Name)
		if !r.requeue(l, h) {
			r.end(l, func(run *Run) { run.State = Canceled })
		}
		return false
	default:
		// The engine may have made it and its answer was lost.
		r.removeLater(h, run.ID, run.containerName())
		r.refuse(l, err)
		return false
	}
}

// requeue puts a run back to where it was in the queue, unless it was canceled
// meanwhile: Cancel looks for queued runs only once.
func (r *Runner) requeue(l *live, h *host) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if isClosed(l.canceled) {
		return false
	}
	l.avoid = append(l.avoid, h.Name)
	l.run.State, l.run.Host, l.run.EngineMarker, l.run.Placed = Queued, "", "", time.Time{}
	i, _ := slices.BinarySearchFunc(r.queue, l, func(a, b *live) int { return strings.Compare(a.run.ID, b.run.ID) })
	r.queue = slices.Insert(r.queue, i, l)
	return true
}

// start starts the container, unless the run was canceled before.
func (r *Runner) start(ctx context.Context, l *live, h *host) bool {
	r.mu.Lock()
	run := l.run
	r.mu.Unlock()
	if isClosed(l.canceled) {
		r.removeLater(h, run.ID, run.ContainerID)
		r.end(l, func(run *Run) { run.State = Canceled })
		return false
	}
	err := h.Engine.Start(ctx, run.ContainerID)
	switch {
	case err == nil:
		r.mu.Lock()
		l.run.State, l.run.Started = Running, time.Now()
		r.mu.Unlock()
		return true
	case ctx.Err() != nil:
		return false
	case problem.CodeOf(err) == problem.HostUnreachable:
		// It may have started: what can't be known is never guessed.
		r.stopLater(h, run.ID, run.ContainerID)
		r.end(l, interrupted(problem.HostUnreachable, err.Error()))
		return false
	default:
		r.removeLater(h, run.ID, run.ContainerID)
		r.refuse(l, err)
		return false
	}
}

// attend follows a started container to its end and records the outcome.
func (r *Runner) attend(ctx context.Context, l *live, h *host) {
	run, id := l.run.ID, l.run.ContainerID // nobody writes them any more
	stopped := r.stopOnCancel(ctx, l, h, id)
	follow := r.follow(ctx, l, h, id)
	exit, err := h.Engine.Wait(ctx, id)
	stopSent := stopped() // a cancel from now on comes too late
	if err == nil {
		// At once: an engine that stopped could be back while we read the log.
		err = believable(exit, h.Engine.Confirm(ctx))
	}
	gaps := follow.finish(ctx) // reads what is left
	switch {
	case ctx.Err() != nil:
		return // we are stopping; the next start says what became of it
	case err != nil:
		r.stopLater(h, run, id)
		r.end(l, interrupted(problem.CodeOf(err), err.Error()))
	default:
		r.removeLater(h, run, id)
		r.end(l, func(run *Run) {
			outcome(run, exit, stopSent)
			run.addDetail(gaps)
		})
	}
}

// believable tells why an exit proves nothing, if so. An engine that is being
// stopped ends its containers and tells of ends that were not theirs: so there
// is no outcome without a sign of life, nor across a restart.
func believable(exit Exit, confirmed error) error {
	const mend = "look at the engine's own log"
	switch {
	case confirmed != nil:
		return problem.Wrap(problem.HostUnreachable, confirmed, "the engine stopped answering as the container ended, so its exit code proves nothing", mend)
	case exit.Unwitnessed:
		return problem.New(problem.EngineRestarted, "the engine was out of sight and may have been restarted while the container ran, so its exit code proves nothing", mend)
	}
	return nil
}

// outcome says how a container's exit ends its run.
func outcome(run *Run, exit Exit, stopSent bool) {
	run.ExitCode, run.Exited, run.OOMKilled, run.Detail = exit.Code, true, exit.OOMKilled, exit.Detail
	switch {
	case stopSent:
		run.State = Canceled
	case exit.Code == 0:
		run.State = Succeeded
	default:
		run.State = Failed
	}
	if exit.OOMKilled {
		run.Detail = "killed: out of memory"
	}
}

// stopOnCancel sends a stop when the run is canceled. The function that it
// returns ends the watch and tells whether a stop was sent while the container
// could still run: one that ended before keeps its own outcome.
func (r *Runner) stopOnCancel(ctx context.Context, l *live, h *host, id string) (stopped func() bool) {
	run := l.run.ID
	ended := make(chan struct{})
	sent := make(chan bool, 1)
	r.started.Go(func() {
		select {
		case <-ended:
		case <-ctx.Done():
		case <-l.canceled:
		}
		if isClosed(ended) || ctx.Err() != nil {
			sent <- false
			return
		}
		sent <- true
		r.mu.Lock()
		if !l.run.State.Ended() {
			l.run.State = Canceling
		}
		r.mu.Unlock()
		if err := h.Engine.Stop(ctx, id, r.opts.Grace); err != nil && ctx.Err() == nil {
			r.log.Warn("container not stopped; trying on", "run", run, "host", h.Name, "error", err)
			// Not removed: attend has still to read its exit and its log.
			r.reap(h, run, id, func(ctx context.Context) error { return h.Engine.Stop(ctx, id, r.opts.Grace) })
		}
	})
	return sync.OnceValue(func() bool {
		close(ended)
		return <-sent
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// refuse ends a run of which nothing was executed.
func (r *Runner) refuse(l *live, err error) {
	p := problem.From(err)
	detail := p.Error()
	if p.Mend != "" {
		detail += " (" + p.Mend + ")"
	}
	r.end(l, func(run *Run) { run.State, run.Reason, run.Detail = Refused, p.Code, detail })
}

func interrupted(code problem.Code, detail string) func(*Run) {
	return func(run *Run) { run.State, run.Reason, run.Detail = Interrupted, code, detail }
}

// end records an outcome: the log is on disk first, then the outcome, and only
// then it is told, to those who wait and by the log's end.
func (r *Runner) end(l *live, set func(*Run)) {
	r.mu.Lock()
	run := l.run
	r.mu.Unlock()
	set(&run)
	run.Ended = time.Now()
	run.addDetail(l.log.sync())
	if !r.write(run) {
		return
	}
	r.mu.Lock()
	l.run = run
	delete(r.lives, run.ID)
	r.mu.Unlock()
	close(l.ended)
	if err := l.log.close(); err != nil {
		r.log.Warn("log not closed", "run", run.ID, "error", err)
	}
	r.log.Info("run "+string(run.State), "run", run.ID, "image", run.Image, "digest", run.Pin.Digest(), "host", run.Host,
		"exit_code", run.ExitCode, "reason", run.Reason, "took", run.Ended.Sub(run.Submitted).Round(time.Millisecond))
}

// write tries until the store has the run as it is now, or until we stop: what
// was not written down is neither done nor told.
func (r *Runner) write(run Run) bool {
	for r.life.Err() == nil {
		err := r.opts.Store.UpdateRun(r.life, run)
		if err == nil {
			return true
		}
		r.log.Error("run not written down; trying again in a second", "state", run.State, "run", run.ID, "error", err)
		pause(r.life, time.Second)
	}
	return false
}

// pause sleeps, or returns early when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// listed writes reasons by host, in a stable order.
func listed(reasons map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		all = append(all, fmt.Sprintf("%s: %s", name, reasons[name]))
	}
	if len(all) == 0 {
		return "none selected"
	}
	return strings.Join(all, "; ")
}
