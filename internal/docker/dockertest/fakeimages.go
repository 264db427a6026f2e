package dockertest

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// Inspect gives the copy of pin, if there is one for the host's platform.
func (f *Fake) Inspect(ctx context.Context, pin registry.Pin) (warmer.Copy, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reach(ctx, "inspect image "+pin.String()); err != nil {
		return warmer.Copy{}, false, err
	}
	img := f.image(pin)
	if img == nil || !f.platform.Runs(img.platform) {
		return warmer.Copy{}, false, nil
	}
	return f.copy(pin), true, nil
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
	img := f.image(pin)
	switch {
	case img == nil:
		return warmer.Copy{}, f.refuse(problem.ImageLost, what, "the image went away")
	case !f.platform.Runs(img.platform):
		return warmer.Copy{}, f.refuse(problem.PlatformMissing, what, "it is made for "+img.platform.String())
	}
	f.point(keepRef(pin), img)
	f.wake()
	return f.copy(pin), nil
}

// Publish lets a tag of the pin's repository mean pin.
func (f *Fake) Publish(ctx context.Context, pin registry.Pin, tag string) error {
	what := "publish image " + pin.String() + " as " + tag
	ref, err := registry.NewRef(pin.Repository(), tag)
	if err != nil || strings.HasPrefix(tag, ownTags) {
		return f.refuse(problem.InvalidRequest, what, "no image is published under that tag")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reach(ctx, what); err != nil {
		return err
	}
	img := f.image(pin)
	if img == nil || !f.platform.Runs(img.platform) {
		return f.refuse(problem.ImageLost, what, "the image went away")
	}
	f.point(ref, img)
	f.wake()
	return nil
}

// Forget removes pin from the host, with its keep-tag and all tags of its
// repository, whatever uses it: someone was at it, with force.
func (f *Fake) Forget(pin registry.Pin) {
	f.lose(func() {
		img := f.image(pin)
		if img == nil {
			return
		}
		delete(img.pins, pin)
		maps.DeleteFunc(img.tags, func(ref registry.Ref, _ bool) bool { return ref.Repository() == pin.Repository() })
		f.tidy(img)
	})
}

// Untag removes the keep-tag of pin and leaves repo@digest: someone was at it.
func (f *Fake) Untag(pin registry.Pin) {
	f.lose(func() {
		if img := f.image(pin); img != nil {
			delete(img.tags, keepRef(pin))
		}
	})
}

// Dangle takes all names from the image of pin and leaves the image.
func (f *Fake) Dangle(pin registry.Pin) {
	f.lose(func() {
		if img := f.image(pin); img != nil {
			clear(img.pins)
			clear(img.tags)
		}
	})
}

// Load puts pin on the host without a pull and without a keep-tag, as someone
// else's docker pull would. It must have been pushed.
func (f *Fake) Load(pin registry.Pin) {
	f.change(func() { f.hold(pin, f.upstream.pushed[pin]) })
}

// copy tells of an image that is on the host. The caller holds the lock.
func (f *Fake) copy(pin registry.Pin) warmer.Copy {
	img := f.image(pin)
	c := warmer.Copy{ID: img.id, Platform: img.platform, Kept: img.tags[keepRef(pin)], Bytes: img.bytes()}
	for _, tag := range img.tagsIn(pin.Repository()) {
		if !strings.HasPrefix(tag, ownTags) {
			c.Tags = append(c.Tags, tag)
		}
	}
	return c
}

// Pin makes a pin for tests: a repository and a digest that is the number n.
func Pin(repository string, n int) registry.Pin {
	repo, err := registry.ParseRepository(repository)
	if err != nil {
		panic(err)
	}
	return registry.NewPin(repo, registry.Digest(fmt.Sprintf("sha256:%064x", n)))
}
