package warmer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// Resolve tells which digest a submit's name means now, the configured image
// that it belongs to, and the track of it, as TrackID writes it. A name is, in
// this order: a configured image; image:tag of a tracked tag; a ref that an
// image tracks; repo@digest where that is current, kept or held by a pin scope.
// No registry is asked. With problem.NoCurrent image and track are valid, and
// the pin is not.
func (w *Warmer) Resolve(name string) (image, track string, pin registry.Pin, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.entryOf(name); e != nil && len(e.tracks) == 0 {
		return name, name, registry.Pin{}, e.noTags()
	}
	if t := w.meant(name); t != nil {
		pin, err := w.currentOf(t)
		return t.ID.Image, t.ID.String(), pin, err
	}
	if pin, err := registry.ParsePin(name); err == nil {
		return w.manages(pin)
	}
	return "", "", registry.Pin{}, w.notManaged(name)
}

// Fresh is Resolve, but for what the name's tag shows in its registry now,
// whatever is current. A new digest gets its rollout, on disk before Fresh
// returns. One that is held is given all the same: WarmHosts tells of it why it
// is warm nowhere.
func (w *Warmer) Fresh(ctx context.Context, name string) (image, track string, pin registry.Pin, err error) {
	t, ok := w.watched(name)
	if !ok {
		return w.Resolve(name)
	}
	found, err := w.checkTrack(ctx, t)
	return t.ID.Image, t.ID.String(), found.Pin, err
}

// watched finds the track of a name whose tag can show something new.
func (w *Warmer) watched(name string) (Track, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.meant(name); t != nil && !t.leaving {
		return t.Track, true
	}
	return Track{}, false
}

// meant finds the track that a name means: one of ours, or a ref. The caller
// holds mu.
func (w *Warmer) meant(name string) *track {
	if t := w.named(name); t != nil {
		return t
	}
	if ref, err := registry.ParseRef(name); err == nil {
		return w.tracking(ref)
	}
	return nil
}

// named finds the track that an image or image:tag means. The caller holds mu.
func (w *Warmer) named(name string) *track {
	if e := w.entryOf(name); e != nil {
		return e.bare()
	}
	for t := range w.tracks() {
		if t.ID.String() == name {
			return t
		}
	}
	return nil
}

// tracking finds the track of a ref. The caller holds mu.
func (w *Warmer) tracking(ref registry.Ref) *track {
	for t := range w.tracks() {
		if t.Repository == ref.Repository() && t.ID.Tag == ref.Tag() {
			return t
		}
	}
	return nil
}

// currentOf gives the current digest of a track. The caller holds mu.
func (w *Warmer) currentOf(t *track) (registry.Pin, error) {
	s := t.state()
	if s.Current != nil {
		return s.Current.Pin, nil
	}
	return registry.Pin{}, problem.New(problem.NoCurrent,
		fmt.Sprintf("%s has no current digest yet: %s", t.ID, w.whyNoCurrent(t, s)),
		"wait for it with --wait-warm, or see prewarm status")
}

// whyNoCurrent says what the first promotion waits for. The caller holds mu.
func (w *Warmer) whyNoCurrent(t *track, s TrackState) string {
	switch {
	case len(s.Coming) > 0:
		newest := s.Coming[len(s.Coming)-1]
		return fmt.Sprintf("%s is not warm on its hosts yet (%s)", newest.Pin.Digest().Short(), w.whereCold(t, newest))
	case len(s.Held) > 0:
		newest := s.Held[len(s.Held)-1]
		return fmt.Sprintf("%s is held (%s)", newest.Pin.Digest().Short(), reasons(newest.Holds(t.Policy, time.Now())))
	case t.check.err != nil:
		return t.check.err.Error()
	default:
		return "its tag has not been looked at yet"
	}
}

