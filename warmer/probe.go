package warmer

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// probe looks at one host: who answers, and what it holds. Where the engine
// tells of removals by itself, the images are looked at less often. Only the
// first question has to be answered in time: a host may hold hundreds of images.
// It tells whether the host is reachable.
func (w *Warmer) probe(ctx context.Context, h *host, all bool) (reachable bool) {
	short, cancel := context.WithTimeout(ctx, w.opts.ProbeTimeout)
	engine, err := h.Host.Probe(short)
	cancel()
	if err == nil && w.inspectDue(h, engine, all) {
		err = w.inspect(ctx, h, all)
	}
	if ctx.Err() != nil {
		return true // we are stopping, the host is not to blame
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before, platform := w.contacts(), h.engine.Platform
	h.contact, h.err = Reachable, err
	if err != nil {
		h.contact = Unreachable
	} else {
		w.meet(h, engine)
	}
	w.contacted(before)
	if platform != h.engine.Platform {
		w.unsettle(h.Name, registry.Pin{})
		w.Kick()
	}
	return err == nil
}

// sparse is how many looks at the images of a host pass before those are looked
// at, too, that nobody wants and that are only shown.
const sparse = 10

// inspectDue tells whether each image on a host is to be looked at now.
func (w *Warmer) inspectDue(h *host, engine Engine, all bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	due := all || !h.listening || h.contact != Reachable || h.engine.Marker != engine.Marker || now.Sub(h.inspected) >= w.opts.InspectEvery
	if due {
		h.inspected = now
		h.looks++
	}
	return due
}

// inspectors is how many images of a host are looked at at once.
const inspectors = 4

// inspect looks for every pin that matters on the host. It fails where the host
// does not answer; an image that can't be looked at stays what it was.
func (w *Warmer) inspect(ctx context.Context, h *host, all bool) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inspectors)
	for _, look := range w.toInspect(h, all) {
		group.Go(func() error {
			found, ok, err := h.Host.Inspect(ctx, look.pin)
			switch {
			case problem.CodeOf(err) == problem.HostUnreachable:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				w.log.Warn("image not looked at", "host", h.Name, "pin", look.pin, "error", err)
				return nil
			}
			w.found(h, look, found, ok)
			return nil
		})
	}
	return group.Wait()
}

// found takes over what a look found, unless a pull that ended meanwhile knows
// better.
func (w *Warmer) found(h *host, look lookAt, found Copy, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := h.copyOf(look.pin); c.version == look.version {
		w.observe(h, look.pin, c, found, ok)
		c.looked = true
	}
}

// observe takes over what a look found. The caller holds mu.
func (w *Warmer) observe(h *host, pin registry.Pin, c *copyState, found Copy, ok bool) {
	switch {
	case c.Busy: // the pull knows better
	case ok:
		lost := c.State == Warm && c.Kept && !found.Kept
		if lost {
			w.drifted(h, pin, "its keep-tag was removed")
		}
		if lost || c.State != Warm {
			c.recovered() // what failed before has another cause
		}
		w.isWarm(h, pin)
		changed := c.State != Warm || c.Kept != found.Kept || !slices.Equal(c.Tags, found.Tags)
		if c.GivenUp {
			c.GivenUp = false
			h.takenBack = append(h.takenBack, pin)
		}
		c.State, c.Kept, c.Tags, c.Copy = Warm, found.Kept, found.Tags, found
		if changed {
			w.stir(h, pin)
		}
	case c.State == Warm:
		// Somebody removed it. That is no failure of ours: no backoff.
		if w.wants(h, pin) {
			w.drifted(h, pin, "it was removed")
		}
		*c = copyState{version: c.version + 1}
		w.stir(h, pin)
	}
}

