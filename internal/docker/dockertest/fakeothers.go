package dockertest

import (
	"context"
	"maps"
	"slices"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// others do to a fake engine what other people do to a real one.
type others struct{ f *Fake }

// Others are the other users of the engine.
func (f *Fake) Others() Others { return others{f} }

// Pull holds pin without a keep-tag.
func (o others) Pull(_ context.Context, pin registry.Pin) error {
	o.f.Load(pin)
	return nil
}

// Tag lets a tag of the pin's repository mean pin.
func (o others) Tag(_ context.Context, pin registry.Pin, tag string) error {
	ref, err := registry.NewRef(pin.Repository(), tag)
	if err != nil {
		return err
	}
	o.f.change(func() {
		if o.f.images[pin] == nil {
			err = o.f.refuse(problem.ImageLost, "tag "+pin.String(), "no such image")
			return
		}
		o.f.tags[ref] = pin
	})
	return err
}

// Untag removes a tag, be it ours; the last tag of a repository takes the
// digest along.
func (o others) Untag(_ context.Context, ref registry.Ref) (err error) {
	o.f.lose(func() {
		pin, ok := o.f.meant(ref)
		if !ok {
			err = o.f.refuse(problem.ImageLost, "untag "+ref.String(), "no such image")
			return
		}
		delete(o.f.tags, ref)
		if ref.Tag() == keepTag(pin) {
			o.f.images[pin].kept = false
		}
		if !o.f.tagged(pin) {
			o.f.drop(pin)
		}
	})
	return err
}

// Prune removes every image that has no tag, as a classic engine does.
func (o others) Prune(context.Context) error {
	o.f.lose(func() {
		for pin := range o.f.images {
			if !o.f.tagged(pin) {
				o.f.drop(pin)
			}
		}
	})
	return nil
}

// Names are all tags and digests.
func (o others) Names(context.Context) ([]string, error) {
	o.f.mu.Lock()
	defer o.f.mu.Unlock()
	var all []string
	for pin, img := range o.f.images {
		all = append(all, pin.String())
		if img.kept {
			all = append(all, pin.Repository().String()+":"+keepTag(pin))
		}
	}
	for ref := range o.f.tags {
		all = append(all, ref.String())
	}
	slices.Sort(all)
	return all, nil
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

// meant gives the pin that a tag means, be it a keep-tag. The caller holds the
// lock.
func (f *Fake) meant(ref registry.Ref) (registry.Pin, bool) {
	if pin, ok := f.tags[ref]; ok {
		return pin, true
	}
	for pin, img := range f.images {
		if img.kept && pin.Repository() == ref.Repository() && keepTag(pin) == ref.Tag() {
			return pin, true
		}
	}
	return registry.Pin{}, false
}

// tagged tells whether an image has a tag. The caller holds the lock.
func (f *Fake) tagged(pin registry.Pin) bool {
	return f.images[pin].kept || len(f.copy(pin).Tags) > 0
}

// keepTag is the tag by which a Host keeps pin.
func keepTag(pin registry.Pin) string { return ownTags + pin.Digest().Hex() }

// ownTags is how the tags begin that are ours.
const ownTags = "prewarm-"
