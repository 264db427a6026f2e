package warmer

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// uses is what is known of the images of a host that its engine does not keep.
// Warmer.mu guards it.
type uses struct {
	loaded bool
	of     map[string]Use // by the engine's id
	// names are what an image was called when it was listed last, and heard what
	// was used since then under a name that no image had.
	names map[string]string
	heard map[string]time.Time
	dirty bool // something is not on disk yet
}

// loadUses reads what earlier lives knew of a host's images, once.
func (w *Warmer) loadUses(ctx context.Context, h *host) error {
	w.mu.Lock()
	loaded := h.uses.loaded
	w.mu.Unlock()
	if loaded {
		return nil
	}
	all, err := w.opts.Ledger.Uses(ctx, h.Name)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.uses.loaded {
		return nil
	}
	h.uses.loaded, h.uses.of = true, make(map[string]Use, len(all))
	for _, u := range all {
		h.uses.of[u.Image] = u
	}
	return nil
}

// update takes over what is on the host now, and gives what is to be written
// down. Of an image that nobody knows it is since now, and used now: a build date
// says nothing of either.
func (u *uses) update(now time.Time, offset time.Duration, listed []Listed, runs map[registry.Pin]time.Time) []Use {
	known := u.of
	u.of, u.names = make(map[string]Use, len(listed)), make(map[string]string)
	for _, l := range listed {
		use, ok := known[l.ID]
		if !ok {
			use = Use{Image: l.ID, Seen: now}
		}
		for _, c := range l.Containers {
			use.Used = later(use.Used, c.Used.Add(-offset), now)
		}
		for _, name := range slices.Concat(l.Tags, l.Digests, []string{l.ID}) {
			u.names[name] = l.ID
			use.Used = later(use.Used, u.heard[name], now)
			if pin, err := registry.ParsePin(name); err == nil {
				use.Used = later(use.Used, runs[pin], now)
			}
		}
		u.of[l.ID] = use
	}
	u.heard, u.dirty = make(map[string]time.Time), false
	return slices.SortedFunc(maps.Values(u.of), func(a, b Use) int { return strings.Compare(a.Image, b.Image) })
}

// later is the later of two times, and never after now: a clock may be wrong.
func later(a, b, now time.Time) time.Time {
	if b.After(now) {
		b = now
	}
	if b.After(a) {
		return b
	}
	return a
}

// maxHeard bounds what is remembered of names that no image had when the images
// were listed last: an engine can tell of any.
const maxHeard = 10_000

// heard takes over what an engine told of.
func (w *Warmer) heard(h *host, news Happening) {
	if news.Removed {
		w.Recheck(h.Name)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	h.uses.use(canonical(news.Used), news.At.Add(-h.engine.ClockOffset), time.Now())
}

// use notes that an image was used under a name.
func (u *uses) use(name string, at, now time.Time) {
	id, ok := u.names[name]
	if !ok {
		if u.heard == nil {
			u.heard = make(map[string]time.Time)
		}
		if _, known := u.heard[name]; known || len(u.heard) < maxHeard {
			u.heard[name] = later(u.heard[name], at, now)
		}
		return
	}
	use := u.of[id]
	use.Used = later(use.Used, at, now)
	u.of[id], u.dirty = use, true
}

// canonical spells the name of an image as an engine's listing has it.
func canonical(name string) string {
	if pin, err := registry.ParsePin(name); err == nil {
		return pin.String()
	}
	if strings.HasPrefix(name, "sha256:") {
		return name
	}
	if ref, err := registry.ParseRef(name); err == nil {
		return ref.String()
	}
	return name
}

// saveUsesEvery is how often the uses of a host's images are written down at most:
// a crash forgets no more than that of them.
const saveUsesEvery = 5 * time.Minute

// saveUses writes down what was used lately.
func (w *Warmer) saveUses(ctx context.Context, h *host) {
	w.mu.Lock()
	dirty := h.uses.dirty && time.Since(h.usesSaved) >= saveUsesEvery
	if dirty {
		h.uses.dirty, h.usesSaved = false, time.Now()
	}
	all := slices.SortedFunc(maps.Values(h.uses.of), func(a, b Use) int { return strings.Compare(a.Image, b.Image) })
	w.mu.Unlock()
	if !dirty {
		return
	}
	if err := w.opts.Ledger.SaveUses(ctx, h.Name, all); err != nil && ctx.Err() == nil {
		w.log.Warn("when images were used was not written down; trying again", "host", h.Name, "error", err)
		w.mu.Lock()
		h.uses.dirty = true
		w.mu.Unlock()
	}
}
