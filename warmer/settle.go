package warmer

import (
	"slices"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// settle marks the tracks that need nothing until something changes on their
// hosts or in their rollouts, or until a backoff ends: they are left out of the
// next looks. On a large fleet that is nearly all of them, nearly always.
func (w *Warmer) settle(d Desired, o Observed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range d.Tracks {
		t := w.trackOf(s.Track.ID)
		if t == nil || t.changes != s.changes {
			continue
		}
		t.settled, t.wake = restful(s, o)
	}
}

// restful tells whether a track needs nothing until something changes, or until
// wake; the zero time is never.
func restful(s TrackState, o Observed) (rests bool, wake time.Time) {
	if s.Current == nil || s.Leaving || len(s.Held)+len(s.Coming) > 0 {
		return false, time.Time{}
	}
	for _, r := range append([]Rollout{*s.Current}, s.Kept...) {
		for _, name := range s.Track.Hosts {
			h := o.Hosts[name]
			if _, ok := r.Manifest.For(h.Platform); !ok || h.Contact != Reachable {
				continue
			}
			due, ok := h.Copies[r.Pin].rests(r.Pin == s.Current.Pin, s.Track, o.Now)
			if !ok {
				return false, time.Time{}
			}
			if !due.IsZero() && (wake.IsZero() || due.Before(wake)) {
				wake = due
			}
		}
	}
	return true, wake
}

// rests tells whether a copy needs nothing until it changes, or until due.
func (c CopyView) rests(current bool, t Track, now time.Time) (due time.Time, ok bool) {
	publish := current && unpublished(c, t)
	switch {
	case c.Busy:
		return time.Time{}, false
	case c.State == Warm && c.Kept && !publish, c.GivenUp && !current:
		return time.Time{}, true
	case publish:
		due = c.NextPublish
	default:
		due = c.NextTry
	}
	return due, due.After(now)
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
	for _, h := range w.hosts {
		if h.contact == Unreachable {
			sooner(h.since.Add(downAfter))
		}
	}
	for _, until := range w.closed {
		sooner(until)
	}
	for key, s := range w.sought {
		sooner(s.nextTry)
		for _, h := range w.hosts {
			if c := h.copies[key.Pin]; c != nil && s.held {
				sooner(c.NextTry)
			}
		}
	}
	for t := range w.tracks() {
		if t.settled {
			sooner(t.wake)
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
	sooner(c.NextPublish)
	switch {
	case c.State == Failed:
		sooner(c.FailedSince.Add(p.Promote.Straggler))
	case c.Busy:
		sooner(c.Progress.At.Add(seedStall))
	}
}
