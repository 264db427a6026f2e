package warmer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// sought is a digest that matters beside what is live: pin scopes hold it, or
// somebody asked where it is warm. Warmer.mu guards it.
type sought struct {
	held  bool      // hosts are to have it
	asked time.Time // when somebody asked for it last
	// rollout is what was found of a held one that no track tells of any more;
	// nil: nothing yet.
	rollout *Rollout
	busy    bool      // that is being looked for
	err     error     // why it could not be found
	nextTry time.Time // when it is looked for again, after that
}

// soughtFor is how long hosts are looked at for a digest that somebody asked
// for and that nothing wants.
const soughtFor = 10 * time.Minute

// seek lets hosts be looked at for a digest, unless that happens anyway. The
// caller holds mu.
func (w *Warmer) seek(e *entry, pin registry.Pin) *sought {
	key := HeldPin{e.Image, pin}
	s := w.sought[key]
	if s != nil {
		return s
	}
	s = &sought{}
	w.sought[key] = s
	for _, name := range e.Hosts {
		if h := w.hosts[name]; h != nil && !h.copies[pin].seen() {
			h.recheck()
		}
	}
	return s
}

// Seek looks for a digest on the hosts of an image, so that WarmHosts knows
// where it is. Whoever asks for one that is neither live nor held does so
// first; what can't be looked at within a few seconds is not taken for warm.
func (w *Warmer) Seek(ctx context.Context, image string, pin registry.Pin) {
	w.mu.Lock()
	e := w.entryOf(image)
	if e == nil {
		w.mu.Unlock()
		return
	}
	w.seek(e, pin).asked = time.Now()
	hosts := e.Hosts
	w.mu.Unlock()
	w.inspectOn(ctx, hosts, pin)
}

// hold takes over what pin scopes hold now, and finds out about what no track
// tells of. What is live is seen to as such.
func (w *Warmer) hold(now time.Time, held map[HeldPin]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, s := range w.sought {
		s.held = held[key]
		if !s.held && now.Sub(s.asked) > soughtFor {
			delete(w.sought, key)
		}
	}
	for key := range held {
		e := w.entryOf(key.Image)
		if e == nil || e.live(key.Pin) {
			continue
		}
		s := w.seek(e, key.Pin)
		s.held = true
		if len(w.sightings(e, key.Pin)) == 0 && !s.busy && !now.Before(s.nextTry) {
			w.startRecall(key, s)
		}
	}
}

// live tells whether hosts are to hold a pin for one of the entry's tags.
func (e *entry) live(pin registry.Pin) bool {
	return slices.ContainsFunc(e.tracks, func(t *track) bool {
		return slices.ContainsFunc(t.rollouts, func(r Rollout) bool { return r.Pin == pin && r.Live() })
	})
}

// sightings gives the rollouts that tell of a digest of an image. The caller
// holds mu.
func (w *Warmer) sightings(e *entry, pin registry.Pin) []Rollout {
	var all []Rollout
	for _, t := range e.tracks {
		for _, r := range t.rollouts {
			if r.Pin == pin {
				all = append(all, r)
			}
		}
	}
	if s := w.sought[HeldPin{e.Image, pin}]; len(all) == 0 && s != nil && s.rollout != nil {
		all = append(all, *s.rollout)
	}
	return all
}

// withheld tells why no host may have a digest yet: nobody ever trusted it.
func withheld(sightings []Rollout, p Policy, now time.Time) []Reason {
	var why []Reason
	for _, r := range sightings {
		why = r.Holds(p, now)
		if len(why) == 0 || r.Phase != Held && r.Phase != Overtaken {
			return nil
		}
	}
	return why
}

// pinned lists what hosts are to hold for pin scopes. The caller holds mu.
func (w *Warmer) pinned(now time.Time) []Pinned {
	var all []Pinned
	for key, s := range w.sought {
		e := w.entryOf(key.Image)
		if e == nil || !s.held {
			continue
		}
		told := w.sightings(e, key.Pin)
		if len(told) > 0 && len(withheld(told, e.Policy, now)) == 0 {
			all = append(all, Pinned{Image: key.Image, Rollout: told[0], Hosts: e.Hosts})
		}
	}
	slices.SortFunc(all, func(a, b Pinned) int {
		return cmp.Or(cmp.Compare(a.Image, b.Image), cmp.Compare(a.Rollout.Pin.String(), b.Rollout.Pin.String()))
	})
	return all
}

// recallAgain is how long after nothing could be found out of a digest that is
// tried again.
const recallAgain = time.Minute

// startRecall finds out about a digest, in a goroutine of its own. The caller
// holds mu.
func (w *Warmer) startRecall(key HeldPin, s *sought) {
	if w.life == nil {
		return
	}
	s.busy = true
	w.started.Go(func() {
		r, err := w.recall(w.life, key)
		w.mu.Lock()
		defer w.mu.Unlock()
		s.busy = false
		switch {
		case w.life.Err() != nil:
			return
		case err == nil:
			s.rollout, s.err = &r, nil
		default:
			s.failed(time.Now(), err)
			w.log.Warn("digest of a pin scope not found", "image", key.Image, "pin", key.Pin, "next_try", s.nextTry, "error", err)
		}
		w.announce()
		w.Kick()
	})
}

func (s *sought) failed(now time.Time, err error) {
	told := problem.From(err)
	wait := max(recallAgain, told.RetryAfter)
	if told.Code == problem.TagNotFound {
		wait = goneAgain
	}
	s.err, s.nextTry = err, now.Add(wait)
}

// recalled is how many of an image's rollouts are looked through on disk.
const recalled = 1000

// recall finds what a digest holds: on disk, or else in the registry. What is
// not recorded was not trusted either, as far as anybody knows.
func (w *Warmer) recall(ctx context.Context, key HeldPin) (Rollout, error) {
	past, _, err := w.opts.Store.History(ctx, key.Image, recalled)
	if err != nil {
		return Rollout{}, fmt.Errorf("look for %s among the rollouts of %s: %w", key.Pin, key.Image, err)
	}
	var found Rollout
	for _, r := range past {
		if r.Pin == key.Pin && found.Promoted.IsZero() {
			found = r
		}
	}
	if found.ID != "" {
		return found, nil
	}
	m, err := w.opts.Registry.Manifest(ctx, key.Pin, w.platforms())
	if err != nil {
		return Rollout{}, err
	}
	return Rollout{Track: TrackID{Image: key.Image}, Pin: key.Pin, Manifest: m, Phase: Held}, nil
}
