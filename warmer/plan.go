package warmer

import (
	"time"

	"github.com/prewarm/prewarm/registry"
)

// Desired is what the configuration and the tags want.
type Desired struct {
	// Tracks in the order of the configuration, which is also the order in
	// which their pulls are started.
	Tracks []TrackState
	// Straggler is how long a reachable host may fail before a promotion stops
	// waiting for it.
	Straggler time.Duration
}

// TrackState is a track with its live rollouts.
type TrackState struct {
	Track Track
	// Current is nil until the first promotion.
	Current *Rollout
	// Coming are the rollouts in flight, oldest first.
	Coming []Rollout
}

// Observed is what is known of the fleet at one moment.
type Observed struct {
	Now   time.Time
	Hosts map[string]HostView
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
	Copies    map[registry.Pin]CopyView
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
	// Busy tells that the host is pulling or adopting it at this moment.
	Busy bool
	// Kept tells, for a warm copy, that the keep-tag holds it.
	Kept bool
	// FailedSince is when the present row of failures began, NextTry when the
	// backoff is over.
	FailedSince, NextTry time.Time
}

// Action is one step from observed towards desired: Pull, Promote or Overtake.
type Action interface{ action() }

// Pull asks a host to keep a pin: to pull it, or to adopt what is there.
type Pull struct {
	Host string
	Pin  registry.Pin
}

// Promote makes a rollout its track's current one.
type Promote struct{ Rollout Rollout }

// Overtake ends a rollout that will never be current.
type Overtake struct{ Rollout Rollout }

func (Pull) action()     {}
func (Promote) action()  {}
func (Overtake) action() {}

// Plan says what to do next. It is pure: equal arguments give equal actions, in
// an order that can be carried out as it stands.
func Plan(d Desired, o Observed) []Action {
	var actions []Action
	wanted := make([][]want, 3) // by urgency
	for _, t := range d.Tracks {
		current, coming, decided := advance(t, o, d.Straggler)
		actions = append(actions, decided...)
		if current != nil {
			wanted[0] = append(wanted[0], want{current, t.Track.Hosts})
		}
		for i := range coming {
			urgency := min(i+1, 2)
			wanted[urgency] = append(wanted[urgency], want{&coming[i], t.Track.Hosts})
		}
	}
	return append(actions, pulls(wanted, o)...)
}

// want is a rollout and the hosts that are to hold it.
type want struct {
	rollout *Rollout
	hosts   []string
}

// advance decides what becomes of a track's rollouts: the newest one that is
// ready is promoted and those before it are overtaken. While none is ready the
// oldest goes on (a push every minute and one slow host must not starve
// promotion), the newest warms beside it, and those between are overtaken.
func advance(t TrackState, o Observed, straggler time.Duration) (current *Rollout, coming []Rollout, decided []Action) {
	for i := len(t.Coming) - 1; i >= 0; i-- {
		if !ready(t.Coming[i], t.Track.Hosts, o, straggler) {
			continue
		}
		for _, r := range t.Coming[:i] {
			decided = append(decided, Overtake{r})
		}
		decided = append(decided, Promote{t.Coming[i]})
		return &t.Coming[i], t.Coming[i+1:], decided
	}
	coming = t.Coming
	if n := len(coming); n > 2 {
		for _, r := range coming[1 : n-1] {
			decided = append(decided, Overtake{r})
		}
		coming = []Rollout{coming[0], coming[n-1]}
	}
	return t.Current, coming, decided
}

// ready tells whether a rollout may become current: it is warm on every
// selected host that counts, and on one at least. A host whose first probe has
// not ended may yet count, so it holds the promotion back.
func ready(r Rollout, hosts []string, o Observed, straggler time.Duration) bool {
	warm := 0
	for _, name := range hosts {
		h := o.Hosts[name]
		switch {
		case h.Contact == Unknown:
			return false
		case !counts(r, h, o.Now, straggler):
		case h.Copies[r.Pin].State == Warm:
			warm++
		default:
			return false
		}
	}
	return warm > 0
}

// counts tells whether a promotion waits for the host.
func counts(r Rollout, h HostView, now time.Time, straggler time.Duration) bool {
	if h.Contact != Reachable {
		return false
	}
	if _, ok := r.Manifest.For(h.Platform); !ok {
		return false
	}
	c := h.Copies[r.Pin]
	return c.State != Failed || now.Sub(c.FailedSince) < straggler
}

// pulls starts what is missing, most urgent first, within each host's limit.
func pulls(wanted [][]want, o Observed) []Action {
	var actions []Action
	free := make(map[string]int, len(o.Hosts))
	for name, h := range o.Hosts {
		free[name] = h.FreePulls
	}
	started := make(map[Pull]bool)
	for _, urgency := range wanted {
		for _, w := range urgency {
			for _, name := range w.hosts {
				p := Pull{Host: name, Pin: w.rollout.Pin}
				if free[name] <= 0 || started[p] || !missing(*w.rollout, o.Hosts[name], o.Now) {
					continue
				}
				free[name]--
				started[p] = true
				actions = append(actions, p)
			}
		}
	}
	return actions
}

// missing tells whether a host should be asked now to keep a rollout's pin.
func missing(r Rollout, h HostView, now time.Time) bool {
	if h.Contact != Reachable {
		return false
	}
	if _, ok := r.Manifest.For(h.Platform); !ok {
		return false
	}
	c := h.Copies[r.Pin]
	held := c.State == Warm && c.Kept
	return !held && !c.Busy && !now.Before(c.NextTry)
}
