package warmer

import (
	"fmt"

	"github.com/docker/go-units"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// unpacking is by how much a pull's peak need exceeds what it transfers: the
// engine holds a layer both packed and unpacked, and the latter is seldom the
// smaller one. It errs to the low side: a pull that may fit is tried.
const unpacking = 2

// shortfall refuses a pull that can't fit: the layers that the host lacks need
// more than its disk has free. Nil where it fits or nothing is known. The
// caller holds mu.
func (w *Warmer) shortfall(h *host, pin registry.Pin) error {
	free := h.engine.Disk.Free
	if h.engine.Disk.Total == 0 {
		return nil
	}
	child, ok := w.childOn(h, pin)
	if !ok {
		return nil
	}
	lacking := lackingBytes(child, w.layersOn(h))
	if need := lacking * unpacking; need > free {
		return problem.New(problem.NoSpace,
			fmt.Sprintf("pull %s on host %s: its layers need about %s while they are unpacked, and the disk has %s free",
				pin, h.Name, units.BytesSize(float64(need)), units.BytesSize(float64(free))),
			"free space on the host; it is tried again by itself")
	}
	return nil
}

// lackingBytes is how much of an image a host with some layers has to transfer.
func lackingBytes(child registry.Child, has map[registry.Digest]bool) int64 {
	var n int64
	for _, l := range child.Layers {
		if !has[l.Digest] {
			n += l.Bytes
		}
	}
	return n
}

// layersOn lists the layers that are on a host for certain: those of its warm
// copies. The caller holds mu.
func (w *Warmer) layersOn(h *host) map[registry.Digest]bool {
	has := make(map[registry.Digest]bool)
	for t := range w.tracks() {
		for _, r := range t.rollouts {
			c := h.copies[r.Pin]
			if c == nil || c.State != Warm {
				continue
			}
			if child, ok := r.Manifest.For(h.engine.Platform); ok {
				for _, l := range child.Layers {
					has[l.Digest] = true
				}
			}
		}
	}
	return has
}

// childOn is what of a pin a host runs. The caller holds mu.
func (w *Warmer) childOn(h *host, pin registry.Pin) (registry.Child, bool) {
	for t := range w.tracks() {
		if r, ok := t.known(pin); ok {
			return r.Manifest.For(h.engine.Platform)
		}
	}
	for key, s := range w.sought {
		if key.Pin == pin && s.rollout != nil {
			return s.rollout.Manifest.For(h.engine.Platform)
		}
	}
	return registry.Child{}, false
}
