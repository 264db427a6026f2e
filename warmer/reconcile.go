package warmer

import (
	"context"
	"fmt"
	"maps"
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
	needs := w.opts.Needs()
	desired, observed := w.look(now, needs)
	actions := Plan(desired, observed)
	if err := w.decide(ctx, now, actions); err != nil {
		if ctx.Err() == nil {
			w.log.Error("rollouts not written down, nothing promoted; next try in a second", "error", err)
		}
		return time.Second
	}
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
	w.settle(desired, observed, actions)
	return w.nextDue(now)
}

// look copies what Plan needs, of the tracks that may need something.
func (w *Warmer) look(now time.Time, needs Needs) (Desired, Observed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := Desired{Registries: w.setup.Registries, Pulls: w.setup.Pulls}
	pins, needed := make(map[registry.Pin]bool), make(map[registry.Pin]bool)
	maps.Copy(needed, needs.Pins)
	for t := range w.tracks() {
		if t.settled {
			continue
		}
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
	needs.Pins = needed
	o := Observed{
		Now: now, Hosts: make(map[string]HostView, len(w.hosts)),
		Pulling: make(map[string]int, len(w.pulling)), Paused: w.isPaused(Pulling, ""), Needs: needs,
	}
	for name, h := range w.hosts {
		v := h.view(pins)
		v.Paused = w.isPaused(Pulling, name)
		o.Hosts[name] = v
	}
	for host, n := range w.pulling {
		o.Pulling[host] = n
	}
	return d, o
}

// decide writes down promotions and ended rollouts, on disk first.
func (w *Warmer) decide(ctx context.Context, now time.Time, actions []Action) error {
	var decided []Rollout
	var retired []TrackID
	for _, a := range actions {
		switch a := a.(type) {
		case Admit:
			a.Rollout.Phase = Warming
			decided = append(decided, a.Rollout)
		case Promote:
			decided = append(decided, w.replaced(a.Rollout, now)...)
			a.Rollout.Phase, a.Rollout.Promoted = Current, now
			decided = append(decided, a.Rollout)
		case Overtake:
			a.Rollout.Phase, a.Rollout.Ended = Overtaken, now
			decided = append(decided, a.Rollout)
		case Retire:
			decided = append(decided, w.ended(a.Track, now)...)
			retired = append(retired, a.Track)
		}
	}
	engines := w.newEngines()
	if len(decided)+len(retired)+len(engines) == 0 {
		return nil
	}
	if err := w.opts.Store.Save(ctx, Change{Rollouts: decided, Engines: engines}); err != nil {
		return fmt.Errorf("save %d rollouts: %w", len(decided), err)
	}
	w.wroteEngines(engines)
	if len(decided)+len(retired) == 0 {
		return nil
	}
	w.apply(decided)
	w.retire(retired)
	for _, r := range decided {
		w.log.Info("rollout "+string(r.Phase), "image", r.Track.String(), "digest", r.Pin.Digest(), "since_seen", now.Sub(r.Seen).Round(time.Millisecond))
	}
	w.Kick() // who took whose place matters to other tracks
	return nil
}

// replaced gives the present current rollout of a track, ended by another.
func (w *Warmer) replaced(by Rollout, now time.Time) []Rollout {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.trackOf(by.Track)
	if t == nil || t.current() == nil {
		return nil
	}
	old := *t.current()
	old.Phase, old.Ended = Superseded, now
	if by.Trust.Leaves == old.Pin.Digest() {
		old.Phase = Rejected
	}
	return []Rollout{old}
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
			t.put(r)
		}
		w.tellRollout(r)
	}
	w.announce()
}
