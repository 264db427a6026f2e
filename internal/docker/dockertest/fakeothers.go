package dockertest

import (
	"context"
	"maps"
	"slices"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

// others do to a fake engine what other people do to a real one.
type others struct{ f *Fake }

// Others are the other users of the engine.
func (f *Fake) Others() Others { return others{f} }

// Pull holds pin without a keep-tag.
func (o others) Pull(_ context.Context, pin registry.Pin) (err error) {
	what := "pull " + pin.String()
	o.f.change(func() {
		p, ok := o.f.upstream.pushed[pin]
		needs := o.f.missing(pin)
		switch {
		case !ok:
			err = o.f.refuse(problem.TagNotFound, what, "the digest is gone upstream")
		case o.f.space.fills && o.f.diskNow().Free < needs:
			err = o.f.refuse(problem.NoSpace, what, "no space left on device")
		default:
			o.f.hold(pin, p)
		}
	})
	return err
}

// Tag lets a tag of the pin's repository mean pin.
func (o others) Tag(ctx context.Context, pin registry.Pin, tag string) error {
	ref, err := registry.NewRef(pin.Repository(), tag)
	if err != nil {
		return err
	}
	return o.TagAs(ctx, pin, ref)
}

// TagAs lets a tag of any repository mean pin.
func (o others) TagAs(_ context.Context, pin registry.Pin, ref registry.Ref) (err error) {
	o.f.change(func() {
		img := o.f.image(pin)
		if img == nil {
			err = o.f.refuse(problem.ImageLost, "tag "+pin.String(), "no such image")
			return
		}
		o.f.point(ref, img)
	})
	return err
}

// Untag removes a tag, be it ours.
func (o others) Untag(ctx context.Context, ref registry.Ref) error {
	return o.RemoveImage(ctx, ref.String())
}

// RemoveImage removes a name, or an image by its id.
func (o others) RemoveImage(_ context.Context, name string) (err error) {
	o.f.lose(func() { err = o.f.rmi(name) })
	return err
}

// Prune removes every image that has no tag and no container, as a classic
// engine does.
func (o others) Prune(context.Context) error {
	o.f.lose(func() { o.f.sweep(func(img *held) bool { return len(img.tags) == 0 }) })
	return nil
}

// PruneAll removes every image that has no container.
func (o others) PruneAll(context.Context) error {
	o.f.lose(func() { o.f.sweep(func(*held) bool { return true }) })
	return nil
}

// sweep removes the images that nothing is made of. The caller holds the lock.
func (f *Fake) sweep(which func(*held) bool) {
	for _, img := range f.images {
		if which(img) && f.userOf(img) == nil {
			clear(img.pins)
			clear(img.tags)
			f.tidy(img)
		}
	}
}

// Names are all tags and digests.
func (o others) Names(context.Context) ([]string, error) {
	o.f.mu.Lock()
	defer o.f.mu.Unlock()
	var all []string
	for _, img := range o.f.images {
		all = append(all, img.names()...)
	}
	slices.Sort(all)
	return all, nil
}

// Create makes a container that is nobody's.
func (o others) Create(_ context.Context, name, image string, command ...string) (err error) {
	o.f.change(func() { _, err = o.f.foreignBox(name, image, command) })
	return err
}

// Run starts a container that is nobody's.
func (o others) Run(_ context.Context, name, image string, command ...string) (err error) {
	o.f.change(func() {
		b, failed := o.f.foreignBox(name, image, command)
		if failed != nil {
			err = failed
			return
		}
		program, args, failed := o.f.program(b.of.Spec)
		if failed != nil {
			err = failed
			return
		}
		o.f.launch(b, program, args)
	})
	return err
}

// foreignBox makes a container without our label. The caller holds the lock.
func (f *Fake) foreignBox(name, image string, command []string) (*box, error) {
	what := "create container " + name
	img := f.named(image)
	switch {
	case img == nil:
		return nil, f.refuse(problem.ImageLost, what, "no such image: "+image)
	case f.container(name) != nil:
		return nil, f.refuse(problem.EngineAPI, what, "the name is taken")
	}
	b := f.add(runner.Container{Name: name, Spec: runner.Spec{Command: command}}, img, image)
	b.foreign = true
	return b, nil
}

// Discard removes a container, also one that runs.
func (o others) Discard(_ context.Context, name string) (err error) {
	o.f.change(func() {
		b := o.f.container(name)
		if b == nil {
			err = o.f.refuse(problem.ContainerLost, "remove container "+name, "no such container")
			return
		}
		if b.running() {
			o.f.over(b, exitKilled)
		}
		delete(o.f.containers, b.id)
	})
	return err
}

// MakeVolume makes a volume that is nobody's.
func (o others) MakeVolume(_ context.Context, name string) error {
	o.f.change(func() { o.f.volume(name) })
	return nil
}

// Volumes are the names of all volumes. Those without a name are kept in their
// containers.
func (o others) Volumes(context.Context) ([]string, error) {
	return slices.Sorted(maps.Keys(o.f.Volumes())), nil
}