// noTags says why an image whose selection chose nothing has no digest.
func (e *entry) noTags() error {
	why := "the tags of its repository have not been listed yet"
	switch {
	case e.list.err != nil:
		why = e.list.err.Error()
	case !e.list.at.IsZero():
		why = "its selection chooses no tag of " + e.Repository.String()
	}
	return problem.New(problem.NoCurrent, fmt.Sprintf("%s has no current digest yet: %s", e.Image, why),
		"prewarm check --explain "+e.Image+" tells of each tag why it was passed over")
}

func reasons(all []Reason) string {
	var words []string
	for _, r := range all {
		words = append(words, string(r))
	}
	return strings.Join(words, ", ")
}

// whereCold lists the hosts that lack a rollout, with why. The caller holds mu.
func (w *Warmer) whereCold(t *track, r Rollout) string {
	var cold []string
	for _, name := range t.Hosts {
		switch s := w.hostCopy(r, name); {
		case s.State != StateWarm:
			cold = append(cold, name+": "+s.Summary())
		case w.isPaused(Placing, name):
			cold = append(cold, name+": "+drained)
		}
	}
	if len(cold) == 0 {
		return "about to be promoted"
	}
	return strings.Join(cold, "; ")
}

// manages finds the image and the track that a pin belongs to. The caller holds
// mu.
func (w *Warmer) manages(pin registry.Pin) (image, track string, found registry.Pin, err error) {
	for t := range w.tracks() {
		s := t.state()
		if s.Current != nil && s.Current.Pin == pin || slices.ContainsFunc(s.Kept, func(r Rollout) bool { return r.Pin == pin }) {
			return t.ID.Image, t.ID.String(), pin, nil
		}
	}
	for _, e := range w.entries {
		if s := w.sought[HeldPin{e.Image, pin}]; s != nil && s.held {
			return e.Image, w.trackNamed(e, pin), pin, nil
		}
	}
	for t := range w.tracks() {
		if t.Repository == pin.Repository() {
			return "", "", registry.Pin{}, problem.New(problem.DigestNotManaged,
				fmt.Sprintf("%s is neither current nor kept for a rollback of %s, and no pin scope holds it", pin, t.ID),
				fmt.Sprintf("run %s by name, or make this digest current by an image with track: {digest: %s}", t.ID.Image, pin.Digest()))
		}
	}
	return "", "", registry.Pin{}, w.notManaged(pin.String())
}

// trackNamed is the track whose tag showed a digest, or the image itself where
// nobody knows any more. The caller holds mu.
func (w *Warmer) trackNamed(e *entry, pin registry.Pin) string {
	if told := w.sightings(e, pin); len(told) > 0 {
		return told[0].Track.String()
	}
	return e.Image
}

// notManaged says that no entry answers to name, which ones are near, and what
// to add to the configuration. The caller holds mu.
func (w *Warmer) notManaged(name string) error {
	message := fmt.Sprintf("no image of the configuration answers to %q", name)
	if near := w.nearest(name); len(near) > 0 {
		message += "; nearest: " + strings.Join(near, ", ")
	}
	return problem.New(problem.ImageNotManaged, message, w.mendOf(name))
}

// mendOf says how a name would have an answer. One that begins with an entry's
// own means its repository. The caller holds mu.
func (w *Warmer) mendOf(name string) string {
	if image, digest, ok := strings.Cut(name, "@"); ok && w.entryOf(image) != nil {
		return fmt.Sprintf("a digest is named with its repository: %s@%s", w.entryOf(image).Repository, digest)
	}
	if image, tag, ok := strings.Cut(name, ":"); ok && w.entryOf(image) != nil {
		return fmt.Sprintf("to have that tag managed, too, add to images: {name: %s-%s, repository: %s, track: {tag: %s}}",
			image, strings.ToLower(strings.ReplaceAll(tag, "_", "-")), w.entryOf(image).Repository, tag)
	}
	return yamlToAdd(name)
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
	for t := range w.tracks() {
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
