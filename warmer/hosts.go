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
	contact Contact
	err     error     // why it is unreachable
	since   time.Time // when the contact became what it is
	engine  Engine
	copies  map[registry.Pin]*copyState
	look    chan struct{} // holds one token: "probe now"
}

// copyState is one pin on one host.
type copyState struct {
	CopyView
	Copy     Copy
	Progress Progress
	Err      error // why it failed last
	Attempts int   // failures in a row
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

func (h *host) view() HostView {
	v := HostView{
		Contact:   h.contact,
		Platform:  h.engine.Platform,
		FreePulls: h.Pulls,
		Copies:    make(map[registry.Pin]CopyView, len(h.copies)),
	}
	for pin, c := range h.copies {
		v.Copies[pin] = c.CopyView
		if c.Busy {
			v.FreePulls--
		}
	}
	return v
}

// watchHost probes one host until ctx ends.
func (w *Warmer) watchHost(ctx context.Context, h *host) {
	tick := time.NewTicker(w.opts.ProbeEvery)
	defer tick.Stop()
	for {
		w.probe(ctx, h)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-h.look:
		}
	}
}

// probe looks at one host: who answers, and what it holds.
func (w *Warmer) probe(ctx context.Context, h *host) {
	ctx, cancel := context.WithTimeout(ctx, w.opts.ProbeTimeout)
	defer cancel()
	engine, err := h.Host.Probe(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		return // we are stopping, the host is not to blame
	}
	if err == nil {
		err = w.inspect(ctx, h)
	}
	w.mu.Lock()
	before := h.contact
	h.contact, h.err = Reachable, err
	if err != nil {
		h.contact = Unreachable
	} else {
		h.engine = engine
	}
	w.markDuplicates()
	contact := h.contact
	if before != contact {
		h.since = time.Now()
		h.forgive()
		w.announce()
	}
	w.mu.Unlock()
	if before != contact {
		w.logContact(h.Name, contact, engine, err)
	}
	w.Kick()
}

// forgive ends every backoff: what failed on a host before it went away says
// nothing of it now.
func (h *host) forgive() {
	for _, c := range h.copies {
		if c.State == Failed && !c.Busy {
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
		if c.State != Warm {
			w.announce()
		}
		c.State, c.Kept, c.Copy = Warm, found.Kept, found
	case c.State == Warm:
		// Somebody removed it. That is no failure of ours: no backoff.
		w.log.Warn("image went away", "host", h.Name, "pin", pin)
		*c = copyState{version: c.version + 1}
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
	for _, t := range w.tracks {
		if !slices.Contains(t.Hosts, h.Name) {
			continue
		}
		for _, r := range t.rollouts {
			if r.Live() {
				add(r.Pin)
			}
		}
		for _, pin := range t.superseded() {
			add(pin)
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
		select {
		case h.look <- struct{}{}:
		default: // a look is owed already
		}
	}
}
