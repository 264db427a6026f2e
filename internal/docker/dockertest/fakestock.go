package dockertest

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// List gives all images, with their containers.
func (f *Fake) List(ctx context.Context) ([]warmer.Listed, error) {
	return called(f, CallList, func() ([]warmer.Listed, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if err := f.reach(ctx, "list images"); err != nil {
			return nil, err
		}
		f.counts.lists++
		var all []warmer.Listed
		for _, id := range slices.Sorted(maps.Keys(f.images)) {
			all = append(all, f.listed(f.images[id]))
		}
		return all, nil
	})
}

// listed tells of an image. The caller holds the lock.
func (f *Fake) listed(img *held) warmer.Listed {
	l := warmer.Listed{ID: img.id, Built: img.built, Bytes: img.bytes(), Unique: -1, Layers: slices.Clone(img.layers), Exact: true}
	for ref := range img.tags {
		if pin, ok := keeps(ref); ok {
			l.Pins = append(l.Pins, pin)
		} else {
			l.Tags = append(l.Tags, ref.String())
		}
	}
	for pin := range img.pins {
		l.Digests = append(l.Digests, pin.String())
	}
	slices.SortFunc(l.Pins, func(a, b registry.Pin) int { return strings.Compare(a.String(), b.String()) })
	slices.Sort(l.Tags)
	slices.Sort(l.Digests)
	if f.unique {
		l.Unique = f.uniqueTo(img)
	}
	for _, b := range f.usersOf(img) {
		l.Containers = append(l.Containers, f.tell(b))
	}
	return l
}

// keeps gives the pin that a tag keeps, where it is a keep-tag.
func keeps(ref registry.Ref) (registry.Pin, bool) {
	hex, ours := strings.CutPrefix(ref.Tag(), ownTags)
	digest, err := registry.ParseDigest("sha256:" + hex)
	return registry.NewPin(ref.Repository(), digest), ours && err == nil
}

// uniqueTo is how many bytes no other image shares with img. The caller holds
// the lock.
func (f *Fake) uniqueTo(img *held) (sum int64) {
	users := map[string]int{}
	for _, other := range f.images {
		for _, l := range other.layers {
			users[l.ID]++
		}
	}
	for _, l := range img.layers {
		if users[l.ID] == 1 {
			sum += l.Bytes
		}
	}
	return sum
}

// tell tells of a container. The caller holds the lock.
func (f *Fake) tell(b *box) warmer.ContainerOf {
	c := warmer.ContainerOf{ID: b.id, Name: b.of.Name, Running: b.running(), Ours: !b.foreign, Used: b.created}
	switch {
	case b.running():
		c.Used = f.now()
	case b.ended:
		c.Used = b.exit.Finished
	}
	return c
}

// RemoveImage takes names from an image. It looks at the containers first, as
// the Host does.
func (f *Fake) RemoveImage(ctx context.Context, r warmer.Removal) (warmer.Removed, error) {
	return called(f, CallRemoveImage, func() (done warmer.Removed, err error) {
		what := "remove image " + r.ID
		err = f.until(ctx, what, func() (bool, error) { return !f.holdRemovals, f.reach(ctx, what) })
		if err != nil {
			return warmer.Removed{}, err
		}
		f.lose(func() { done, err = f.removeImage(what, r) })
		return done, err
	})
}

func (f *Fake) removeImage(what string, r warmer.Removal) (warmer.Removed, error) {
	f.counts.removals++
	img := f.images[r.ID]
	if img == nil {
		return warmer.Removed{Gone: true}, nil
	}
	if err := f.failRemoval(img); err != nil {
		return warmer.Removed{}, err
	}
	if user := f.userOf(img); user != nil {
		return warmer.Removed{}, f.refuse(problem.ImageInUse, what, "container "+user.of.Name+" is made of it")
	}
	asked := slices.Clone(r.Names)
	for _, pin := range r.Pins {
		asked = append(asked, keepRef(pin).String())
	}
	slices.SortStableFunc(asked, func(a, b string) int { return strings.Count(a, "@") - strings.Count(b, "@") })
	for _, name := range asked {
		if f.named(name) == img && !f.holdsTags(img, name) {
			if err := f.rmi(name); err != nil {
				return warmer.Removed{}, err
			}
		}
	}
	if r.Whole && img.nameless() {
		f.tidy(img)
	}
	left := slices.DeleteFunc(asked, func(name string) bool { return f.named(name) != img })
	slices.Sort(left)
	return warmer.Removed{Gone: f.images[r.ID] == nil, Left: left}, nil
}

// holdsTags tells whether a name is a digest of a repository that the image has
// tags of: the digest then stays, since the containerd store would take those
// tags along.
func (f *Fake) holdsTags(img *held, name string) bool {
	pin, err := registry.ParsePin(name)
	return err == nil && len(img.tagsIn(pin.Repository())) > 0
}

// FailRemoval lets the next n removals of the image of pin fail with err before
// they did anything, a negative n all of them, and n = 0 none any more.
func (f *Fake) FailRemoval(pin registry.Pin, err error, n int) {
	f.change(func() { f.removals[f.imageID(pin)] = &failure{err, n} })
}

// failRemoval takes one of the failures that were asked for. The caller holds
// the lock.
func (f *Fake) failRemoval(img *held) error { return f.removals[img.id].take() }

// HoldRemovals stops removals of images before they do anything, until
// ReleaseRemovals.
func (f *Fake) HoldRemovals() { f.change(func() { f.holdRemovals = true }) }

// ReleaseRemovals lets held removals go on.
func (f *Fake) ReleaseRemovals() { f.change(func() { f.holdRemovals = false }) }

// Lists is how often the images were listed.
func (f *Fake) Lists() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts.lists
}

// Removals is how often an image was to be removed.
func (f *Fake) Removals() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts.removals
}
