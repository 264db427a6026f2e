package warmer

import (
	"slices"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// entry is an Entry with its tracks. Warmer.mu guards it.
type entry struct {
	Entry
	// chosen are the tags that the selection chose last, newest first.
	chosen []string
	held   ImageState
	// tracks are those of its tags, in their order, then the leaving ones.
	tracks []*track
	looks  int   // scheduled ones, for the tags that are listed now and then
	list   check // the last listing of the repository's tags
}

// track is a Track with what is known of it.
type track struct {
	Track
	entry    *entry
	rollouts []Rollout // oldest first
	check    check
	leaving  bool
	// settled tells that the last look left nothing to do and nothing to wait
	// for, and that nothing has changed since.
	settled bool
	wake    time.Time    // until when it is settled; zero: until something changes
	asked   registry.Pin // somebody asked for it to be warmed now, whatever the windows say
	changes int          // rises with each change, so that a look knows whether it is out of date
}

// check is the last look at a tag.
type check struct {
	at  time.Time
	err error
}

// retag makes the tracks of the entry's present tags: those that there are keep
// their rollouts, and those whose tag went and that have a current digest stay
// as leaving ones. The caller holds mu.
func (e *entry) retag() {
	before := e.tracks
	e.tracks = nil
	find := func(tag string) *track {
		for _, t := range before {
			if t.ID.Tag == tag {
				return t
			}
		}
		return &track{entry: e}
	}
	tags := e.tags(e.chosen)
	for _, tag := range tags {
		t := find(tag)
		t.Track, t.leaving = e.track(tag), false
		t.unsettle()
		e.tracks = append(e.tracks, t)
	}
	for _, t := range before {
		if !slices.Contains(tags, t.ID.Tag) {
			left := e.track(t.ID.Tag)
			left.Repository = t.Repository
			t.Track, t.leaving = left, true
			t.unsettle()
			e.tracks = append(e.tracks, t)
		}
	}
}

// replaced tells whether each tracked tag has a current digest.
func (e *entry) replaced() bool {
	tracked := 0
	for _, t := range e.tracks {
		if t.leaving {
			continue
		}
		tracked++
		if t.current() == nil {
			return false
		}
	}
	return tracked > 0
}

// bare is the track that the image's bare name means: the first that has a
// current digest, else the first.
func (e *entry) bare() *track {
	for _, t := range e.tracks {
		if t.current() != nil {
			return t
		}
	}
	if len(e.tracks) == 0 {
		return nil
	}
	return e.tracks[0]
}

func (t *track) current() *Rollout {
	for i := range t.rollouts {
		if t.rollouts[i].Phase == Current {
			return &t.rollouts[i]
		}
	}
	return nil
}

// state gives the open rollouts. They are copies.
func (t *track) state() TrackState {
	s := TrackState{Track: t.Track, Leaving: t.leaving, Hold: !t.entry.held.HeldAt.IsZero(), changes: t.changes}
	for _, r := range t.rollouts {
		switch r.Phase {
		case Current:
			s.Current = &r
		case Warming:
			s.Coming = append(s.Coming, r)
		case Held:
			s.Held = append(s.Held, r)
		}
	}
	s.Kept = t.kept()
	return s
}

// kept gives the superseded rollouts that a rollback may want, newest first.
func (t *track) kept() []Rollout {
	old := t.superseded()
	return old[:min(len(old), t.Policy.Keep)]
}

// maxEnded bounds how many ended rollouts of a track stay in memory; the store
// has them all.
const maxEnded = 50

// put adds a rollout or replaces the one of its id.
func (t *track) put(r Rollout) {
	t.unsettle()
	i := slices.IndexFunc(t.rollouts, func(o Rollout) bool { return o.ID == r.ID })
	if i >= 0 {
		t.rollouts[i] = r
		return
	}
	t.rollouts = append(t.rollouts, r)
	if len(t.rollouts) <= 2*maxEnded {
		return
	}
	spare, kept := len(t.rollouts)-maxEnded, t.kept()
	t.rollouts = slices.DeleteFunc(t.rollouts, func(o Rollout) bool {
		spare--
		return spare >= 0 && !o.Open() && o.Phase != Rejected && !slices.ContainsFunc(kept, func(k Rollout) bool { return k.ID == o.ID })
	})
}

func (t *track) byID(id string) (Rollout, bool) {
	for _, r := range t.rollouts {
		if r.ID == id {
			return r, true
		}
	}
	return Rollout{}, false
}

// shown is the rollout of the digest that the tag showed last.
func (t *track) shown() (Rollout, bool) {
	for _, r := range slices.Backward(t.rollouts) {
		if r.Origin == FromTag {
			return r, true
		}
	}
	return Rollout{}, false
}

// rejected gives the rollouts of a digest that somebody went back from and that
// nobody has approved since.
func (t *track) rejected(pin registry.Pin) []Rollout {
	var all []Rollout
	for _, r := range t.rollouts {
		if r.Pin == pin && r.Phase == Rejected && r.Trust.Pardoned.IsZero() {
			all = append(all, r)
		}
	}
	return all
}

// distrusted gives the rollouts of a rejected digest that are still on their way,
// held until somebody approves them; but for one.
func (t *track) distrusted(pin registry.Pin, but string) []Rollout {
	var all []Rollout
	for _, r := range t.rollouts {
		if r.Pin == pin && r.ID != but && (r.Phase == Held || r.Phase == Warming) {
			r.Phase, r.Trust.Rejected, r.Trust.Approved, r.Trust.ApprovedBy = Held, true, time.Time{}, ""
			all = append(all, r)
		}
	}
	return all
}

// known gives a rollout of a digest that the track had before, if there is one.
func (t *track) known(pin registry.Pin) (Rollout, bool) {
	for _, r := range slices.Backward(t.rollouts) {
		if r.Pin == pin {
			return r, true
		}
	}
	return Rollout{}, false
}

// maxSuperseded bounds how many old digests of a track are looked at on each
// host and shown, where no more are kept: one Inspect each, about a millisecond.
const maxSuperseded = 20

// superseded gives the rollouts whose digests were current once and are not
// live now, newest first, each digest once.
func (t *track) superseded() []Rollout {
	var live []registry.Pin
	var old []Rollout
	for _, r := range t.rollouts {
		if r.Live() {
			live = append(live, r.Pin)
		}
	}
	for _, r := range slices.Backward(t.rollouts) {
		known := func(o Rollout) bool { return o.Pin == r.Pin }
		if r.Phase == Superseded && !slices.Contains(live, r.Pin) && !slices.ContainsFunc(old, known) && len(old) < max(maxSuperseded, t.Policy.Keep) {
			old = append(old, r)
		}
	}
	return old
}

// has tells whether a pin is one of the track's.
func (t *track) has(pin registry.Pin) bool {
	return slices.ContainsFunc(t.rollouts, func(r Rollout) bool { return r.Pin == pin })
}
