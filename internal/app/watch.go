package app

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/schedule"
	"github.com/prewarm/prewarm/warmer"
)

// watchJitter spreads the looks at tags by a tenth of their interval.
const watchJitter = 0.1

// watchers are the loops that look at tags, one for each image.
type watchers struct {
	app     *App
	started sync.WaitGroup
	running map[string]watcher // by image
}

type watcher struct {
	image config.Image
	stop  context.CancelFunc
}

// use starts and ends loops so that they are those of a configuration. A loop
// whose image did not change goes on.
func (w *watchers) use(ctx context.Context, images []config.Image) {
	wanted := make(map[string]config.Image, len(images))
	for _, image := range images {
		wanted[image.Name] = image
	}
	for name, old := range w.running {
		if now, ok := wanted[name]; !ok || !sameWatch(old.image, now) {
			old.stop()
			delete(w.running, name)
		}
	}
	for name, image := range wanted {
		if _, ok := w.running[name]; ok {
			continue
		}
		ctx, stop := context.WithCancel(ctx)
		w.running[name] = watcher{image: image, stop: stop}
		w.started.Go(func() { w.app.watch(ctx, image) })
	}
}

func sameWatch(a, b config.Image) bool {
	return a.Repository == b.Repository && a.Track.Tag == b.Track.Tag && a.Track.Digest == b.Track.Digest &&
		a.Track.Select.Equal(b.Track.Select) && a.Watch.Equal(b.Watch)
}

// end stops all loops and waits for them.
func (w *watchers) end() {
	for _, r := range w.running {
		r.stop()
	}
	w.started.Wait()
}

// watch looks at an image's tags at once, then by its schedule, and again after
// a pause where a look failed: the next firing may be a day away, and a digest
// has none at all.
func (a *App) watch(ctx context.Context, image config.Image) {
	due := make(chan struct{}, 1)
	var loop sync.WaitGroup
	defer loop.Wait()
	loop.Go(func() {
		schedule.Loop(ctx, schedule.LoopOptions{
			Spec: image.Watch, Name: image.Name, Jitter: watchJitter,
			Paused: func() (bool, <-chan struct{}) { return a.warmer.Paused(warmer.Watching) },
		}, func(context.Context) {
			select {
			case due <- struct{}{}:
			default: // a look is owed already
			}
		})
	})
	w := looker{app: a, image: image.Name, scheduled: !image.Watch.IsZero()}
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-due:
		case <-again.C:
		}
		if !a.warmer.AwaitResume(ctx, warmer.Watching) {
			return
		}
		if wait := w.look(ctx); wait > 0 {
			again.Reset(wait)
		} else {
			again.Stop()
		}
	}
}

// A look that failed is taken again after firstRetry, then after twice as long,
// up to maxRetry, and not before the registry wants it.
const (
	firstRetry = time.Second
	maxRetry   = 5 * time.Minute
)

// looker looks at an image's tags, and tells of what is new only: a registry that
// is down for an hour fills no log.
type looker struct {
	app       *App
	image     string
	scheduled bool          // it is looked at again in any case
	wait      time.Duration // before the next retry
	failed    problem.Code  // how the last look ended; empty: well
}

// look takes a look and gives how long to wait before the next, where it is to be
// taken again before its schedule says so. That no tag is there is an answer,
// where there is a schedule.
func (l *looker) look(ctx context.Context) (again time.Duration) {
	_, err := l.app.warmer.Look(ctx, l.image)
	if ctx.Err() != nil {
		return 0
	}
	l.tell(err)
	if err == nil || l.scheduled && problem.Only(err, problem.TagNotFound) {
		l.wait = 0
		return 0
	}
	l.wait = min(max(2*l.wait, firstRetry), maxRetry)
	spread := time.Duration(rand.Int64N(int64(l.wait)/10 + 1)) // those that failed together don't come back together
	return max(l.wait, problem.From(err).RetryAfter) + spread
}

func (l *looker) tell(err error) {
	log, code := l.app.opts.Logger, problem.CodeOf(err)
	switch {
	case err == nil && l.failed != "":
		log.Info("tag looked at again", "image", l.image)
	case err != nil && code != l.failed:
		log.Warn("tag not looked at; what is current stays", "image", l.image, "error", err)
	case err != nil:
		log.Debug("tag not looked at", "image", l.image, "error", err)
	}
	l.failed = code
}