// wants tells whether a host is to hold a pin. The caller holds mu.
func (w *Warmer) wants(h *host, pin registry.Pin) bool {
	is := func(r Rollout) bool { return r.Pin == pin }
	for t := range w.tracks() {
		if !slices.Contains(t.Hosts, h.Name) || !t.has(pin) {
			continue
		}
		s := t.state()
		if s.Current != nil && is(*s.Current) || slices.ContainsFunc(s.Coming, is) || slices.ContainsFunc(s.Kept, is) {
			return true
		}
	}
	for key, s := range w.sought {
		if key.Pin == pin && s.held && w.meantFor(key.Image, h.Name) {
			return true
		}
	}
	return false
}

// meantFor tells whether an image is for a host. The caller holds mu.
func (w *Warmer) meantFor(image, host string) bool {
	e := w.entryOf(image)
	return e != nil && slices.Contains(e.Hosts, host)
}

// doubt takes a copy that could not be looked at for absent, until the host is
// looked at as a whole.
func (w *Warmer) doubt(h *host, look lookAt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := h.copyOf(look.pin); c.version == look.version && !c.Busy {
		*c = copyState{CopyView: CopyView{GivenUp: c.GivenUp}, version: c.version + 1}
		w.stir(h, look.pin)
	}
	h.recheck()
}

type lookAt struct {
	pin     registry.Pin
	version int
}

// toInspect lists the pins that matter on a host: those that it is to hold or
// that somebody asked for and, now and then or where all are asked for, other
// superseded ones and whatever else was warm. It forgets the copies that nothing
// tells of any more.
func (w *Warmer) toInspect(h *host, all bool) []lookAt {
	w.mu.Lock()
	defer w.mu.Unlock()
	wanted, known := make(map[registry.Pin]bool), make(map[registry.Pin]bool)
	for t := range w.tracks() {
		for _, r := range t.rollouts {
			known[r.Pin] = true
		}
		if !slices.Contains(t.Hosts, h.Name) {
			continue
		}
		for _, r := range t.rollouts {
			if r.Live() {
				wanted[r.Pin] = true
			}
		}
		for i, r := range t.superseded() {
			if i < t.Policy.Keep || all || h.looks%sparse == 0 {
				wanted[r.Pin] = true
			}
		}
	}
	for key := range w.sought {
		known[key.Pin] = true
		if w.meantFor(key.Image, h.Name) {
			wanted[key.Pin] = true
		}
	}
	for pin, c := range h.copies {
		switch {
		case c.Busy:
		case !known[pin]:
			delete(h.copies, pin)
			delete(h.past, pin)
		case c.State == Warm && (all || h.looks%sparse == 0):
			wanted[pin] = true // held, say: it is not to go live where it only was
		}
	}
	looks := make([]lookAt, 0, len(wanted))
	for pin := range wanted {
		looks = append(looks, lookAt{pin: pin, version: h.copyOf(pin).version})
	}
	return looks
}

// reinspectLimit bounds a look at where a digest is now.
const reinspectLimit = 5 * time.Second

// reinspect looks for a digest on the hosts of its track that can be reached.
// One that was superseded is looked at seldom, and is not to go live again where
// it only was. What can't be looked at is not taken for warm.
func (w *Warmer) reinspect(ctx context.Context, id TrackID, pin registry.Pin) {
	w.mu.Lock()
	t := w.trackOf(id)
	if t == nil {
		w.mu.Unlock()
		return // a reload took it away
	}
	hosts := t.Hosts
	w.mu.Unlock()
	w.inspectOn(ctx, hosts, pin)
}

// inspectOn looks for a digest on hosts now, as far as they can be reached.
func (w *Warmer) inspectOn(ctx context.Context, hosts []string, pin registry.Pin) {
	ctx, cancel := context.WithTimeout(ctx, reinspectLimit)
	defer cancel()
	var looks sync.WaitGroup
	defer looks.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range hosts {
		h := w.hosts[name]
		if h == nil || h.contact != Reachable {
			continue
		}
		look := lookAt{pin: pin, version: h.copyOf(pin).version}
		looks.Go(func() {
			found, ok, err := h.Host.Inspect(ctx, pin)
			if err != nil {
				w.doubt(h, look)
				return
			}
			w.found(h, look, found, ok)
		})
	}
}
