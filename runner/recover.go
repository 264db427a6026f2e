package runner

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// Recover ends what an earlier life left: each run without an outcome becomes
// interrupted, because what happened meanwhile can't be known, and on each host
// the containers of this instance are stopped and removed, as soon as the host
// answers. It returns once the runs are written down; the hosts are dealt with
// while Run runs.
func (r *Runner) Recover(ctx context.Context) error {
	if err := os.MkdirAll(r.opts.LogDir, 0o700); err != nil {
		return fmt.Errorf("make the folder of logs: %w", err)
	}
	runs, err := r.opts.Store.UnfinishedRuns(ctx)
	if err != nil {
		return fmt.Errorf("look for unfinished runs: %w", err)
	}
	for _, run := range runs {
		run.Detail = "the server ended before the run did; how far it got is not known"
		if run.State == Queued {
			run.Detail = "the server ended while the run was queued; nothing was executed"
		}
		run.State, run.Reason, run.Ended = Interrupted, problem.Stopping, time.Now()
		if err := r.opts.Store.UpdateRun(ctx, run); err != nil {
			return fmt.Errorf("mark run %s interrupted: %w", run.ID, err)
		}
		r.log.Warn("run interrupted: the server ended before it did", "run", run.ID, "image", run.Image, "host", run.Host)
	}
	for _, h := range r.hosts {
		r.started.Go(func() { r.sweep(r.life, h) })
	}
	return nil
}

// retryReap is the wait before a host that did not answer is asked again.
const retryReap = 5 * time.Second

// sweep stops and removes the containers on a host that no run of this process
// claims.
func (r *Runner) sweep(ctx context.Context, h *host) {
	for ctx.Err() == nil {
		owned, err := h.Engine.Owned(ctx)
		if err != nil {
			pause(ctx, retryReap)
			continue
		}
		for _, c := range owned {
			if r.claims(c.Run) {
				continue
			}
			r.log.Warn("container of an earlier life found; stopping and removing it", "host", h.Name, "container", c.ID, "run", c.Run, "running", c.Running)
			r.stopLater(h, c.Run, c.ID)
		}
		return
	}
}

func (r *Runner) claims(run string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lives[run] != nil
}

// removeLater removes a container off the path of whoever waits for its run.
func (r *Runner) removeLater(h *host, run, container string) {
	r.reap(h, run, container, func(ctx context.Context) error {
		return h.Engine.Remove(ctx, container)
	})
}

// stopLater stops a container and removes it.
func (r *Runner) stopLater(h *host, run, container string) {
	r.reap(h, run, container, func(ctx context.Context) error {
		if err := h.Engine.Stop(ctx, container, r.opts.Grace); err != nil {
			return err
		}
		return h.Engine.Remove(ctx, container)
	})
}

// reap does it until it is done, or until this process ends: then the next
// start finds the container by its label.
func (r *Runner) reap(h *host, run, container string, do func(context.Context) error) {
	r.started.Go(func() {
		for r.life.Err() == nil {
			err := do(r.life)
			if err == nil {
				return
			}
			if r.life.Err() == nil {
				r.log.Warn("container not removed; trying again", "run", run, "host", h.Name, "container", container, "error", err)
			}
			pause(r.life, retryReap)
		}
	})
}
