package app

import (
	"context"
	"sync"
	"time"

	"github.com/prewarm/prewarm/config"
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

// watch looks at an image's tags now and then by its schedule.
func (a *App) watch(ctx context.Context, image config.Image) {
	for wait := firstRetry; !a.look(ctx, image.Name) && ctx.Err() == nil; wait = min(2*wait, maxRetry) {
		// The next firing may be a day away, and a digest has none at all.
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	schedule.Loop(ctx, schedule.LoopOptions{
		Spec: image.Watch, Name: image.Name, Jitter: watchJitter,
		Paused: func() (bool, <-chan struct{}) { return a.warmer.Paused(warmer.Watching) },
	}, func(ctx context.Context) { a.look(ctx, image.Name) })
}

// The first look at a tag is tried again until it succeeds once: after
// firstRetry, then after twice as long, up to maxRetry.
const (
	firstRetry = time.Second
	maxRetry   = 5 * time.Minute
)

// look tells whether an image's tags could be looked at, or need not be.
func (a *App) look(ctx context.Context, image string) bool {
	if paused, _ := a.warmer.Paused(warmer.Watching); paused {
		return true
	}
	_, err := a.warmer.Look(ctx, image)
	if err != nil && ctx.Err() == nil {
		a.opts.Logger.Warn("tag not looked at; what is current stays", "image", image, "error", err)
	}
	return err == nil
}
