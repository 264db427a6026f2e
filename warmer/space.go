package warmer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docker/go-units"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer/prune"
)

// unpacking is by how much a pull's peak need exceeds what it transfers: the
// engine holds a layer both packed and unpacked, and the latter is seldom the
// smaller one. It errs to the low side: a pull that may fit is tried.
const unpacking = 2

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
	add := func(r Rollout) {
		c := h.copies[r.Pin]
		child, ok := r.Manifest.For(h.engine.Platform)
		if !ok || c == nil || c.State != Warm {
			return
		}
		for _, l := range child.Layers {
			has[l.Digest] = true
		}
	}
	for t := range w.tracks() {
		for _, r := range t.rollouts {
			add(r)
		}
	}
	for _, s := range w.sought {
		if s.rollout != nil {
			add(*s.rollout)
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

// room is a bound on what images may take of a host, in bytes: its disk, or its
// budget.
type room struct {
	Disk
	high, low int64
}

// rooms are the bounds that are known of a host; both hold. The caller holds mu.
func (w *Warmer) rooms(h *host) []room {
	var all []room
	add := func(d Disk, budget bool) {
		r := room{Disk: d}
		if h.Prune.Marks != nil {
			r.high, r.low = h.Prune.Marks(d.Total, budget)
		}
		all = append(all, r)
	}
	if h.engine.Disk.Total > 0 {
		add(h.engine.Disk, false)
	}
	if budget := h.Prune.Budget; budget > 0 && h.stocked {
		used := h.stockBytes
		for _, c := range h.copies {
			used += c.need // of pulls under way
		}
		add(Disk{Free: max(0, budget-used), Total: budget}, true)
	}
	return all
}

// tightest is the bound that leaves least. The caller holds mu.
func (w *Warmer) tightest(h *host) (least room) {
	for i, r := range w.rooms(h) {
		if i == 0 || r.Free < least.Free {
			least = r
		}
	}
	return least
}

// over is by how much a bound passes its high mark once need more bytes are used;
// by how much it is too small, where it has none.
func (r room) over(need int64) int64 {
	limit := r.Total
	if r.high > 0 {
		limit = r.high
	}
	return max(0, r.Total-r.Free+need-limit)
}

// excess is how much is to go where a bound is above its high mark.
func (r room) excess() int64 {
	if r.high == 0 || r.over(0) == 0 {
		return 0
	}
	return r.Total - r.Free - r.low
}

// excess is how much is to go from a host. The caller holds mu.
func (w *Warmer) excess(h *host) (most int64) {
	for _, r := range w.rooms(h) {
		most = max(most, r.excess())
	}
	return most
}

// pullNeed is what a pull takes of a host's disk at its peak, and by how much
// that is more than there is. Both are 0 where nothing is known. The caller
// holds mu.
func (w *Warmer) pullNeed(h *host, pin registry.Pin) (need, over int64) {
	child, ok := w.childOn(h, pin)
	if !ok {
		return 0, 0
	}
	need = lackingBytes(child, w.layersOn(h)) * unpacking
	if need == 0 {
		return 0, 0
	}
	for _, r := range w.rooms(h) {
		over = max(over, r.over(need))
	}
	return need, over
}

// noRoom says that a pull does not fit, and why nothing makes way for it.
func (w *Warmer) noRoom(h *host, pin registry.Pin, need int64, why string) error {
	w.mu.Lock()
	r := w.tightest(h)
	w.mu.Unlock()
	what := fmt.Sprintf("pull %s on host %s: its layers need about %s while they are unpacked, and the disk has %s free",
		pin, h.Name, size(need), size(r.Free))
	if r.high > 0 {
		what += fmt.Sprintf(" and is to stay below %s used of %s", size(r.high), size(r.Total))
	}
	return problem.New(problem.NoSpace, what+"; "+why, mendRoom(h))
}

func mendRoom(h *host) string {
	return "free space on the host, or let more go (prewarm images --host " + h.Name + " tells what stays and why); it is tried again by itself"
}

func size(n int64) string { return units.BytesSize(float64(n)) }

// namedHolders is how many of the largest images are named that hold a disk.
const namedHolders = 5

// held names the largest of the images that stay, each with why.
func held(stay []prune.Verdict) string {
	stay = slices.DeleteFunc(slices.Clone(stay), func(v prune.Verdict) bool { return v.Goes })
	slices.SortStableFunc(stay, func(a, b prune.Verdict) int { return int(min(1, max(-1, b.Image.Bytes-a.Image.Bytes))) })
	var words []string
	for _, v := range stay[:min(len(stay), namedHolders)] {
		words = append(words, fmt.Sprintf("%s (%s: %s)", called(v.Image), size(v.Image.Bytes), v.Why))
	}
	return strings.Join(words, "; ")
}

// called is what people know an image by.
func called(i prune.Image) string {
	if len(i.Pins) > 0 {
		return i.Pins[0].Pin.String()
	}
	if len(i.Names) > 0 {
		return i.Names[0]
	}
	return i.ID
}
