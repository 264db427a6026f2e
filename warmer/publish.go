package warmer

import (
	"context"
	"slices"
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
	t := w.trackOf(p.Track)
	if t == nil || t.current() == nil || t.current().Pin != p.Pin {
		return // its promotion could not be written down
	}
	tag := p.Track.Tag
	c := h.copyOf(p.Pin)
	c.begin()
	w.started.Go(func() {
		ctx, cancel := context.WithTimeout(h.life, w.opts.ProbeTimeout)
		defer cancel()
		err := h.Host.Publish(ctx, p.Pin, tag)
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil {
			c.version++
			c.Busy, c.NextPublish = false, time.Now().Add(publishAgain)
			w.log.Warn("tag not moved on the host", "host", h.Name, "pin", p.Pin, "tag", tag, "next_try", c.NextPublish, "error", err)
			w.stir(h, p.Pin)
			return
		}
		h.published(p.Pin, tag)
		w.log.Info("tag moved on the host", "host", h.Name, "pin", p.Pin, "tag", tag)
		w.stir(h, p.Pin)
	})
}

// publishAgain is how long after a tag could not be moved it is tried again.
const publishAgain = time.Minute

// published notes that a tag means a pin now, and no other of its repository.
func (h *host) published(pin registry.Pin, tag string) {
	for other, c := range h.copies {
		if other.Repository() != pin.Repository() {
			continue
		}
		c.Tags = slices.DeleteFunc(slices.Clone(c.Tags), func(t string) bool { return t == tag })
	}
	c := h.copyOf(pin)
	*c = copyState{CopyView: CopyView{State: Warm, Kept: c.Kept, Tags: append(c.Tags, tag)}, Copy: c.Copy, version: c.version + 1}
}
