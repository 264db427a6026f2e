package prune

import (
	"math"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// Inventory is what is on one host at one moment.
type Inventory struct {
	Now    time.Time
	Images []Image
}

// SpareKept lets nothing go that is kept for a rollback.
func (inv Inventory) SpareKept() {
	for _, img := range inv.Images {
		for i := range img.Pins {
			img.Pins[i].Rules.KeepMin = math.MaxInt
		}
	}
}

// Image is one image of an engine, whatever names it has there.
type Image struct {
	// ID is the engine's. It differs by image store: it means something on its
	// host only.
	ID string
	// Pins are the digests that we keep of it, each by a keep-tag. Two
	// repositories with the same content make two pins of one image.
	Pins []Pinned
	// Digests are all that the engine knows it by, ours and others': whoever comes
	// to want one of them wants the image.
	Digests []registry.Pin
	// Names are the others' names: repo:tag, or repo@digest where the engine has
	// no tag of that repository.
	Names []string
	// Tagged tells that one of Names is a tag: an image without any is what
	// docker calls dangling.
	Tagged bool
	// Bytes is the unpacked size of all layers.
	Bytes int64
	// Layers from the base up. What is below another image, too, is freed with
	// the last of them. An image of which none is known counts as one that frees
	// nothing.
	Layers []Layer
	// Containers are the names of those made of it, ended ones too.
	Containers []string
	// Stuck is why it could not be removed lately: it is left alone for a while, so
	// that it holds up no other. Empty: nothing is wrong with it.
	Stuck string
	// Seen is since when it is known to be on the host. It is never the build
	// date.
	Seen time.Time
	// Used is when it was last used there; Seen where nobody knows better.
	Used time.Time
}

// Layer is one layer of an image on an engine. Two images share it if its ID is
// the same: it stands for all layers below it, too.
type Layer struct {
	ID    string
	Bytes int64
}

// Pinned is a digest that we keep on the host, with what is known of it.
type Pinned struct {
	Pin registry.Pin
	// Claims are what forbids its removal, the strongest first.
	Claims []Claim
	// Standing is what it is to the images of the configuration, and Since is
	// when it became that.
	Standing Standing
	Since    time.Time
	// Image is the entry that it belongs to; empty for an orphan.
	Image string
	// Refs are the repo:tag that it once was a digest of.
	Refs []string
	// Rank counts the superseded digests of its tag from the newest, which is 0.
	Rank int
	// Rules are those of its image.
	Rules Rules
}

// Standing is what a digest is to the configuration.
type Standing string

// The standings.
const (
	Wanted       Standing = "wanted"        // something of now wants it: see its claims
	Kept         Standing = "kept"          // superseded, kept for a rollback
	Superseded   Standing = "superseded"    // was current, and is beyond those that are kept
	NeverCurrent Standing = "never_current" // overtaken, rejected unseen or failed
	Orphaned     Standing = "orphaned"      // its image, host or tag left the configuration
	Unknown      Standing = "unknown"       // has a keep-tag that nobody here remembers: another installation's
)

// Claim is something that forbids a removal.
type Claim struct {
	Rule Rule
	// Detail says whose claim it is: a track, a scope, a run.
	Detail string
	Since  time.Time
}

// Rules are what the configuration says of images that may go.
type Rules struct {
	// MinAge is how long an image stays after it was first seen on the host.
	MinAge time.Duration
	// UnusedFor is how long nobody must have used it; 0: it does not matter.
	UnusedFor time.Duration
	// Keep is how many superseded digests of each tag are kept for a rollback. It
	// decides nothing, since Standing and Rank come of it: the sentences tell it.
	Keep int
	// KeepMin is how many of the kept superseded digests of each tag stay under
	// pressure, too.
	KeepMin int
}
