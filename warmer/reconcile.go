package warmer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// Kick asks for another look at the whole. It never blocks.
func (w *Warmer) Kick() {
	select {
	case w.kick <- struct{}{}:
	default: // a look is owed already
	}
}

// maxIdle bounds the time between two looks when nothing is due: everything
// that matters kicks, so this only limits the cost of a kick that was missed.
const maxIdle = time.Minute

// reconcile takes one look and carries out what Plan says. It returns how long
// nothing more is due.
func (w *Warmer) reconcile(ctx context.Context) time.Duration {
	w.deciding.Lock()
	defer w.deciding.Unlock()

	now := time.Now()
	defer func() { w.opts.Measures.Reconciled(time.Since(now)) }()
	w.watchHosts(now)
	needs := w.opts.Needs()
	w.hold(now, needs.Held)
	desired, observed := w.look(now, needs)
	actions := Plan(desired, observed)
	err := w.decide(ctx, now, actions)
	for _, a := range actions {
		switch a := a.(type) {
		case Pull:
			w.startPull(a)
		case Publish:
			w.startPublish(a)
		case Verify:
			w.startVerify(a)
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			w.log.Error("rollouts not written down, and not promoted; next try in a second", "error", err)
		}
		return time.Second
	}
	w.settle(desired, observed)
	return w.nextDue(now)
}

// look copies what Plan needs, of the tracks that may need something.
func (w *Warmer) look(now time.Time, needs Needs) (Desired, Observed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := Desired{Registries: w.setup.Registries, Pulls: w.setup.Pulls, Pinned: w.pinned(now)}
	pins, needed := make(map[registry.Pin]bool), make(map[registry.Pin]bool)
	maps.Copy(needed, needs.Pins)
	for t := range w.tracks() {
		if t.settled && (t.wake.IsZero() || now.Before(t.wake)) && !t.needed(needs.Pins) {
			continue
		}
		t.settled = false
		s := t.state()
		s.Replaced = t.leaving && t.entry.replaced()
		d.Tracks = append(d.Tracks, s)
		for _, r := range t.rollouts {
			pins[r.Pin] = true
		}
		if !t.asked.IsZero() {
			needed[t.asked] = true
		}
	}
	for _, p := range d.Pinned {
		pins[p.Rollout.Pin] = true
	}
	needs.Pins = needed
	o := Observed{
		Now: now, Hosts: make(map[string]HostView, len(w.hosts)),
		Pulling: make(map[string]int, len(w.pulling)), Paused: w.isPaused(Pulling, ""), Needs: needs,
	}
	for name, h := range w.hosts {
		v := h.view(pins)
		v.Paused, v.Drained = w.isPaused(Pulling, name), w.isPaused(Placing, name)
		o.Hosts[name] = v
	}
	maps.Copy(o.Pulling, w.pulling)
	o.Closed = maps.Clone(w.closed)
	return d, o
}

// needed tells whether a run waits for one of the track's digests.
func (t *track) needed(pins map[registry.Pin]bool) bool {
	return len(pins) > 0 && slices.ContainsFunc(t.rollouts, func(r Rollout) bool { return pins[r.Pin] })
}

// decide writes down promotions and ended rollouts, on disk first, and what is owed
// beside them. Where they
// can't be written together each track's are written alone, so that one that is
// refused holds up no other.
func (w *Warmer) decide(ctx context.Context, now time.Time, actions []Action) error {
	verdicts, owed := w.decisions(now, actions), w.owed()
	if len(verdicts) == 0 && owed.none() {
		return nil
	}
	err := w.record(ctx, now, owed, verdicts...)
	if err == nil || len(verdicts) < 2 || ctx.Err() != nil {
		return err
	}
	errs := []error{w.record(ctx, now, owed)}
	for _, v := range verdicts {
		errs = append(errs, w.record(ctx, now, Change{}, v))
	}
	return errors.Join(errs...)
}

// decision is what becomes of one track.
type decision struct {
	track    TrackID
	rollouts []Rollout
	retired  bool
}

