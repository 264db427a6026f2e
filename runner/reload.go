package runner

import (
	"slices"

	"github.com/prewarm/prewarm/registry"
)

// Reconfigure puts other hosts or slots into force. Runs under way go on where
// they are, also on a host that is no longer there; a host that has fewer slots
// than runs takes no more until some have ended.
func (r *Runner) Reconfigure(hosts []HostOptions) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.hosts
	r.hosts = nil
	for _, o := range hosts {
		h := &host{HostOptions: o}
		if i := slices.IndexFunc(before, func(h *host) bool { return h.Name == o.Name && h.Engine == o.Engine }); i >= 0 {
			h = before[i]
			h.Slots = o.Slots
		} else if r.life.Err() == nil {
			r.started.Go(func() { r.sweep(r.life, h) })
		}
		r.hosts = append(r.hosts, h)
	}
	r.wake()
}

// Waiting tells what queued runs wait for: pins, and images of which nothing is
// current yet.
func (r *Runner) Waiting() (pins map[registry.Pin]bool, images map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pins, images = make(map[registry.Pin]bool), make(map[string]bool)
	for _, l := range r.queue {
		if l.run.Pin.IsZero() {
			images[l.run.Image] = true
		} else {
			pins[l.run.Pin] = true
		}
	}
	return pins, images
}
