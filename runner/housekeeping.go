package runner

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

const (
	// chores is how often the house is looked after.
	chores = 5 * time.Second
	// sweepEvery is how often the containers of a host are listed: a list costs an
	// engine some 200 ms for a hundred of them.
	sweepEvery = 5 * time.Minute
	// retainEvery is how often ended runs and logs are counted.
	retainEvery = time.Hour
)

// housekeeping does what is due now and then.
func (r *Runner) housekeeping() {
	var retained time.Time
	for ctx := r.life; ctx.Err() == nil; pause(ctx, chores) {
		now := time.Now()
		for _, h := range r.due(now) {
			r.sweepHost(ctx, h)
		}
		r.keepScopes(ctx, now) // before the gate: after it, scopes of a backup have no grace
		r.passGate(ctx)
		if now.Sub(retained) > retainEvery {
			r.retain(ctx, now)
			retained = now
		}
	}
}

// due gives the hosts whose containers are to be listed.
func (r *Runner) due(now time.Time) []*host {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.hosts), func(h *host) bool {
		return h.Engine == nil || r.restored.IsZero() && now.Sub(h.swept) < sweepEvery || !r.opts.Images.Facts(h.Name).Reachable
	})
}

// sweepHost looks after the containers on a host that no run claims.
func (r *Runner) sweepHost(ctx context.Context, h *host) {
	r.mu.Lock()
	engine, restored := h.Engine, !r.restored.IsZero()
	r.mu.Unlock()
	owned, err := engine.Owned(ctx)
	if err != nil {
		return // asked again with the next chores
	}
	sweep := func(c Owned) (stays bool) { return r.sweepContainer(ctx, h, engine, c) }
	if restored {
		sweep = func(c Owned) bool { return r.sweepRestored(h, c) }
	}
	var kept []string
	strangers := 0
	for _, c := range owned {
		if !sweep(c) {
			continue
		}
		kept = append(kept, c.ID)
		if c.Running {
			strangers++
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.Engine != engine {
		return // a reload gave it another one meanwhile, which was not looked at
	}
	h.swept, h.unclaimed, h.strangers = time.Now(), kept, strangers
}

// sweepContainer looks after one, and tells whether it stays without a run that
// claims it.
func (r *Runner) sweepContainer(ctx context.Context, h *host, engine Engine, c Owned) (stays bool) {
	if r.claims(c) {
		return false
	}
	run, err := r.opts.Store.Run(ctx, c.Run)
	known := err == nil
	if !known && problem.CodeOf(err) != problem.RunNotFound || known && !run.State.Ended() {
		return false // asked again with the next sweep
	}
	r.mu.Lock()
	policy := r.setup.Unclaimed
	r.mu.Unlock()
	what := []any{"host", h.Name, "container", c.ID, "run", c.Run, "running", c.Running}
	if !known && !c.Fresh && policy == UnclaimedKeep {
		if !slices.Contains(h.unclaimed, c.ID) {
			r.log.Warn("a container of ours that no run claims was found; it is left as it is", what...)
		}
		return true
	}
	if c.Running {
		r.log.Warn("a container of ours that no run claims was found; stopping and removing it", what...)
		if _, err := engine.Stop(ctx, c.ID, r.grace(run)); err != nil {
			return true
		}
	}
	if err := engine.Remove(ctx, c.ID); err != nil {
		r.log.Warn("a container that no run claims was not removed; trying again", append(what, "error", err)...)
		return true
	}
	return false
}

// claims tells whether a run under way, or a debt, has the container, or may
// come to have it: a create gives what an earlier one of the same run made.
func (r *Runner) claims(c Owned) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lives[c.Run]
	return r.owed[c.Run] != nil || l != nil && (l.run.ContainerID == "" || l.run.ContainerID == c.ID)
}

// retain forgets what is older than it is to be kept.
func (r *Runner) retain(ctx context.Context, now time.Time) {
	r.mu.Lock()
	keep, logs := r.setup.KeepRuns, r.setup.Logs
	r.mu.Unlock()
	r.forgetRuns(ctx, now.Add(-keep))
	r.removeLogs(ctx, now.Add(-logs.Keep), logs.Total)
}

// forgetMany is how many runs are forgotten in one transaction.
const forgetMany = 50

func (r *Runner) forgetRuns(ctx context.Context, before time.Time) {
	for ctx.Err() == nil {
		runs, err := r.opts.Store.EndedBefore(ctx, before, forgetMany)
		var ids []string
		for _, run := range runs {
			ids = append(ids, run.ID)
			if err == nil {
				err = r.opts.Spool.Remove(run.ID)
			}
		}
		if err == nil && len(ids) > 0 {
			err = r.opts.Store.DeleteRuns(ctx, ids)
		}
		if err != nil {
			r.log.Warn("old runs are not forgotten; trying again later", "error", err)
			return
		}
		if len(ids) < forgetMany {
			return
		}
	}
}

// removeLogs removes the logs of runs that ended before, then the oldest ones
// until the rest takes no more than total bytes, where that is given. Logs that
// a crash left uncompressed are compressed.
func (r *Runner) removeLogs(ctx context.Context, before time.Time, total int64) {
	ids, err := r.opts.Spool.Runs()
	if err != nil {
		r.log.Warn("the logs can't be listed", "error", err)
		return
	}
	slices.SortFunc(ids, func(a, b string) int { return strings.Compare(b, a) }) // the newest first
	var sum int64
	for _, id := range ids {
		if ctx.Err() != nil {
			return
		}
		stays, err := r.retainLog(ctx, id, before, total, &sum)
		if err == nil && stays {
			err = r.opts.Spool.Compress(id)
		}
		if err != nil {
			r.log.Warn("a log is not looked after; trying again later", "run", id, "error", err)
		}
	}
}

// retainLog removes one log, or tells that it stays; sum is what newer
// ones take, and this one from then on.
func (r *Runner) retainLog(ctx context.Context, id string, before time.Time, total int64, sum *int64) (stays bool, err error) {
	r.admission.Lock() // a submit makes the log before its run is anywhere
	defer r.admission.Unlock()
	r.mu.Lock()
	under := r.lives[id] != nil
	r.mu.Unlock()
	if under {
		return false, nil
	}
	run, err := r.opts.Store.Run(ctx, id)
	if problem.CodeOf(err) == problem.RunNotFound {
		return false, r.opts.Spool.Remove(id) // its run was forgotten, or never written down
	}
	if err != nil || !run.State.Ended() || run.Owed { // a debt writes the run once it is paid
		return false, err
	}
	size, err := r.opts.Spool.Size(id)
	if err != nil {
		return false, err
	}
	aged := run.Ended.Before(before)
	if !aged {
		*sum += size // also where it goes: no older one stays in its place
	}
	if aged || total > 0 && *sum > total {
		run.Log.Removed = true
		if err := r.opts.Store.UpdateRun(ctx, run); err != nil {
			return false, err
		}
		return false, r.opts.Spool.Remove(id)
	}
	return true, nil
}

// removeLater removes a run's container off the path of whoever waits for it.
func (r *Runner) removeLater(run Run) {
	container := run.ContainerID
	if container == "" {
		container = run.containerName()
	}
	r.started.Go(func() {
		for wait := retryPay; r.life.Err() == nil; wait = min(2*wait, maxRetryPay) {
			engine, err := r.engineOf(run.Host)
			if err == nil {
				err = engine.Remove(r.life, container)
			}
			if err == nil || r.hostGone(run.Host) {
				return // or the next start finds the container by its label
			}
			if r.life.Err() == nil {
				r.log.Warn("container not removed; trying again", "run", run.ID, "host", run.Host, "container", container, "error", err)
			}
			pause(r.life, wait)
		}
	})
}

func (r *Runner) hostGone(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hostOf(name)
	return h == nil || h.Engine == nil
}
