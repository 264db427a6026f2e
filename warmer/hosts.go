package warmer

import (
	"context"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/prewarm/prewarm/registry"
)

// host is a host of the fleet with what is known of it. Warmer.mu guards it.
type host struct {
	HostOptions
	contact   Contact
	err       error     // why it is unreachable
	since     time.Time // when the contact became what it is
	engine    Engine
	copies    map[registry.Pin]*copyState
	past      map[registry.Pin][]LogEntry // what became of copies in this life, oldest first
	busy      int                         // pulls at this moment
	drift     drift
	listening bool          // the engine tells of removals by itself
	inspected time.Time     // when each image was last looked at
	looks     int           // how often that was
	look      chan struct{} // holds one token: "look at everything now"
	pruning
	life  context.Context
	leave context.CancelFunc // ends what is done on the host; nil before it was started
}

// copyState is one pin on one host.
type copyState struct {
	CopyView
	Copy     Copy
	Progress Progress
	meter    meter
	told     time.Time // when its progress was last told
	Err      error     // why it failed last
	Attempts int       // failures in a row
	backoff  *backoff.ExponentialBackOff
	looked   bool  // for it on the host, since it was forgotten last
	leaving  bool  // a prune pass removes it at this moment
	need     int64 // what the pull under way takes of the disk at its peak
	version  int   // rises with each change, so that an older look can't undo a newer one
}

func newHost(o HostOptions) *host {
	return &host{
		HostOptions: o, contact: Unknown, since: time.Now(), copies: make(map[registry.Pin]*copyState),
		past: make(map[registry.Pin][]LogEntry), look: make(chan struct{}, 1), pruning: newPruning(),
	}
}

func (h *host) copyOf(pin registry.Pin) *copyState {
	c := h.copies[pin]
	if c == nil {
		c = &copyState{}
		h.copies[pin] = c
	}
	return c
}

// seen tells whether the host was looked at for the copy.
func (c *copyState) seen() bool { return c != nil && c.looked }

// view is the host as Plan sees it, with the copies that it asks about.
func (h *host) view(pins map[registry.Pin]bool) HostView {
	v := HostView{
		Contact:   h.contact,
		Platform:  h.engine.Platform,
		FreePulls: h.Pulls - h.busy,
		Copies:    make(map[registry.Pin]CopyView, len(pins)),
	}
	for pin := range pins {
		if c := h.copies[pin]; c != nil {
			seen := c.CopyView
			seen.Moved = c.Progress.At
			v.Copies[pin] = seen
		}
	}
	return v
}

// startHost begins to watch a host. The caller holds mu.
func (w *Warmer) startHost(h *host) {
	h.life, h.leave = context.WithCancel(w.life)
	w.started.Go(func() { w.watchHost(h.life, h) })
	w.started.Go(func() { w.listen(h.life, h) })
}

// againAfter is how long after a host went away it is probed again; then after
// twice as long, up to the usual interval: most are back in a moment.
const againAfter = time.Second

// watchHost probes one host until ctx ends.
func (w *Warmer) watchHost(ctx context.Context, h *host) {
	var absent time.Duration
	row := 0 // looks that somebody asked for, with no other between
	for all := true; ; {
		wait, begun := w.opts.ProbeEvery, time.Now()
		if w.probe(ctx, h, all) {
			absent = 0
			w.startTending(ctx, h)
		} else {
			absent = min(max(2*absent, againAfter), wait)
			wait = absent
		}
		looked := time.Now()
		rest := min(max(idle*looked.Sub(begun), lookGap), wait)
		next := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			next.Stop()
			return
		case <-next.C:
			all, row = false, 0
		case <-h.look:
			all = true
			if row++; row > burst {
				pause(ctx, rest-time.Since(looked))
			}
		}
		next.Stop()
	}
}

