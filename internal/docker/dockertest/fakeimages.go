package dockertest

import (
	"context"
	"fmt"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// held is an image on the fake host.
type held struct {
	published
	id   string
	kept bool
}

// Inspect gives the copy of pin, if there is one for the host's platform.
func (f *Fake) Inspect(ctx context.Context, pin registry.Pin) (warmer.Copy, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reach(ctx, "inspect image "+pin.String()); err != nil {
		return warmer.Copy{}, false, err
	}
	img := f.images[pin]
	if img == nil || !f.platform.Runs(img.platform) {
		return warmer.Copy{}, false, nil
	}
	return img.copy(), true, nil
}

// Keep adopts or pulls pin, and sets its keep-tag.
func (f *Fake) Keep(ctx context.Context, pin registry.Pin, progress func(warmer.Progress)) (warmer.Copy, error) {
	_, there, err := f.Inspect(ctx, pin)
	if err != nil {
		return warmer.Copy{}, err
	}
	if !there {
		if err := f.pull(ctx, pin, progress); err != nil {
			return warmer.Copy{}, err
		}
	}
	return f.tag(ctx, pin)
}

// tag sets the keep-tag of an image that is made for the host.
func (f *Fake) tag(ctx context.Context, pin registry.Pin) (warmer.Copy, error) {
	what := "verify image " + pin.String()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reach(ctx, what); err != nil {
		return warmer.Copy{}, err
	}
	img := f.images[pin]
	switch {
	case img == nil:
		return warmer.Copy{}, f.refuse(problem.ImageLost, what, "the image went away")
	case !f.platform.Runs(img.platform):
		return warmer.Copy{}, f.refuse(problem.PlatformMissing, what, "it is made for "+img.platform.String())
	}
	img.kept = true
	f.wake()
	return img.copy(), nil
}

// Forget removes pin from the host, with its keep-tag: someone was at it.
func (f *Fake) Forget(pin registry.Pin) {
	f.change(func() { delete(f.images, pin) })
}

// Untag removes the keep-tag of pin: someone was at it.
func (f *Fake) Untag(pin registry.Pin) {
	f.change(func() {
		if img := f.images[pin]; img != nil {
			img.kept = false
		}
	})
}

// Load puts pin on the host without a pull and without a keep-tag, as someone
// else's docker pull would. It must have been published.
func (f *Fake) Load(pin registry.Pin) {
	f.change(func() { f.images[pin] = f.hold(f.upstream.published[pin]) })
}

// hold makes an image of what was published. The caller holds the lock.
func (f *Fake) hold(p published) *held {
	return &held{published: p, id: f.id("image")}
}

func (h *held) copy() warmer.Copy {
	c := warmer.Copy{ID: h.id, Platform: h.platform, Kept: h.kept}
	for _, size := range h.layers {
		c.Bytes += size
	}
	return c
}

// layers are those of all images on the host. The caller holds the lock.
func (f *Fake) layers() map[int64]bool {
	all := map[int64]bool{}
	for _, img := range f.images {
		for _, size := range img.layers {
			all[size] = true
		}
	}
	return all
}

// Pin makes a pin for tests: a repository and a digest that is the number n.
func Pin(repository string, n int) registry.Pin {
	repo, err := registry.ParseRepository(repository)
	if err != nil {
		panic(err)
	}
	return registry.NewPin(repo, registry.Digest(fmt.Sprintf("sha256:%064x", n)))
}
