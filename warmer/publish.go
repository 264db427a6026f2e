package warmer

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// startPublish lets a tag mean a pin on a host, in a goroutine of its own.
func (w *Warmer) startPublish(p Publish) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hosts[p.Host]
	if h == nil || h.life == nil {
		return
	}
	if !w.isCurrent(p.Pin) {
		return // its promotion could not be written down
	}
	c := h.copyOf(p.Pin)
	c.begin()
	w.started.Go(func() {
		ctx, cancel := context.WithTimeout(h.life, w.opts.ProbeTimeout)
		defer cancel()
		err := h.Host.Publish(ctx, p.Pin, p.Tag)
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil {
			c.version++
			c.Busy, c.NextPublish = false, time.Now().Add(publishAgain)
			w.log.Warn("tag not moved on the host", "host", h.Name, "pin", p.Pin, "tag", p.Tag, "next_try", c.NextPublish, "error", err)
			w.stir(h, p.Pin)
			return
		}
		h.published(p.Pin, p.Tag)
		w.log.Info("tag moved on the host", "host", h.Name, "pin", p.Pin, "tag", p.Tag)
		w.stir(h, p.Pin)
	})
}

// publishAgain is how long after a tag could not be moved it is tried again.
const publishAgain = time.Minute

// isCurrent tells whether a pin is the current one of a track. The caller holds
// mu.
func (w *Warmer) isCurrent(pin registry.Pin) bool {
	for t := range w.tracks() {
		if r := t.current(); r != nil && r.Pin == pin {
			return true
		}
	}
	return false
}

// published notes that a tag means a pin now, and no other of its repository.
func (h *host) published(pin registry.Pin, tag string) {
	for other, c := range h.copies {
		if other.Repository() != pin.Repository() {
			continue
		}
		c.Tags = without(c.Tags, tag)
	}
	c := h.copyOf(pin)
	*c = copyState{CopyView: CopyView{State: Warm, Kept: c.Kept, Tags: append(c.Tags, tag)}, Copy: c.Copy, version: c.version + 1}
}

func without(tags []string, tag string) []string {
	var kept []string
	for _, t := range tags {
		if t != tag {
			kept = append(kept, t)
		}
	}
	return kept
}
