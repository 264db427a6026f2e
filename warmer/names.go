package warmer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// tracksOf gives the tracks of a configured image.
func (w *Warmer) tracksOf(image string) ([]*track, error) {
	var tracks []*track
	for _, t := range w.tracks {
		if t.ID.Image == image {
			tracks = append(tracks, t)
		}
	}
	if len(tracks) == 0 {
		return nil, w.notManaged(image)
	}
	return tracks, nil
}

// Pin tells which digest a submit's name means now, and the configured image
// it belongs to. A name is, in this order: a configured image; image:tag of a
// tracked tag; a ref that an image tracks; repo@digest where that is current.
// No registry is asked.
func (w *Warmer) Pin(name string) (image string, pin registry.Pin, err error) {
	if t := w.named(name); t != nil {
		return w.currentOf(t)
	}
	if ref, err := registry.ParseRef(name); err == nil {
		if t := w.tracking(ref); t != nil {
			return w.currentOf(t)
		}
	}
	if pin, err := registry.ParsePin(name); err == nil {
		return w.pinned(pin)
	}
	return "", registry.Pin{}, w.notManaged(name)
}

func (w *Warmer) named(name string) *track {
	for _, t := range w.tracks {
		if t.ID.Image == name || t.ID.String() == name {
			return t
		}
	}
	return nil
}

func (w *Warmer) tracking(ref registry.Ref) *track {
	for _, t := range w.tracks {
		if t.Repository == ref.Repository() && t.ID.Tag == ref.Tag() {
			return t
		}
	}
	return nil
}

func (w *Warmer) currentOf(t *track) (string, registry.Pin, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := t.state()
	if s.Current != nil {
		return t.ID.Image, s.Current.Pin, nil
	}
	return t.ID.Image, registry.Pin{}, problem.New(problem.NoCurrent,
		fmt.Sprintf("%s has no current digest yet: %s", t.ID, w.whyNoCurrent(t, s)),
		"wait for it with --wait-warm, or see prewarm status")
}

// whyNoCurrent says what the first promotion waits for. The caller holds mu.
func (w *Warmer) whyNoCurrent(t *track, s TrackState) string {
	switch {
	case len(s.Coming) > 0:
		newest := s.Coming[len(s.Coming)-1]
		return fmt.Sprintf("%s is not warm on its hosts yet (%s)", newest.Pin.Digest().Short(), w.whereCold(t, newest))
	case t.check.err != nil:
		return t.check.err.Error()
	default:
		return "its tag has not been looked at yet"
	}
}

// whereCold lists the hosts that lack a rollout, with why. The caller holds mu.
func (w *Warmer) whereCold(t *track, r Rollout) string {
	var cold []string
	for _, name := range t.Hosts {
		if s := w.hostCopy(r, name); s.State != StateWarm {
			cold = append(cold, name+": "+s.Summary())
		}
	}
	if len(cold) == 0 {
		return "about to be promoted"
	}
	return strings.Join(cold, "; ")
}

func (w *Warmer) pinned(pin registry.Pin) (string, registry.Pin, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.tracks {
		if s := t.state(); s.Current != nil && s.Current.Pin == pin {
			return t.ID.Image, pin, nil
		}
	}
	for _, t := range w.tracks {
		if t.Repository == pin.Repository() {
			return "", registry.Pin{}, problem.New(problem.DigestNotManaged,
				fmt.Sprintf("%s is not the current digest of %s", pin, t.ID),
				fmt.Sprintf("run %s by name, or make this digest current by an image with track: {digest: %s}", t.ID.Image, pin.Digest()))
		}
	}
	return "", registry.Pin{}, w.notManaged(pin.String())
}

// notManaged says that no entry answers to name, which ones are near, and what
// to add to the configuration.
func (w *Warmer) notManaged(name string) error {
	message := fmt.Sprintf("no image of the configuration answers to %q", name)
	if near := w.nearest(name); len(near) > 0 {
		message += "; nearest: " + strings.Join(near, ", ")
	}
	return problem.New(problem.ImageNotManaged, message, yamlToAdd(name))
}

// nearest gives up to three names that may have been meant; jobs, too, for
// jobs:other.
func (w *Warmer) nearest(name string) []string {
	near := problem.Nearest(name, w.names(), max(2, len(name)/3))
	if image, _, tagged := strings.Cut(name, ":"); tagged {
		for _, n := range problem.Nearest(image, w.names(), 0) {
			near = appendNew(near, n)
		}
	}
	return near[:min(len(near), 3)]
}

func (w *Warmer) names() []string {
	var names []string
	for _, t := range w.tracks {
		for _, n := range []string{t.ID.Image, t.ID.String()} {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names
}

func yamlToAdd(name string) string {
	repository, track := "registry.example.com/team/"+name, "{tag: latest}"
	if ref, err := registry.ParseRef(name); err == nil && strings.ContainsAny(name, "/:") {
		repository, track = ref.Repository().String(), "{tag: "+ref.Tag()+"}"
		name = ref.Repository().Path()[strings.LastIndex(ref.Repository().Path(), "/")+1:]
	}
	if pin, err := registry.ParsePin(name); err == nil {
		repository, track = pin.Repository().String(), "{digest: "+string(pin.Digest())+"}"
		name = pin.Repository().Path()[strings.LastIndex(pin.Repository().Path(), "/")+1:]
	}
	return fmt.Sprintf("to have it managed, add to images: {name: %s, repository: %s, track: %s}", name, repository, track)
}
