package warmer

import (
	"maps"
	"slices"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// Drift counts what somebody else removed from a host and was warmed again.
type Drift struct {
	Total    int // since the start
	LastHour int
	Last     time.Time
}

// drift is what is known of removals on a host.
type drift struct {
	total  int
	recent []time.Time // of the last hour, oldest first
	told   time.Time   // when we last said that it is too much
}

// maxRepairs is how many repairs in an hour are taken for accidents.
const maxRepairs = 3

// count takes a removal and tells how many the last hour had, and whether that
// is worth a word: at most one an hour.
func (d *drift) count(now time.Time) (lastHour int, tell bool) {
	d.forget(now)
	d.total++
	d.recent = append(d.recent, now)
	tell = len(d.recent) > maxRepairs && now.Sub(d.told) >= time.Hour
	if tell {
		d.told = now
	}
	return len(d.recent), tell
}

func (d *drift) forget(now time.Time) {
	d.recent = slices.DeleteFunc(d.recent, func(t time.Time) bool { return now.Sub(t) >= time.Hour })
}

func (d *drift) status(now time.Time) Drift {
	d.forget(now)
	s := Drift{Total: d.total, LastHour: len(d.recent)}
	if n := len(d.recent); n > 0 {
		s.Last = d.recent[n-1]
	}
	return s
}

// drifted notes that somebody took from a host what should be there. The caller
// holds mu.
func (w *Warmer) drifted(h *host, pin registry.Pin, what string) {
	n, tell := h.drift.count(time.Now())
	w.tellCopy(h, pin, copyRemoved, what)
	w.opts.Measures.Repaired(h.Name)
	w.log.Warn("image went away: "+what, "host", h.Name, "pin", pin, "repairs_last_hour", n)
	if tell {
		w.tellDrift(h, pin, n)
		w.log.Warn("something keeps removing images from the host: look for a cron job or a timer there that runs docker image prune -a or docker system prune",
			"host", h.Name, "repairs_last_hour", n)
	}
}

// meet takes over what a probe told of an engine. One that carries another
// marker than the last is another engine, or the same after a wipe: what we
// believe of its images is from before, unless the look just now confirmed it.
// The caller holds mu.
func (w *Warmer) meet(h *host, engine Engine) {
	last := w.engines[h.Name]
	h.engine = engine
	if engine.Marker == "" || last == engine.Marker {
		return
	}
	w.engines[h.Name] = engine.Marker
	w.unsettle(h.Name, registry.Pin{})
	if last == "" {
		return // the first contact
	}
	h.recheck()
	h.forget() // also where only the marker went: younger than they are is what images may be taken for
	for _, c := range h.copies {
		if c.State == Warm {
			w.log.Warn("the marker of the host's engine was removed, and made anew: does something prune volumes there?", "host", h.Name)
			return
		}
	}
	w.log.Warn("another engine answers for the host, or it was wiped: it is warmed from nothing", "host", h.Name, "engine", engine.Version)
}

// forget forgets what was known of the images of another engine: since when they
// were there, and which went from it for want of space.
func (h *host) forget() {
	h.uses = uses{loaded: true, of: make(map[string]Use)}
	h.stocked, h.surveyed = false, time.Time{}
	for pin, c := range h.copies {
		if c.GivenUp {
			c.GivenUp = false
			h.takenBack = append(h.takenBack, pin)
		}
	}
}

// newEngines gives the markers that are not on disk yet.
func (w *Warmer) newEngines() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	fresh := make(map[string]string)
	for host, marker := range w.engines {
		if w.written[host] != marker {
			fresh[host] = marker
		}
	}
	return fresh
}

func (w *Warmer) wroteEngines(engines map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(w.written, engines)
}
