package warmer

import (
	"slices"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// settle marks the tracks that have nothing left to do or to wait for: they are
// left out of the next looks until something changes on their hosts or in their
// rollouts. On a large fleet that is nearly all of them, nearly always.
func (w *Warmer) settle(d Desired, o Observed, actions []Action) {
	if len(actions) > 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range d.Tracks {
		if t := w.trackOf(s.Track.ID); t != nil && t.changes == s.changes && restful(s, o) {
			t.settled = true
		}
	}
}

// restful tells whether a track needs nothing until something changes.
func restful(s TrackState, o Observed) bool {
	if s.Current == nil || s.Leaving || len(s.Held)+len(s.Coming) > 0 {
		return false
	}
	for _, r := range append([]Rollout{*s.Current}, s.Kept...) {
		for _, name := range s.Track.Hosts {
			h := o.Hosts[name]
			if _, ok := r.Manifest.For(h.Platform); !ok || h.Contact != Reachable {
				continue
			}
			c := h.Copies[r.Pin]
			if c.State != Warm || !c.Kept || c.Busy {
				return false
			}
		}
	}
	return !slices.ContainsFunc(s.Track.Hosts, func(name string) bool {
		h := o.Hosts[name]
		return h.Contact == Reachable && unpublished(h.Copies[s.Current.Pin], s.Track)
	})
}

// unsettle asks for another look at the tracks of a host that may want a pin;
// without a pin, at all of the host's. The caller holds mu.
func (w *Warmer) unsettle(host string, pin registry.Pin) {
	for t := range w.tracks() {
		if slices.Contains(t.Hosts, host) && (pin.IsZero() || t.has(pin)) {
			t.unsettle()
		}
	}
}

// unsettleAll asks for another look at everything. The caller holds mu.
func (w *Warmer) unsettleAll() {
	for t := range w.tracks() {
		t.unsettle()
	}
}

// unsettle asks for another look at the track, also where one is under way that
// can't know what changed.
func (t *track) unsettle() {
	t.settled = false
	t.changes++
}

// nextDue is how long until time alone changes what is to be done: a backoff
// ends, a straggler stops counting, a cooldown is over, a window opens, a seed
// counts as stalled.
func (w *Warmer) nextDue(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	due := maxIdle
	sooner := func(at time.Time) {
		if d := at.Sub(now); d > 0 && d < due {
			due = d
		}
	}
	for t := range w.tracks() {
		if t.settled {
			continue
		}
		t.dues(now, sooner)
		for _, name := range t.Hosts {
			h := w.hosts[name]
			if h == nil {
				continue
			}
			for _, r := range t.rollouts {
				if c := h.copies[r.Pin]; c != nil && r.Open() {
					c.dues(t.Policy, sooner)
				}
			}
		}
	}
	return due
}

func (t *track) dues(now time.Time, sooner func(time.Time)) {
	for _, r := range t.rollouts {
		switch r.Phase {
		case Held:
			sooner(r.Seen.Add(t.Policy.Cooldown))
			if v := r.Trust.Verdict; v != nil && v.Failure != "" {
				sooner(v.At.Add(verifyAgain))
			}
		case Warming:
			sooner(t.Policy.Pulls.Next(now))
			sooner(t.Policy.Promote.Windows.Next(now))
		}
	}
}

func (c *copyState) dues(p Policy, sooner func(time.Time)) {
	sooner(c.NextTry)
	switch {
	case c.State == Failed:
		sooner(c.FailedSince.Add(p.Promote.Straggler))
	case c.Busy:
		sooner(c.Progress.At.Add(seedStall))
	}
}