// An engine can tell of removals without end (builds, or malice): after a burst of
// looks for them they have lookGap between them at least, and idle times as long as
// the last one took.
const (
	burst   = 10
	lookGap = 200 * time.Millisecond
	idle    = 4
)

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// listen asks a host's engine to tell of removals, so that they are seen at
// once and not at the next look.
func (w *Warmer) listen(ctx context.Context, h *host) {
	for ctx.Err() == nil {
		changed := w.Changed() // before the look, so that no change is missed
		again := time.After(w.opts.ProbeEvery)
		if w.listens(h, true) {
			_ = h.Host.Watch(ctx, func(news Happening) { w.heard(h, news) }) // a hint; the next look comes anyway
			w.listens(h, false)
			w.Recheck(h.Name) // the engine may be gone
			changed = nil
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-again:
		}
	}
}

// listens notes whether a host's engine is asked for events, which needs a host
// that is reachable. What happened before is looked for.
func (w *Warmer) listens(h *host, asked bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	h.listening = asked && h.contact == Reachable
	if h.listening {
		h.recheck()
	}
	return h.listening
}

// contacts are what is known of reaching each host.
func (w *Warmer) contacts() map[*host]Contact {
	all := make(map[*host]Contact, len(w.hosts))
	for _, h := range w.hosts {
		all[h] = h.contact
	}
	return all
}

// contacted takes over that contacts are not what they were: of a host that was
// probed, and of others that share an engine with it or no longer do. The caller
// holds mu.
func (w *Warmer) contacted(before map[*host]Contact) {
	w.markDuplicates()
	for _, h := range w.hosts {
		was, known := before[h]
		if was == h.contact || !known && h.contact == Unknown {
			continue
		}
		h.since = time.Now()
		for pin := range h.copies {
			h.forgive(pin)
		}
		w.tell(Event{Kind: HostChanged, Host: h.Name, State: string(h.contact), Detail: reason(h.err)})
		w.logContact(h)
		w.unsettle(h.Name, registry.Pin{})
		w.announce()
		w.Kick()
	}
}

// forgive ends the backoff of a copy: what failed on a host before it went away,
// or before somebody asked again, says nothing of it now. What is warm stays so.
func (h *host) forgive(pin registry.Pin) {
	c := h.copies[pin]
	switch {
	case c == nil || c.Busy:
	case c.State == Warm:
		c.recovered()
	case c.State == Failed:
		*c = copyState{CopyView: CopyView{GivenUp: c.GivenUp}, version: c.version + 1}
	}
}

// recovered forgets the failures of a copy.
func (c *copyState) recovered() {
	c.Err, c.Attempts, c.backoff, c.Gone = nil, 0, nil, false
	c.FailedSince, c.NextTry, c.NextPublish = time.Time{}, time.Time{}, time.Time{}
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (w *Warmer) logContact(h *host) {
	if h.err != nil {
		w.log.Warn("host "+string(h.contact), "host", h.Name, "error", h.err)
		return
	}
	level := slog.LevelInfo
	if h.contact == Duplicate {
		level = slog.LevelError
	}
	w.log.Log(context.Background(), level, "host "+string(h.contact), "host", h.Name,
		"engine", h.engine.Version, "api", h.engine.APIVersion, "store", h.engine.ImageStore, "platform", h.engine.Platform)
}

// markDuplicates refuses entries that turned out to reach one engine: counting
// it twice would break every limit. The caller holds mu.
func (w *Warmer) markDuplicates() {
	seen := make(map[string][]*host)
	for _, h := range w.hosts {
		if h.contact == Duplicate {
			h.contact = Reachable
		}
		if h.contact == Reachable && h.engine.Marker != "" {
			seen[h.engine.Marker] = append(seen[h.engine.Marker], h)
		}
	}
	for _, same := range seen {
		if len(same) < 2 {
			continue
		}
		for _, h := range same {
			h.contact = Duplicate
		}
	}
}

// Recheck asks for a look at a host now, because somebody saw that it lost an
// image.
func (w *Warmer) Recheck(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.hosts[name]; h != nil {
		h.recheck()
	}
}

func (h *host) recheck() {
	select {
	case h.look <- struct{}{}:
	default: // a look is owed already
	}
}