func (w *Warmer) decisions(now time.Time, actions []Action) []*decision {
	var all []*decision
	of := func(id TrackID) *decision {
		for _, d := range all {
			if d.track == id {
				return d
			}
		}
		all = append(all, &decision{track: id})
		return all[len(all)-1]
	}
	for _, a := range actions {
		switch a := a.(type) {
		case Admit:
			d := of(a.Rollout.Track)
			a.Rollout.Phase = Warming
			d.rollouts = append(d.rollouts, a.Rollout)
		case Promote:
			d := of(a.Rollout.Track)
			d.rollouts = append(d.rollouts, w.replaced(a.Rollout, now)...)
			a.Rollout.Phase, a.Rollout.Promoted = Current, now
			d.rollouts = append(d.rollouts, a.Rollout)
		case Overtake:
			d := of(a.Rollout.Track)
			a.Rollout.Phase, a.Rollout.Ended = Overtaken, now
			d.rollouts = append(d.rollouts, a.Rollout)
		case Retire:
			d := of(a.Track)
			d.rollouts, d.retired = append(d.rollouts, w.ended(a.Track, now)...), true
		}
	}
	return all
}

// record writes decisions down, together and with what is owed, and takes them over.
func (w *Warmer) record(ctx context.Context, now time.Time, owed Change, decisions ...*decision) error {
	var rollouts []Rollout
	var retired []TrackID
	for _, d := range decisions {
		rollouts = append(rollouts, d.rollouts...)
		if d.retired {
			retired = append(retired, d.track)
		}
	}
	change := owed
	change.Rollouts, change.Notices = rollouts, slices.Concat(owed.Notices, w.promotions(rollouts))
	if err := w.opts.Store.Save(ctx, change); err != nil {
		return fmt.Errorf("save %d rollouts: %w", len(rollouts), err)
	}
	w.wrote(owed)
	if len(decisions) == 0 {
		return nil
	}
	w.apply(rollouts)
	w.retire(retired)
	for _, r := range rollouts {
		w.log.Info("rollout "+string(r.Phase), "image", r.Track.String(), "digest", r.Pin.Digest(), "since_seen", now.Sub(r.Seen).Round(time.Millisecond))
	}
	w.Kick() // who took whose place matters to other tracks
	return nil
}

// replaced gives what a promotion ends or holds back: the present current
// rollout of the track, which is rejected where somebody goes back from it, and
// then the other open ones of its digest, too.
func (w *Warmer) replaced(by Rollout, now time.Time) []Rollout {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.trackOf(by.Track)
	if t == nil || t.current() == nil {
		return nil
	}
	old := *t.current()
	old.Phase, old.Ended = Superseded, now
	if !slices.ContainsFunc(t.rollouts, func(r Rollout) bool { return r.Open() && r.Trust.Leaves == old.Pin.Digest() }) {
		return []Rollout{old}
	}
	old.Phase = Rejected
	return append(t.distrusted(old.Pin, by.ID), old)
}

// ended gives the open rollouts of a track that ends.
func (w *Warmer) ended(id TrackID, now time.Time) []Rollout {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.trackOf(id)
	if t == nil {
		return nil
	}
	var all []Rollout
	for _, r := range t.rollouts {
		if !r.Open() {
			continue
		}
		r.Ended = now
		if r.Phase == Current {
			r.Phase = Superseded
		} else {
			r.Phase = Overtaken
		}
		all = append(all, r)
	}
	return all
}

// retire takes tracks away.
func (w *Warmer) retire(ids []TrackID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		if e := w.entryOf(id.Image); e != nil {
			e.drop(id)
		}
	}
	if len(ids) > 0 {
		w.announce()
	}
}

func (e *entry) drop(id TrackID) {
	kept := e.tracks[:0:0]
	for _, t := range e.tracks {
		if t.ID != id || !t.leaving {
			kept = append(kept, t)
		}
	}
	e.tracks = kept
}

// apply puts written rollouts into memory.
func (w *Warmer) apply(rollouts []Rollout) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range rollouts {
		if t := w.trackOf(r.Track); t != nil {
			if t.promotes(r) && r.Origin == FromTag {
				w.opts.Measures.Promoted(r.Track.Image, r.Promoted.Sub(r.Seen))
			}
			t.put(r)
		}
		w.unwanted(r)
		w.tellRollout(r)
	}
	w.announce()
}
