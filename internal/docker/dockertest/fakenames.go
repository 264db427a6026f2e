package dockertest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer/prune"
)

// pushed is an image as a registry has it.
type pushed struct {
	platform registry.Platform
	layers   []prune.Layer // from the base up
	built    time.Time
}

// held is an image on the fake host, with its names as the classic store keeps
// them. One without any is what docker calls dangling.
type held struct {
	pushed
	id   string
	pins map[registry.Pin]bool // repo@digest
	tags map[registry.Ref]bool // ours, too
}

// bytes is the size of all layers.
func (h *held) bytes() (sum int64) {
	for _, l := range h.layers {
		sum += l.Bytes
	}
	return sum
}

// single tells whether docker rmi of any one name removes the image: all its
// names are of one repository, and at most one is a tag.
func (h *held) single() bool {
	repos := map[registry.Repository]bool{}
	for pin := range h.pins {
		repos[pin.Repository()] = true
	}
	for ref := range h.tags {
		repos[ref.Repository()] = true
	}
	return len(repos) <= 1 && len(h.tags) <= 1
}

// nameless tells whether the image has no name.
func (h *held) nameless() bool { return len(h.pins) == 0 && len(h.tags) == 0 }

// tagsIn are the tags in one repository, sorted.
func (h *held) tagsIn(repo registry.Repository) []string {
	var all []string
	for ref := range h.tags {
		if ref.Repository() == repo {
			all = append(all, ref.Tag())
		}
	}
	slices.Sort(all)
	return all
}

// untag takes a tag; the last one of a repository takes its digests along.
func (h *held) untag(ref registry.Ref) {
	delete(h.tags, ref)
	if repo := ref.Repository(); len(h.tagsIn(repo)) == 0 {
		maps.DeleteFunc(h.pins, func(pin registry.Pin, _ bool) bool { return pin.Repository() == repo })
	}
}

// names are all names.
func (h *held) names() []string {
	var all []string
	for pin := range h.pins {
		all = append(all, pin.String())
	}
	for ref := range h.tags {
		all = append(all, ref.String())
	}
	slices.Sort(all)
	return all
}

// hold gives the image of what was pushed as pin, under that name. Content has
// one id, whatever its repository. The caller holds the lock.
func (f *Fake) hold(pin registry.Pin, p pushed) *held {
	id := f.imageID(pin)
	img := f.images[id]
	if img == nil {
		img = &held{pushed: p, id: id, pins: map[registry.Pin]bool{}, tags: map[registry.Ref]bool{}}
		f.images[id] = img
	}
	img.pins[pin] = true
	return img
}

// imageID is what the engine calls the content of pin. Another engine has
// another word for it, as one with the other image store has.
func (f *Fake) imageID(pin registry.Pin) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(f.name+" "+string(pin.Digest()))))
}

// image gives the image of pin, if the host knows it under that name. The caller
// holds the lock.
func (f *Fake) image(pin registry.Pin) *held {
	img := f.images[f.imageID(pin)]
	if img == nil || !img.pins[pin] {
		return nil
	}
	return img
}

// meant gives the image that a tag means. The caller holds the lock.
func (f *Fake) meant(ref registry.Ref) *held {
	for _, img := range f.images {
		if img.tags[ref] {
			return img
		}
	}
	return nil
}

// named gives the image of a name: an id, repo@digest or repo:tag. The caller
// holds the lock.
func (f *Fake) named(name string) *held {
	if img := f.images[name]; img != nil {
		return img
	}
	if pin, err := registry.ParsePin(name); err == nil {
		return f.image(pin)
	}
	if ref, err := registry.ParseRef(name); err == nil {
		return f.meant(ref)
	}
	return nil
}

// point lets a tag mean an image, and no other any more: what has lost its last
// name by that stays. The caller holds the lock.
func (f *Fake) point(ref registry.Ref, img *held) {
	if old := f.meant(ref); old != nil {
		delete(old.tags, ref)
	}
	img.tags[ref] = true
}

// rmi does what docker rmi does to one name: the image goes with its last one,
// unless something is made of it. The caller holds the lock.
func (f *Fake) rmi(name string) error {
	what := "remove image " + name
	img := f.named(name)
	if img == nil {
		return f.refuse(problem.ImageLost, what, "no such image")
	}
	if user := f.userOf(img); user != nil && img.single() {
		return f.refuse(problem.ImageInUse, what, "container "+user.of.Name+" is using it")
	}
	pin, notPin := registry.ParsePin(name)
	ref, notRef := registry.ParseRef(name)
	switch {
	case name == img.id && !img.single():
		return f.refuse(problem.ImageInUse, what, "it is referenced in multiple repositories")
	case name == img.id:
		clear(img.pins)
		clear(img.tags)
	case notPin == nil:
		delete(img.pins, pin)
	case notRef == nil:
		img.untag(ref)
	}
	f.tidy(img)
	return nil
}

// tidy removes an image that has lost its last name. The caller holds the lock.
func (f *Fake) tidy(img *held) {
	if !img.nameless() {
		return
	}
	before := f.stored()
	delete(f.images, img.id)
	if f.space.leaks {
		f.space.leaked += before - f.stored()
	}
}

// usersOf are the containers that are made of an image, by name. The caller
// holds the lock.
func (f *Fake) usersOf(img *held) []*box {
	var users []*box
	for _, b := range f.containers {
		if b.image == img.id {
			users = append(users, b)
		}
	}
	slices.SortFunc(users, func(a, b *box) int { return strings.Compare(a.of.Name, b.of.Name) })
	return users
}

// userOf is a container that is made of an image; nil where there is none. The
// caller holds the lock.
func (f *Fake) userOf(img *held) *box {
	if users := f.usersOf(img); len(users) > 0 {
		return users[0]
	}
	return nil
}

// layers are the sizes of all layers on the host, each once. The caller holds
// the lock.
func (f *Fake) layers() map[string]int64 {
	all := map[string]int64{}
	for _, img := range f.images {
		for _, l := range img.layers {
			all[l.ID] = l.Bytes
		}
	}
	return all
}

// chain gives layers of these sizes their ids: each stands for those below it,
// too, as a chain id of OCI does.
func chain(sizes []int64) []prune.Layer {
	var all []prune.Layer
	below := ""
	for _, size := range sizes {
		below = fmt.Sprintf("sha256:%x", sha256.Sum256(fmt.Appendf(nil, "%s %d", below, size)))
		all = append(all, prune.Layer{ID: below, Bytes: size})
	}
	return all
}

// keepRef is the tag by which a Host keeps pin.
func keepRef(pin registry.Pin) registry.Ref {
	ref, err := registry.NewRef(pin.Repository(), keepTag(pin))
	if err != nil {
		panic(err)
	}
	return ref
}

// keepTag is keepRef without its repository.
func keepTag(pin registry.Pin) string { return ownTags + pin.Digest().Hex() }

// ownTags is how the tags begin that are ours.
const ownTags = "prewarm-"
