package warmer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/registry"
)

// Checked is what a look at one tag found.
type Checked struct {
	Track TrackID
	Pin   registry.Pin
	// New tells that the digest was not the one that the tag showed before.
	New bool
}

// Check looks at the tags of an image now, because somebody asked. A tag that
// shows a new digest gets a rollout, written down before Check returns. A
// registry that is down, denies or says "not found" changes nothing: what is
// current stays so.
func (w *Warmer) Check(ctx context.Context, image string) ([]Checked, error) {
	all, err := w.check(ctx, image, true)
	w.opts.Measures.Looked(image, LookAsked, err)
	return all, err
}

// Look is a scheduled Check: it lists the tags of a selection now and then
// only.
func (w *Warmer) Look(ctx context.Context, image string) ([]Checked, error) {
	w.mu.Lock()
	list := true
	if e := w.entryOf(image); e != nil {
		list = e.looks%listEvery == 0 || len(e.chosen) == 0 || e.list.err != nil || time.Since(e.list.at) >= listAfter
		e.looks++
	}
	w.mu.Unlock()
	all, err := w.check(ctx, image, list)
	w.opts.Measures.Looked(image, LookScheduled, err)
	return all, err
}

func (w *Warmer) check(ctx context.Context, image string, list bool) ([]Checked, error) {
	e, err := w.entry(image)
	if err != nil {
		return nil, err
	}
	var chosen error
	if list && !e.Select.IsZero() {
		// The tags that were chosen before are looked at nevertheless.
		chosen = w.choose(ctx, e)
	}
	return w.checkTracks(ctx, w.tracked(image), chosen)
}

// checkTracks looks at tracks one after the other, whatever becomes of some, and
// whatever failed before.
func (w *Warmer) checkTracks(ctx context.Context, tracks []Track, before error) ([]Checked, error) {
	var all []Checked
	errs := []error{before}
	for _, t := range tracks {
		c, err := w.checkTrack(ctx, t)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, c)
	}
	return all, errors.Join(errs...)
}

// entry finds the entry of an image.
func (w *Warmer) entry(image string) (Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.entryOf(image); e != nil {
		return e.Entry, nil
	}
	return Entry{}, w.notManaged(image)
}

// tracked gives the tracks of an image whose tags are looked at.
func (w *Warmer) tracked(image string) []Track {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Track
	if e := w.entryOf(image); e != nil {
		for _, t := range e.tracks {
			if !t.leaving {
				all = append(all, t.Track)
			}
		}
	}
	return all
}

func (w *Warmer) checkTrack(ctx context.Context, t Track) (Checked, error) {
	found, err := w.resolve(ctx, t)
	w.watchQuota(t.Repository.Host())
	if err != nil {
		w.noteCheck(t.ID, err)
		return Checked{}, err
	}
	isNew, err := w.sighted(ctx, t, found)
	w.noteCheck(t.ID, err)
	if err != nil {
		return Checked{}, err
	}
	return Checked{Track: t.ID, Pin: found, New: isNew}, nil
}

// resolve tells what the track points at.
func (w *Warmer) resolve(ctx context.Context, t Track) (registry.Pin, error) {
	if t.ID.Tag == "" {
		return registry.NewPin(t.Repository, t.Digest), nil
	}
	ref, err := registry.NewRef(t.Repository, t.ID.Tag)
	if err != nil {
		return registry.Pin{}, err
	}
	return w.opts.Registry.Resolve(ctx, ref)
}

// sighted makes a rollout of a digest that the tag did not show before.
func (w *Warmer) sighted(ctx context.Context, t Track, pin registry.Pin) (bool, error) {
	if w.isShown(t.ID, pin) {
		return false, nil
	}
	manifest, known, err := w.manifest(ctx, t.ID, pin)
	if err != nil {
		return false, err
	}
	if known {
		w.reinspect(ctx, t.ID, pin)
	}
	w.deciding.Lock()
	defer w.deciding.Unlock()
	if w.isShown(t.ID, pin) {
		return false, nil // another look was quicker
	}
	if !w.stillIn(t) {
		return false, w.removed(t.ID.Image)
	}
	r, err := w.newRollout(t.ID, pin, manifest)
	if err != nil {
		return false, err
	}
	// A caller that leaves just now must not leave a rollout that only the disk
	// knows.
	if err := w.opts.Store.Save(context.WithoutCancel(ctx), Change{Rollouts: []Rollout{r}}); err != nil {
		return false, fmt.Errorf("save the rollout of %s: %w", pin, err)
	}
	w.apply([]Rollout{r})
	w.log.Info("new digest seen", "image", t.ID.String(), "digest", pin.Digest(), "phase", r.Phase)
	w.Kick()
	return true, nil
}

// stillIn tells whether a track is looked for in the same repository as when its
// tag was asked for.
func (w *Warmer) stillIn(asked Track) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.trackOf(asked.ID)
	return t != nil && t.Repository == asked.Repository
}

// newRollout makes the rollout of a sighting: held where its policy does not
// trust it yet.
func (w *Warmer) newRollout(id TrackID, pin registry.Pin, manifest registry.Manifest) (Rollout, error) {
	name, err := uuid.NewV7()
	if err != nil {
		return Rollout{}, fmt.Errorf("make a rollout id: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.trackOf(id)
	if t == nil {
		return Rollout{}, w.removed(id.Image)
	}
	r := Rollout{ID: name.String(), Track: id, Pin: pin, Manifest: manifest, Phase: Warming, Seen: time.Now()}
	r.Trust.Rejected = len(t.rejected(pin)) > 0
	if len(r.Holds(t.Policy, r.Seen)) > 0 {
		r.Phase = Held
	}
	return r, nil
}

// manifest gives what a pin holds, from memory where the track had it before.
func (w *Warmer) manifest(ctx context.Context, id TrackID, pin registry.Pin) (m registry.Manifest, known bool, err error) {
	w.awaitFirstProbes(ctx)
	if r, ok := w.rolloutOf(id, pin); ok {
		return r.Manifest, true, nil
	}
	m, err = w.opts.Registry.Manifest(ctx, pin, w.platforms())
	return m, false, err
}

// rolloutOf gives a rollout of a digest that a track had before.
func (w *Warmer) rolloutOf(id TrackID, pin registry.Pin) (Rollout, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.trackOf(id); t != nil {
		return t.known(pin)
	}
	return Rollout{}, false
}

func (w *Warmer) isShown(id TrackID, pin registry.Pin) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.trackOf(id)
	if t == nil {
		return false
	}
	shown, ok := t.shown()
	return ok && shown.Pin == pin
}

func (w *Warmer) noteCheck(id TrackID, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.trackOf(id)
	if t == nil {
		return
	}
	t.check = check{at: time.Now(), err: err}
}

// firstProbes is how long a first look at a tag waits for the hosts' first
// probes: they tell which platforms to read sizes for, which is a comfort.
const firstProbes = 3 * time.Second

func (w *Warmer) awaitFirstProbes(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, firstProbes)
	defer cancel()
	for {
		changed := w.Changed()
		if w.allProbed() {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

func (w *Warmer) allProbed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.hosts {
		if h.contact == Unknown {
			return false
		}
	}
	return true
}

// platforms lists the platforms present in the fleet, as far as they are known.
func (w *Warmer) platforms() []registry.Platform {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []registry.Platform
	for _, h := range w.hosts {
		if p := h.engine.Platform; !p.IsZero() && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}
