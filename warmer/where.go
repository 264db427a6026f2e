package warmer

import (
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// WarmHosts tells on which of an image's hosts a pin is warm and may be run
// now, and for the others why not: a host that is drained among them, and all
// of them for a digest that is not trusted yet. The pin need be no rollout's
// any more; the zero Pin, of an image that has no digest yet, is warm nowhere. It
// asks nobody: see Seek.
func (w *Warmer) WarmHosts(image string, pin registry.Pin) (warm []string, cold map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	cold = make(map[string]string)
	e := w.entryOf(image)
	if e == nil {
		return nil, cold
	}
	if pin.IsZero() {
		for _, name := range e.Hosts {
			cold[name] = "there is no digest yet"
		}
		return nil, cold
	}
	if !e.live(pin) {
		w.seek(e, pin).asked = time.Now()
	}
	told := w.sightings(e, pin)
	why := withheld(told, e.Policy, time.Now())
	for _, name := range e.Hosts {
		lacks := w.lacks(e, pin, told, name)
		switch {
		case w.isPaused(Placing, name):
			cold[name] = drained
		case len(why) > 0:
			cold[name] = "held (" + reasons(why) + ")"
		case lacks != "":
			cold[name] = lacks
		default:
			warm = append(warm, name)
		}
	}
	return warm, cold
}

// drained is why a host is not used that somebody drained.
const drained = "drained"

// lacks says why a digest is not warm on a host, by what is told of it; nothing
// where it is. The caller holds mu.
func (w *Warmer) lacks(e *entry, pin registry.Pin, told []Rollout, name string) string {
	r := Rollout{Pin: pin}
	if len(told) > 0 {
		r = told[0]
	}
	c, h := w.hostCopy(r, name), w.hosts[name]
	if c.State == StateNoPlatform && len(told) == 0 {
		c.Reason = "" // nobody knows for which platforms it is
		w.copyStatus(&c, h.copies[pin])
	}
	s := w.sought[HeldPin{e.Image, pin}]
	switch {
	case c.State == StateWarm:
		return ""
	case c.State != StateWaiting || len(told) > 0 && w.wants(h, pin):
		return c.Summary()
	case !h.copies[pin].seen():
		return "not looked at yet"
	case s != nil && s.err != nil:
		return s.why().Summary()
	case s == nil || !s.held:
		return "not there, and nothing wants the digest any more"
	default:
		return c.Summary()
	}
}

// why tells that nobody knows what a digest holds, so that no host can get it.
func (s *sought) why() HostCopy {
	c := HostCopy{State: StateFailed, Reason: s.err.Error()}
	if problem.CodeOf(s.err) == problem.TagNotFound {
		c.State = StateGone
	}
	return c
}

// HostFacts are what is known of the engine that answers for a host.
type HostFacts struct {
	// Marker is empty, and what follows is zero, before the first contact.
	Marker string
	// Known tells that the engine was asked whether it answers.
	Known bool
	// Reachable tells that the engine answers, whether or not it is one that
	// another entry reaches, too.
	Reachable bool
	Platform  registry.Platform
	CPUs      int
	Memory    int64 // bytes
	// ClockOffset is the engine's clock minus ours.
	ClockOffset time.Duration
}

// Facts tells what is known of a host's engine; of one that can't be reached,
// what it was. It is not ok where the configuration has no such host.
func (w *Warmer) Facts(name string) (f HostFacts, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hosts[name]
	if h == nil {
		return HostFacts{}, false
	}
	return HostFacts{
		Marker: h.engine.Marker, Known: h.contact != Unknown, Reachable: slices.Contains([]Contact{Reachable, Duplicate}, h.contact), Platform: h.engine.Platform,
		CPUs: h.engine.CPUs, Memory: h.engine.Memory, ClockOffset: h.engine.ClockOffset,
	}, true
}
