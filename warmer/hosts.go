package warmer

import (
	"context"
	"errors"
	"log/slog"
	"slices"
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
	busy      int // pulls at this moment
	drift     drift
	listening bool          // the engine tells of removals by itself
	inspected time.Time     // when each image was last looked at
	look      chan struct{} // holds one token: "look at everything now"
	life      context.Context
	leave     context.CancelFunc // ends what is done on the host; nil before it was started
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
	version  int // rises with each change, so that an older look can't undo a newer one
}

func newHost(o HostOptions) *host {
	return &host{HostOptions: o, contact: Unknown, since: time.Now(), copies: make(map[registry.Pin]*copyState), look: make(chan struct{}, 1)}
}

func (h *host) copyOf(pin registry.Pin) *copyState {
	c := h.copies[pin]
	if c == nil {
		c = &copyState{}
		h.copies[pin] = c
	}
	return c
}

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

// watchHost probes one host until ctx ends.
func (w *Warmer) watchHost(ctx context.Context, h *host) {
	tick := time.NewTicker(w.opts.ProbeEvery)
	defer tick.Stop()
	for all := true; ; {
		w.probe(ctx, h, all)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			all = false
		case <-h.look:
			all = true
		}
	}
}

// listen asks a host's engine to tell of removals, so that they are seen at
// once and not at the next look.
func (w *Warmer) listen(ctx context.Context, h *host) {
	for ctx.Err() == nil {
		changed := w.Changed() // before the look, so that no change is missed
		again := time.After(w.opts.ProbeEvery)
		if w.listens(h, true) {
			_ = h.Host.Watch(ctx, func() { w.Recheck(h.Name) }) // a hint; the next look comes anyway
			w.listens(h, false)
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

// probe looks at one host: who answers, and what it holds. Where the engine
// tells of removals by itself, the images are looked at less often.
func (w *Warmer) probe(ctx context.Context, h *host, all bool) {
	ctx, cancel := context.WithTimeout(ctx, w.opts.ProbeTimeout)
	defer cancel()
	engine, err := h.Host.Probe(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		return // we are stopping, the host is not to blame
	}
	if err == nil && w.inspectDue(h, engine, all) {
		err = w.inspect(ctx, h)
	}
	w.mu.Lock()
	before, platform := h.contact, h.engine.Platform
	h.contact, h.err = Reachable, err
	if err != nil {
		h.contact = Unreachable
	} else {
		w.meet(h, engine)
	}
	w.markDuplicates()
	contact := h.contact
	if before != contact {
		h.since = time.Now()
		h.forgive()
		w.tell(Event{Kind: HostChanged, Host: h.Name, State: string(contact), Detail: reason(err)})
		w.announce()
	}
	if before != contact || platform != h.engine.Platform {
		w.unsettle(h.Name, registry.Pin{})
	}
	w.mu.Unlock()
	if before != contact {
		w.logContact(h.Name, contact, engine, err)
	}
	w.Kick()
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// inspectDue tells whether each image on a host is to be looked at now.
func (w *Warmer) inspectDue(h *host, engine Engine, all bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	due := all || !h.listening || h.contact != Reachable || h.engine.Marker != engine.Marker || now.Sub(h.inspected) >= w.opts.InspectEvery
	if due {
		h.inspected = now
	}
	return due
}

// forgive ends every backoff: what failed on a host before it went away says
// nothing of it now.
func (h *host) forgive() {
	for _, c := range h.copies {
		if (c.State == Failed || c.Err != nil) && !c.Busy {
			*c = copyState{version: c.version + 1}
		}
	}
}

func (w *Warmer) logContact(name string, contact Contact, engine Engine, err error) {
	if err != nil {
		w.log.Warn("host "+string(contact), "host", name, "error", err)
		return
	}
	level := slog.LevelInfo
	if contact == Duplicate {
		level = slog.LevelError
	}
	w.log.Log(context.Background(), level, "host "+string(contact), "host", name,
		"engine", engine.Version, "api", engine.APIVersion, "store", engine.ImageStore, "platform", engine.Platform)
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

// inspect looks for every pin that matters on the host. A pull that ends
// meanwhile knows better than we do, so what it found stands.
func (w *Warmer) inspect(ctx context.Context, h *host) error {
	for _, look := range w.toInspect(h) {
		found, ok, err := h.Host.Inspect(ctx, look.pin)
		if err != nil {
			return err
		}
		w.mu.Lock()
		if c := h.copyOf(look.pin); c.version == look.version {
			w.observe(h, look.pin, c, found, ok)
		}
		w.mu.Unlock()
	}
	return nil
}

// observe takes over what a look found. The caller holds mu.
func (w *Warmer) observe(h *host, pin registry.Pin, c *copyState, found Copy, ok bool) {
	switch {
	case c.Busy: // the pull knows better
	case ok:
		if c.State == Warm && c.Kept && !found.Kept {
			w.drifted(h, pin, "its keep-tag was removed")
		}
		if c.State != Warm {
			w.announce()
		}
		if c.State != Warm || c.Kept != found.Kept || !slices.Equal(c.Tags, found.Tags) {
			w.unsettle(h.Name, pin)
		}
		c.State, c.Kept, c.Tags, c.Copy = Warm, found.Kept, found.Tags, found
	case c.State == Warm:
		// Somebody removed it. That is no failure of ours: no backoff.
		w.drifted(h, pin, "it was removed")
		*c = copyState{version: c.version + 1}
		w.unsettle(h.Name, pin)
		w.announce()
	}
}

type lookAt struct {
	pin     registry.Pin
	version int
}

// toInspect lists the pins that matter on a host: live ones and, for their
// bytes, superseded ones.
func (w *Warmer) toInspect(h *host) []lookAt {
	w.mu.Lock()
	defer w.mu.Unlock()
	var looks []lookAt
	add := func(pin registry.Pin) {
		looks = append(looks, lookAt{pin: pin, version: h.copyOf(pin).version})
	}
	for t := range w.tracks() {
		if !slices.Contains(t.Hosts, h.Name) {
			continue
		}
		for _, r := range t.rollouts {
			if r.Live() {
				add(r.Pin)
			}
		}
		for _, r := range t.superseded() {
			add(r.Pin)
		}
	}
	return looks
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
