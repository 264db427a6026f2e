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

type failure struct {
	err  error
	left int // calls that still fail; negative: all
}

// take gives the error of a call that is to fail.
func (f *failure) take() error {
	if f == nil || f.left == 0 {
		return nil
	}
	f.left--
	return f.err
}

// steps is how many times a layer's download is reported.
const steps = 4

// Push makes pin available to pulls: an image for platform with layers of
// these sizes, in bytes, from the base up, which is built now. Layers of equal
// size on equal layers are taken for the same layer, so two images can share
// their lowest ones: with {100, 1001} and {100, 1002} a base, and no more. A pin
// that was never pushed is gone upstream.
func (f *Fake) Push(pin registry.Pin, platform registry.Platform, layers []int64) {
	f.change(func() { f.upstream.pushed[pin] = pushed{platform: platform, layers: chain(layers), built: f.now()} })
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
	t := &transfer{fake: f, what: "pull " + source.String(), seen: seen, progress: progress}
	t.begin(source)
	defer t.end()
	if err := f.until(ctx, t.what, func() (bool, error) { return !f.upstream.held, f.reach(ctx, t.what) }); err != nil {
		return err
	}
	f.mu.Lock()
	img, ok := f.upstream.pushed[source]
	had := f.layers()
	failed := f.upstream.failures[source].take()
	f.mu.Unlock()
	if !ok {
		return f.refuse(problem.TagNotFound, t.what, "the digest is gone upstream")
	}
	seen.Layers = len(img.layers)
	for i, l := range img.layers {
		if _, have := had[l.ID]; !have {
			if err := t.fetch(ctx, l.Bytes); err != nil {
				return err
			}
		}
		if err := t.reach(ctx); err != nil {
			return err
		}
		seen.LayersDone = max(seen.LayersDone, i+1)
		t.report()
		if i == 0 && failed != nil {
			return failed
		}
	}
	f.change(func() {
		t.unstage()
		f.hold(pin, img)
	})
	return nil
}

// transfer is a pull under way.
type transfer struct {
	fake     *Fake
	what     string
	wiped    int // as the fake's when it began
	seen     *warmer.Progress
	progress func(warmer.Progress) // nil: nobody asks
	staged   int64                 // bytes that it takes of the disk
}

func (t *transfer) begin(source registry.Pin) {
	f := t.fake
	f.change(func() {
		f.counts.pulls[source]++
		f.counts.pulling++
		f.counts.most = max(f.counts.most, f.counts.pulling)
		t.wiped = f.wiped
	})
}

func (t *transfer) end() {
	t.fake.change(func() {
		t.fake.counts.pulling--
		t.unstage()
	})
}

// unstage gives back what was taken of the disk. The caller holds the lock.
func (t *transfer) unstage() {
	t.fake.space.staged -= t.staged
	t.staged = 0
}

// fetch fetches one layer.
func (t *transfer) fetch(ctx context.Context, size int64) error {
	f := t.fake
	f.mu.Lock()
	speed := f.upstream.speed
	f.mu.Unlock()
	for i := range int64(steps) {
		var d time.Duration
		if speed > 0 {
			d = time.Duration(float64(size) / steps / float64(speed) * float64(time.Second))
		}
		if err := f.pause(ctx, t.what, d, t.wiped); err != nil {
			return err
		}
		step := size*(i+1)/steps - size*i/steps
		if err := t.stage(step); err != nil {
			return err
		}
		t.seen.Bytes += step
		t.report()
	}
	return nil
}

// stage takes space for what was fetched.
func (t *transfer) stage(bytes int64) error {
	t.fake.mu.Lock()
	defer t.fake.mu.Unlock()
	if err := t.fake.stage(t.what, bytes); err != nil {
		return err
	}
	t.staged += bytes
	return nil
}

func (t *transfer) reach(ctx context.Context) error {
	t.fake.mu.Lock()
	defer t.fake.mu.Unlock()
	return t.fake.reach(ctx, t.what)
}

func (t *transfer) report() {
	if t.progress == nil {
		return
	}
	p := *t.seen
	p.At = time.Now()
	t.progress(p)
}
