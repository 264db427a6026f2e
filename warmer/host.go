package warmer

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer/prune"
)

// Host is what the warmer asks of one engine. The contract suite in
// internal/docker/dockertest holds for every implementation, the fake too.
type Host interface {
	// Probe asks who answers: a short call that proves the host reachable.
	Probe(ctx context.Context) (Engine, error)
	// Inspect tells whether the engine holds pin, verified: a copy that is not
	// there, or is not what the pin says, is no Copy and no error.
	Inspect(ctx context.Context, pin registry.Pin) (Copy, bool, error)
	// Keep makes pin warm and keeps it: what is there already is adopted, the
	// rest is pulled; the result is verified. It reports progress as it goes,
	// from one goroutine, and never after it returned.
	Keep(ctx context.Context, pin registry.Pin, progress func(Progress)) (Copy, error)
	// Publish lets a tag of the pin's own repository mean pin on this host, so
	// that a plain docker run repo:tag uses it. The pin is warm already.
	Publish(ctx context.Context, pin registry.Pin, tag string) error
	// Watch tells of images and tags that were removed, and of containers that
	// were started. It is a hint: events get lost. It returns nil when ctx ends,
	// and an error when the engine stops telling.
	Watch(ctx context.Context, tell func(Happening)) error
	// List lists every image that the engine holds, ours and others', with what
	// is made of it. It is long work for an engine: seconds with many containers.
	List(ctx context.Context) ([]Listed, error)
	// RemoveImage takes names from an image, one call each and never by force, and
	// tells what is left of it. What is gone already is no error. It ends with
	// problem.ImageInUse where the engine refuses for a container or for an image
	// built on it: names that were taken before stay taken.
	RemoveImage(ctx context.Context, r Removal) (Removed, error)
}

// Happening is something that an engine told of.
type Happening struct {
	// Removed tells that an image or a tag was removed, by whomever.
	Removed bool
	// Used is the image of a container that was started, as it was named there:
	// repo:tag, repo@digest or an id. Empty for a removal.
	Used string
	At   time.Time // the engine's clock
}

// Listed is an image as an engine lists it.
type Listed struct {
	// ID is the engine's own id of the image.
	ID string
	// Pins are the digests whose keep-tag of ours is on it.
	Pins []registry.Pin
	// Tags are its other tags, as repo:tag, and Digests the digests that the
	// engine knows it by, as repo@sha256:…; both sorted.
	Tags, Digests []string
	// Built is when it was built: not when it came to the host.
	Built time.Time
	// Bytes is the unpacked size of all its layers.
	Bytes int64
	// Unique is how many bytes no other image on the engine shares, where the
	// engine tells (API 1.42 and later); else -1.
	Unique int64
	// Layers from the base up. Their sizes are from the image's history: exact
	// where Exact, else which size is whose was partly guessed.
	Layers []prune.Layer
	Exact  bool
	// Containers are those made of it, ended and never started ones too.
	Containers []ContainerOf
}

// ContainerOf is a container that is made of an image.
type ContainerOf struct {
	ID, Name string
	Running  bool
	// Ours tells that it carries our instance's label.
	Ours bool
	// Used is when it ran last: now while it runs, else when it ended or was
	// made. The engine's clock.
	Used time.Time
}

// Removal names what is to go of an image.
type Removal struct {
	// ID is the image, as List gave it.
	ID string
	// Pins are the digests whose keep-tags go: repo@digest goes with the
	// repository's last tag.
	Pins []registry.Pin
	// Names are the others' names that go: repo:tag or repo@digest.
	Names []string
	// Whole tells that the image is to be gone after it: what is left without
	// any name is removed by its ID.
	Whole bool
}

// Removed is what a removal left.
type Removed struct {
	// Gone tells that the engine holds the image no more, under any name.
	Gone bool
	// Left are the names that were to go and are there.
	Left []string
}

// Engine is who answers at a host's endpoint.
type Engine struct {
	// Marker is the random id that we left on this engine at first contact.
	// The engine's own id proves nothing (several engines can share one).
	Marker string
	// MarkerHost is the name of the host entry that left the marker: another
	// name than the one asked means that two entries reach one engine, or that
	// the entry was renamed.
	MarkerHost string
	Version    string // 20.10.24
	APIVersion string // negotiated: 1.41
	ImageStore string // "classic" or "containerd"
	Platform   registry.Platform
	CPUs       int
	Memory     int64 // bytes
	Disk       Disk
	// ClockOffset is the engine's clock minus ours; zero where it is not known.
	ClockOffset time.Duration
}

// Disk is the file system that an engine keeps images on, in bytes. The zero
// Disk is one that nothing is known of: the Engine API does not tell.
type Disk struct {
	Free, Total int64
}

// Copy is a verified image on a host.
type Copy struct {
	// ID is the engine's own id of the image. It differs by image store, so it
	// means something on this host only.
	ID string
	// Platform is what the image was made for.
	Platform registry.Platform
	// Bytes is the unpacked size that the engine reports; layers shared with
	// other images count in each.
	Bytes int64
	// Kept tells that our keep-tag holds it, so that neither a foreign prune
	// nor a foreign untag drops it.
	Kept bool
	// Tags are the tags of the pin's own repository that mean this copy on the
	// host, keep-tags left out.
	Tags []string
}

// Progress is how far a pull is.
type Progress struct {
	// Bytes is what was downloaded so far, compressed; layers that the host had
	// already are not in it.
	Bytes int64
	// LayersDone of Layers are on the host, unpacked.
	LayersDone, Layers int
	// At is when the engine last said something new.
	At time.Time
}
