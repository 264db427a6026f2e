package warmer

import (
	"fmt"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// Rewarm asks for an image to be made warm now on the named hosts, or on all
// selected ones: whatever waits there for a backoff or a window is tried at
// once, and a verification that said no is asked again. It does not wait; it
// gives the pin that is being made warm, which is the newest one.
func (w *Warmer) Rewarm(image string, hosts []string) (registry.Pin, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.entryOf(image)
	if e == nil {
		return registry.Pin{}, w.notManaged(image)
	}
	if err := w.checkSelected(e.Entry, hosts); err != nil {
		return registry.Pin{}, err
	}
	if len(e.tracks) == 0 || len(e.tracks[0].rollouts) == 0 {
		return registry.Pin{}, problem.New(problem.NoCurrent,
			fmt.Sprintf("warm %s: no digest of it has been seen yet", image),
			"prewarm check "+image+" says why the registry gave none")
	}
	for _, name := range e.Hosts {
		if h := w.hosts[name]; h != nil && (len(hosts) == 0 || slices.Contains(hosts, name)) {
			w.forgiveAll(h, e)
		}
	}
	for _, t := range e.tracks {
		shown, _ := t.shown()
		t.asked = shown.Pin
		t.retryVerification()
		t.unsettle()
	}
	w.Kick()
	return e.tracks[0].asked, nil
}

// forgiveAll ends the backoffs of an image's copies on a host, and those of what
// is found out about it. The caller holds mu.
func (w *Warmer) forgiveAll(h *host, e *entry) {
	for _, t := range e.tracks {
		for _, r := range t.rollouts {
			h.forgive(r.Pin)
		}
	}
	for key, s := range w.sought {
		if key.Image == e.Image {
			h.forgive(key.Pin)
			s.nextTry = time.Time{}
		}
	}
}

// retryVerification forgets the verdicts of held rollouts, so that they are
// asked for again.
func (t *track) retryVerification() {
	for i := range t.rollouts {
		if v := t.rollouts[i].Trust.Verdict; t.rollouts[i].Phase == Held && v != nil && !v.OK {
			t.rollouts[i].Trust.Verdict = nil
		}
	}
}

// checkSelected refuses hosts that the image is not meant for. The caller holds
// mu.
func (w *Warmer) checkSelected(e Entry, hosts []string) error {
	for _, name := range hosts {
		if w.hosts[name] == nil {
			return problem.New(problem.HostNotManaged, fmt.Sprintf("no host is called %q", name), "prewarm status lists the hosts")
		}
		if !slices.Contains(e.Hosts, name) {
			return problem.New(problem.HostNotSelected,
				fmt.Sprintf("%s is not meant for host %s", e.Image, name),
				"change the image's hosts selector or the host's labels in the configuration")
		}
	}
	return nil
}
