package warmer

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// Kind is what an Event tells of.
type Kind string

// The kinds. What each tells is in EventKinds.
const (
	RolloutChanged Kind = "rollout"
	PullMoved      Kind = "progress"
	CopyChanged    Kind = "copy"
	HostChanged    Kind = "host"
	PersonActed    Kind = "act"
	PrunePassed    Kind = "prune"
	DiskPressed    Kind = "pressure"
)

// Event is something that happened, for those who look on. Events are kept in
// memory only: whoever needs to know what is so asks for the status.
type Event struct {
	Seq  int64 // 1, 2, 3 …, anew with each start
	At   time.Time
	Kind Kind
	// What of it concerns the event is set.
	Track  TrackID
	Host   string
	Digest registry.Digest
	// State is the phase, the copy's state, the contact or the verb.
	State    string
	Detail   string // why
	Progress Progress
	Rate     float64 // bytes a second
}

// maxEvents bounds how many events are kept: a follower that falls behind by
// more sees a gap in Seq.
const maxEvents = 4096

// events are the newest ones. Warmer.mu guards them.
type events struct {
	ring []Event // oldest first
	seq  int64
	news chan struct{} // closed at the next event; nil while nobody waits
}

// tell adds an event. The caller holds mu.
func (w *Warmer) tell(e Event) {
	w.events.seq++
	e.Seq, e.At = w.events.seq, time.Now()
	if len(w.events.ring) >= maxEvents {
		w.events.ring = append(w.events.ring[:0:0], w.events.ring[maxEvents/2:]...)
	}
	w.events.ring = append(w.events.ring, e)
	if w.events.news != nil {
		close(w.events.news)
		w.events.news = nil
	}
}

// Events gives fn the events after the given one, as far as they are kept, and
// with follow those that come, until ctx ends or fn fails. A number that is from
// before a restart gives all.
func (w *Warmer) Events(ctx context.Context, after int64, follow bool, fn func(Event) error) error {
	for {
		some, news := w.eventsAfter(after)
		for _, e := range some {
			if err := fn(e); err != nil {
				return err
			}
			after = e.Seq
		}
		if len(some) > 0 {
			continue
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		}
	}
}

func (w *Warmer) eventsAfter(after int64) ([]Event, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if after > w.events.seq {
		after = 0
	}
	if w.events.news == nil {
		w.events.news = make(chan struct{})
	}
	first := w.events.seq - int64(len(w.events.ring)) // the number before the oldest
	skip := max(0, after-first)
	return append([]Event(nil), w.events.ring[skip:]...), w.events.news
}

func (w *Warmer) tellRollout(r Rollout) {
	w.tell(Event{Kind: RolloutChanged, Track: r.Track, Digest: r.Pin.Digest(), State: string(r.Phase)})
}

func (w *Warmer) tellCopy(h *host, pin registry.Pin, state, detail string) {
	w.tell(Event{Kind: CopyChanged, Host: h.Name, Digest: pin.Digest(), State: state, Detail: detail})
	h.remember(pin, state, detail)
}

// tellEvery is how often a pull's progress is told.
const tellEvery = time.Second

// tellProgress tells how far a pull is. The caller holds mu.
func (w *Warmer) tellProgress(h *host, pin registry.Pin, c *copyState) {
	if c.Progress.At.Sub(c.told) < tellEvery {
		return
	}
	c.told = c.Progress.At
	w.tell(Event{Kind: PullMoved, Host: h.Name, Digest: pin.Digest(), State: string(StatePulling), Progress: c.Progress, Rate: c.meter.rate})
}
