package warmer

import (
	"cmp"
	"slices"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// Desired is what the configuration, the tags and the people want.
type Desired struct {
	// Tracks in the order of the configuration, which is also the order in
	// which their pulls are started.
	Tracks []TrackState
	// Pinned are what pin scopes hold and no track sees to.
	Pinned []Pinned
	// Registries are the rules of registries, by host, that have some.
	Registries map[string]RegistryRules
	// Pulls is how many pulls the fleet may have at once; 0: any number.
	Pulls int
}

// RegistryRules say how a registry is to be used.
type RegistryRules struct {
	// Pulls is how many pulls of the fleet it may have at once; 0: any number.
	Pulls int
	// Seed tells that hosts pull from it through a cache that they share: such
	// a cache fetches the same layer once for each host that asks before it has
	// it, so that one host goes first.
	Seed bool
}

// TrackState is a track with its open rollouts.
type TrackState struct {
	Track Track
	// Current is nil until the first promotion.
	Current *Rollout
	// Held and Coming are the rollouts that are not trusted yet and those in
	// flight, oldest first.
	Held, Coming []Rollout
	// Kept are the superseded rollouts that a rollback may want, newest first.
	Kept []Rollout
	// Hold tells that somebody stopped promotion.
	Hold bool
	// Leaving tells that the tag is no longer tracked; its current digest stays
	// until Replaced: until each tag that is tracked has a current one.
	Leaving, Replaced bool

	changes int // the track's, when it was looked at
}

// Pinned is a digest that pin scopes hold, whatever became of its rollout, and
// the hosts that are to have it.
type Pinned struct {
	Image   string
	Rollout Rollout
	Hosts   []string
}

// Observed is what is known of the fleet at one moment.
type Observed struct {
	Now   time.Time
	Hosts map[string]HostView
	// Pulling counts the pulls of this moment by registry host.
	Pulling map[string]int
	// Closed are the registries that want no pulls until a time, by host.
	Closed map[string]time.Time
	// Paused tells that somebody stopped warming on the whole fleet.
	Paused bool
	// Needs are what runs wait for.
	Needs Needs
}

// Needs are what runs wait for: pins, and images of which nothing is current
// yet; and what is held for runs to come.
type Needs struct {
	Pins   map[registry.Pin]bool
	Images map[string]bool
	// Held are the digests that live pin scopes hold: the image's hosts are to
	// have them, and keep them, whatever becomes of the tag.
	Held map[HeldPin]bool
}

// HeldPin is a digest as one image means it: for the hosts of that image.
type HeldPin struct {
	Image string
	Pin   registry.Pin
}

// Contact is what is known of reaching a host.
type Contact string

// A host is of unknown contact until its first probe has ended.
const (
	Unknown     Contact = "unknown"
	Reachable   Contact = "reachable"
	Unreachable Contact = "unreachable"
	Duplicate   Contact = "duplicate_engine" // another entry reaches the same engine
)

// HostView is one host as Plan sees it.
type HostView struct {
	Contact  Contact
	Platform registry.Platform
	// FreePulls is how many more pulls the host may have at once.
	FreePulls int
	// Paused tells that somebody stopped warming on this host.
	Paused bool
	// Drained tells that somebody took the host out of use for runs. It is
	// warmed, and waited for by nobody.
	Drained bool
	Copies  map[registry.Pin]CopyView
}

// CopyState is where the copy of a pin on a host stands.
type CopyState string

// The states of a copy. The zero state is Absent.
const (
	Absent CopyState = ""
	Warm   CopyState = "warm"
	Failed CopyState = "failed"
)

// CopyView is one pin on one host.
type CopyView struct {
	State CopyState
	// Busy tells that the host is pulling, adopting or publishing it at this
	// moment, and Moved when that last got anywhere.
	Busy  bool
	Moved time.Time
	// Kept tells, for a warm copy, that the keep-tag holds it.
	Kept bool
	// Tags are the tags of its repository that mean it on the host.
	Tags []string
	// GivenUp tells that it went for want of space: it is not pulled again for a
	// rollback that nobody has asked for yet.
	GivenUp bool
	// Gone tells, for a failed one, that the registry no longer has it.
	Gone bool
	// FailedSince is when the present row of failures began, NextTry when the
	// backoff is over.
	FailedSince, NextTry time.Time
	// NextPublish is when its tag may be moved again, after that failed.
	NextPublish time.Time
}

// Action is one step from observed towards desired.
type Action interface{ action() }

// Pull asks a host to keep a pin: to pull it, or to adopt what is there. A spare
// one is for a rollback that nobody has asked for: it is given up where the disk
// has no room, and nothing makes way for it.
type Pull struct {
	Host  string
	Pin   registry.Pin
	Spare bool
}

// Publish lets a track's tag mean its current pin on a host.
type Publish struct {
	Host  string
	Track TrackID
	Pin   registry.Pin
}

// Verify asks for a rollout's verification.
type Verify struct {
	Rollout Rollout
	By      Verification
}

// Admit ends the wait of a held rollout: it may be warmed.
type Admit struct{ Rollout Rollout }

// Promote makes a rollout its track's current one.
type Promote struct{ Rollout Rollout }

// Overtake ends a rollout that will never be current.
type Overtake struct{ Rollout Rollout }

// Retire ends a track that is no longer tracked.
type Retire struct{ Track TrackID }

func (Pull) action()     {}
func (Publish) action()  {}
func (Verify) action()   {}
func (Admit) action()    {}
func (Promote) action()  {}
func (Overtake) action() {}
func (Retire) action()   {}

// Plan says what to do next. It is pure: equal arguments give equal actions, in
// an order that can be carried out as it stands. A track that has nothing open
// and is warm where it should be may be left out: it would give no action and
// take no pull from another.
func Plan(d Desired, o Observed) []Action {
	var actions []Action
	var wanted wants
	for _, t := range d.Tracks {
		if t.Leaving && (t.Current == nil || t.Replaced) {
			actions = append(actions, Retire{t.Track.ID})
			continue
		}
		admitted, decided := admit(t, o.Now)
		actions = append(actions, decided...)
		t.Coming = merged(t.Coming, admitted)
		current, coming, decided := advance(t, o)
		actions = append(actions, decided...)
		wanted.add(t, current, coming, o)
		actions = append(actions, publish(t, current, o)...)
	}
	wanted.addPinned(d.Pinned, o)
	return append(actions, pulls(wanted, d, o)...)
}

// merged is rollouts of two lists, oldest first.
func merged(a, b []Rollout) []Rollout {
	if len(b) == 0 {
		return a
	}
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y Rollout) int { return cmp.Compare(x.ID, y.ID) })
	return all
}

// publish moves the track's tag on the hosts that hold its current digest.
func publish(t TrackState, current *Rollout, o Observed) []Action {
	if !t.Track.Policy.Retag || t.Track.ID.Tag == "" || current == nil || t.Leaving {
		return nil
	}
	var actions []Action
	for _, name := range t.Track.Hosts {
		h := o.Hosts[name]
		c := h.Copies[current.Pin]
		if h.Contact == Reachable && unpublished(c, t.Track) && !c.Busy && !o.Now.Before(c.NextPublish) {
			actions = append(actions, Publish{Host: name, Track: t.Track.ID, Pin: current.Pin})
		}
	}
	return actions
}

// unpublished tells whether the track's tag should mean a warm copy, and does
// not.
func unpublished(c CopyView, t Track) bool {
	return t.Policy.Retag && t.ID.Tag != "" && c.State == Warm && c.Kept && !slices.Contains(c.Tags, t.ID.Tag)
}
