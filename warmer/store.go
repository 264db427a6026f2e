package warmer

import (
	"context"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/registry"
)

// Store keeps what must not be forgotten. What it was given is on disk when it
// returns.
type Store interface {
	// Load reads what earlier lives wrote down: all open and rejected rollouts
	// and the newest ended ones, oldest first.
	Load(ctx context.Context) (Saved, error)
	// Save writes a change, all of it or nothing, with what is to be told of it.
	Save(ctx context.Context, c Change) error
	// History gives the newest rollouts and acts of an image, newest first.
	History(ctx context.Context, image string, limit int) ([]Rollout, []Act, error)
}

// Saved is what a Store holds for the next life.
type Saved struct {
	Rollouts []Rollout
	Images   []ImageState
	Pauses   []Pause
	// Engines are the markers of the engines that answered for the hosts last.
	Engines map[string]string
	// Troubles are those that people were told of and that are not over, with
	// when they were told.
	Troubles map[Trouble]time.Time
}

// Trouble names something that people are told of once for as long as it lasts,
// however often the server starts meanwhile.
type Trouble string

// Change is what is written together. Rollouts, images, pauses, engines and
// troubles replace those of the same id, name or host.
type Change struct {
	Rollouts []Rollout
	Images   []ImageState
	Acts     []Act
	Paused   []Pause
	Resumed  []Pause // What and Host count
	Engines  map[string]string
	// Notices are what people are to be told of it.
	Notices  []notice.Event
	Troubles map[Trouble]time.Time
	Over     []Trouble
}

// ImageState is what is known of an image beside its rollouts.
type ImageState struct {
	Image string
	// Repository is where Chosen was listed.
	Repository string
	// Chosen are the tags that its selection chose last, newest first.
	Chosen []string
	// HeldAt is when somebody stopped its promotions; zero: nobody did.
	HeldAt time.Time
	HeldBy string
}

// Verb is what somebody did.
type Verb string

// The verbs.
const (
	Approved   Verb = "approve"
	Holding    Verb = "hold"
	Unholding  Verb = "unhold"
	WentBack   Verb = "rollback"
	Pausing    Verb = "pause"
	Resuming   Verb = "resume"
	Draining   Verb = "drain"
	Undraining Verb = "undrain"
)

// Act is something that somebody did, kept for the history.
type Act struct {
	ID    string // UUIDv7
	At    time.Time
	Who   string // as they say: there are no accounts yet
	Verb  Verb
	Track TrackID // of images
	// Digest is the one that it was about, where it was about one.
	Digest string
	Detail string
}

func (a Act) event() Event {
	return Event{Kind: PersonActed, Track: a.Track, Digest: registry.Digest(a.Digest), State: string(a.Verb), Detail: strings.TrimSpace(a.Who + " " + a.Detail)}
}

// Activity is something that can be paused.
type Activity string

// The activities.
const (
	Watching Activity = "watching" // looking at tags by their schedules
	Pulling  Activity = "warming"  // starting pulls
	Placing  Activity = "placing"  // of runs on a host: a pause of it drains the host
	Pruning  Activity = "pruning"  // removing images
)

// Pause is an activity that somebody stopped for a while.
type Pause struct {
	What  Activity
	Host  string // empty: the fleet
	Since time.Time
	Who   string
}
