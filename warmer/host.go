package warmer

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/registry"
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
	// Watch calls lost whenever the engine tells that an image or a tag was
	// removed. It is a hint: events get lost. It returns nil when ctx ends, and
	// an error when the engine stops telling.
	Watch(ctx context.Context, lost func()) error
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
