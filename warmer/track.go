package warmer

import (
	"slices"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// track is a Track with what is known of it.
type track struct {
	Track
	rollouts []Rollout // oldest first
	check    check
}

// check is the last look at a tag.
type check struct {
	at        time.Time
	err       error
	notBefore time.Time // the registry asked us to wait until then
}

// state gives the live rollouts. They are copies.
func (t *track) state() TrackState {
	s := TrackState{Track: t.Track}
	for _, r := range t.rollouts {
		switch r.Phase {
		case Current:
			s.Current = &r
		case Warming:
			s.Coming = append(s.Coming, r)
		}
	}
	return s
}

// put adds a rollout or replaces the one of its id.
func (t *track) put(r Rollout) {
	i := slices.IndexFunc(t.rollouts, func(o Rollout) bool { return o.ID == r.ID })
	if i < 0 {
		t.rollouts = append(t.rollouts, r)
		return
	}
	t.rollouts[i] = r
}

// newest is the digest that the tag showed last.
func (t *track) newest() (registry.Pin, bool) {
	if len(t.rollouts) == 0 {
		return registry.Pin{}, false
	}
	return t.rollouts[len(t.rollouts)-1].Pin, true
}

// maxSuperseded bounds how many old digests of a track are looked at on each
// host and shown: one Inspect each, about a millisecond.
const maxSuperseded = 20

// superseded gives the digests that were current once and are not live now,
// newest first, each once.
func (t *track) superseded() []registry.Pin {
	var live, old []registry.Pin
	for _, r := range t.rollouts {
		if r.Live() {
			live = append(live, r.Pin)
		}
	}
	for _, r := range slices.Backward(t.rollouts) {
		if r.Phase == Superseded && !slices.Contains(live, r.Pin) && !slices.Contains(old, r.Pin) && len(old) < maxSuperseded {
			old = append(old, r.Pin)
		}
	}
	return old
}
