package warmer

import (
	"context"

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
	c := h.copyOf(p.Pin)
	c.begin()
	w.started.Go(func() {
		ctx, cancel := context.WithTimeout(h.life, w.opts.ProbeTimeout)
		defer cancel()
		err := h.Host.Publish(ctx, p.Pin, p.Tag)
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil {
			w.failed(h, p.Pin, c, err)
			return
		}
		h.published(p.Pin, p.Tag)
		w.log.Info("tag moved on the host", "host", h.Name, "pin", p.Pin, "tag", p.Tag)
		w.stir(h, p.Pin)
	})
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
