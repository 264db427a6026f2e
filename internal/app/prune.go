package app

import (
	"context"
	"reflect"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/schedule"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/prune"
)

// pruneRules are what the warmer makes of what the configuration lets go from a
// host.
func pruneRules(c *config.Config, h config.Host) warmer.PruneRules {
	policy := c.PruneFor(h)
	images := make(map[string]prune.Rules, len(c.Images))
	for _, i := range c.Images {
		images[i.Name] = rulesOf(policy.For(i), i.Keep)
	}
	return warmer.PruneRules{
		Policy: prune.Policy{
			Rules: rulesOf(policy.Rules, 0), Protect: policy.Protect, Unmanaged: prune.Unmanaged(policy.Unmanaged), MaxRemovals: policy.MaxRemovals,
		},
		ImageRules: images,
		Marks:      marksOf(h.Disk),
		Budget:     h.Disk.Budget, DryRun: policy.DryRun,
	}
}

// marksOf gives the marks of a disk or a budget of so many bytes. Beside a budget
// marks in bytes are of that alone: they lie below it, and much else than images
// may be on a disk.
func marksOf(d config.Disk) func(total int64, budget bool) (high, low int64) {
	return func(total int64, budget bool) (high, low int64) {
		if d.Budget > 0 && d.High.Bytes > 0 && !budget {
			return 0, 0
		}
		return d.High.Of(total), d.Low.Of(total)
	}
}

func rulesOf(r config.PruneRules, keep int) prune.Rules {
	return prune.Rules{MinAge: r.MinAge, UnusedFor: r.UnusedFor, Keep: keep, KeepMin: r.KeepMin}
}

// pruner makes passes by a schedule.
type pruner struct {
	app     *App
	running config.Prune
	stop    context.CancelFunc
}

// use starts the loop of a configuration, and ends that of the one before where
// it is another.
func (p *pruner) use(ctx context.Context, loops *watchers, c config.Prune) {
	if p.stop != nil && reflect.DeepEqual(p.running, c) {
		return
	}
	if p.stop != nil {
		p.stop()
	}
	p.running = c
	ctx, p.stop = context.WithCancel(ctx)
	loops.started.Go(func() {
		schedule.Loop(ctx, schedule.LoopOptions{
			Spec: c.Schedule, Name: "prune",
			Paused: func() (bool, <-chan struct{}) { return p.app.warmer.Paused(warmer.Pruning) },
		}, func(ctx context.Context) { p.app.prune(ctx, c.Windows) })
	})
}

func (a *App) prune(ctx context.Context, windows schedule.Windows) {
	if !windows.Open(time.Now()) {
		return
	}
	if err := a.warmer.PruneBySchedule(ctx); err != nil && ctx.Err() == nil {
		a.opts.Logger.Warn("not all hosts were pruned", "error", err)
	}
}
