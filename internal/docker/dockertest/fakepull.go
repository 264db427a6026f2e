package dockertest

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// upstream is the registry behind a fake engine.
type upstream struct {
	pushed   map[registry.Pin]pushed
	failures map[registry.Pin]*failure
	mirror   func(registry.Repository) (registry.Repository, bool)
	speed    int64 // bytes a second; 0: at once
	held     bool
}

type pushed struct {
	platform registry.Platform
	layers   []int64 // bytes; layers of one size are one layer
}

type failure struct {
	err  error
	left int // pulls that still fail; negative: all
}

// steps is how many times a layer's download is reported.
const steps = 4

// Push makes pin available to pulls: an image for platform with layers of
// these sizes, in bytes. Layers of equal size are taken for the same layer, so
// two images can share some. A pin that was never pushed is gone upstream.
func (f *Fake) Push(pin registry.Pin, platform registry.Platform, layers []int64) {
	f.change(func() { f.upstream.pushed[pin] = pushed{platform, layers} })
}

// Unpush lets the registry lose pin; copies on the host stay.
func (f *Fake) Unpush(pin registry.Pin) {
	f.change(func() { delete(f.upstream.pushed, pin) })
}

// SetMirror tells where a repository is pulled from first, as Options.Mirror of
// a docker.Host does. What a mirror has is pushed to it; a pull of what it lacks
// goes on at the origin. A pull that the mirror served counts as one of the
// mirror's pin only.
func (f *Fake) SetMirror(mirror func(registry.Repository) (registry.Repository, bool)) {
	f.change(func() { f.upstream.mirror = mirror })
}

// FailPull lets the next n pulls of pin fail with err after their first layer,
// a negative n all of them, and n = 0 none any more.
func (f *Fake) FailPull(pin registry.Pin, err error, n int) {
	f.change(func() { f.upstream.failures[pin] = &failure{err, n} })
}

// SetPullSpeed sets how many bytes a second each pull gets; zero means that a
// pull takes no time.
func (f *Fake) SetPullSpeed(bytes int64) {
	f.change(func() { f.upstream.speed = bytes })
}

// HoldPulls stops pulls before their first byte until ReleasePulls.
func (f *Fake) HoldPulls() { f.change(func() { f.upstream.held = true }) }

// ReleasePulls lets held pulls go on.
func (f *Fake) ReleasePulls() { f.change(func() { f.upstream.held = false }) }

// pull fetches pin, from its mirror where there is one that has it.
func (f *Fake) pull(ctx context.Context, pin registry.Pin, progress func(warmer.Progress)) error {
	var seen warmer.Progress
	f.mu.Lock()
	mirror := f.upstream.mirror
	f.mu.Unlock()
	if mirror != nil {
		if repo, ok := mirror(pin.Repository()); ok {
			err := f.pullFrom(ctx, registry.NewPin(repo, pin.Digest()), pin, &seen, progress)
			if err == nil || ctx.Err() != nil || problem.CodeOf(err) == problem.HostUnreachable {
				return err
			}
		}
	}
	return f.pullFrom(ctx, pin, pin, &seen, progress)
}

// pullFrom fetches what was pushed at a source. It ends with the image on the
// host as pin, for whatever platform: engines answer 200 for a wrong one.
func (f *Fake) pullFrom(ctx context.Context, source, pin registry.Pin, seen *warmer.Progress, progress func(warmer.Progress)) error {
	what := "pull " + source.String()
	wiped := f.beginPull(source)
	defer f.change(func() { f.counts.pulling-- })
	if err := f.until(ctx, what, func() (bool, error) { return !f.upstream.held, f.reach(ctx, what) }); err != nil {
		return err
	}
	f.mu.Lock()
	img, ok := f.upstream.pushed[source]
	had := f.layers()
	failed := f.fail(source)
	f.mu.Unlock()
	if !ok {
		return f.refuse(problem.TagNotFound, what, "the digest is gone upstream")
	}
	seen.Layers = len(img.layers)
	for i, size := range img.layers {
		if err := f.pullLayer(ctx, what, wiped, seen, size, had[size], progress); err != nil {
			return err
		}
		seen.LayersDone = max(seen.LayersDone, i+1)
		f.report(*seen, progress)
		if i == 0 && failed != nil {
			return failed
		}
	}
	f.change(func() { f.images[pin] = f.hold(img) })
	return nil
}

// pullLayer fetches one layer, or finds it there.
func (f *Fake) pullLayer(ctx context.Context, what string, wiped int, seen *warmer.Progress, size int64, have bool, progress func(warmer.Progress)) error {
	f.mu.Lock()
	speed := f.upstream.speed
	f.mu.Unlock()
	for i := range int64(steps) {
		if have {
			break
		}
		var d time.Duration
		if speed > 0 {
			d = time.Duration(float64(size) / steps / float64(speed) * float64(time.Second))
		}
		if err := f.pause(ctx, what, d, wiped); err != nil {
			return err
		}
		seen.Bytes += size*(i+1)/steps - size*i/steps
		f.report(*seen, progress)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reach(ctx, what)
}

func (f *Fake) report(p warmer.Progress, progress func(warmer.Progress)) {
	if progress == nil {
		return
	}
	p.At = time.Now()
	progress(p)
}

func (f *Fake) beginPull(pin registry.Pin) (wiped int) {
	f.change(func() {
		f.counts.pulls[pin]++
		f.counts.pulling++
		f.counts.most = max(f.counts.most, f.counts.pulling)
		wiped = f.wiped
	})
	return wiped
}

// fail takes one of the failures that were asked for. The caller holds the
// lock.
func (f *Fake) fail(pin registry.Pin) error {
	wanted := f.upstream.failures[pin]
	if wanted == nil || wanted.left == 0 {
		return nil
	}
	wanted.left--
	return wanted.err
}
