package hints

import (
	"context"
	"log/slog"
	"time"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/registry/webhook"
)

// Hook is where a sender tells of pushes.
type Hook struct {
	Name string
	Kind webhook.Kind
	// Secrets are those accepted in a delivery's headers.
	Secrets []string
	// Path are the accepted last parts of the hook's address; empty: it has none.
	Path []string
	// Repositories are those that the sender may speak of.
	Repositories []registry.Pattern
	// Registry stands for whatever registry the sender names; empty: what it
	// names counts.
	Registry string
	// Fields say where a body of kind generic has what; nil: the standard one.
	Fields *webhook.Fields
}

// Image is one whose tags are looked at.
type Image struct {
	Name       string
	Repository registry.Repository
	// Takes tells whether the image may follow a tag: it tracks just that, or
	// selects among the repository's tags and could choose it.
	Takes func(tag string) bool
}

// Setup is what a reload can change.
type Setup struct {
	Hooks  []Hook
	Images []Image
}

func (s *Setup) hook(name string) (Hook, bool) {
	for _, h := range s.Hooks {
		if h.Name == name {
			return h, true
		}
	}
	return Hook{}, false
}

// Images is what the hints ask of the warmer.
type Images interface {
	// LookAt looks at some tags of an image in the registry now, or at all where
	// none is named.
	LookAt(ctx context.Context, image string, tags []string) ([]Look, error)
	// AwaitResume waits while nobody is to look; false when ctx ended.
	AwaitResume(ctx context.Context) bool
}

// Look is what a look at one tag found.
type Look struct {
	Tag    string
	Digest registry.Digest
	// New tells that the tag showed another digest before.
	New bool
}

// Store keeps deliveries. What it was given is on disk when it returns.
type Store interface {
	// Record writes deliveries down, all or none, and forgets the oldest of each
	// hook beyond what is kept.
	Record(ctx context.Context, all []Delivery) error
	// Led notes what deliveries led to, by id.
	Led(ctx context.Context, all map[string]string) error
	// Deliveries gives the newest of a hook, newest first.
	Deliveries(ctx context.Context, hook string, limit int) ([]Delivery, error)
}

// Verdict is what was made of a delivery.
type Verdict string

// The verdicts.
const (
	Accepted   Verdict = "accepted"   // images are looked at
	Irrelevant Verdict = "irrelevant" // it is of no image that the hook may speak of
	Repeated   Verdict = "repeated"   // an earlier delivery told the same
	Refused    Verdict = "refused"    // it does not prove who sent it, or makes no sense
)

// Delivery is one request of a sender, as it is kept.
type Delivery struct {
	ID      string // UUIDv7
	Hook    string
	At      time.Time
	From    string // the address that it came from, without the port
	Verdict Verdict
	// Stands is for how many deliveries the record stands: more than one where
	// many are refused.
	Stands int
	// Events counts what the sender says was pushed, and IDs are its names for
	// that, as far as it gives some.
	Events int
	IDs    []string
	Images []string // that it is about
	Detail string   // why it is refused or irrelevant
	Led    string   // what came of it; empty: nothing yet
}

// Answer is what a sender is told.
type Answer struct {
	Verdict Verdict
	Events  int
	Images  []string
}

// Options is what a Receiver is made of.
type Options struct {
	Setup
	Images Images
	Store  Store
	Logger *slog.Logger
}
