package warmer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// Checked is what a look at one tag found.
type Checked struct {
	Track TrackID
	Pin   registry.Pin
	// New tells that the digest was not the one that the tag showed before.
	New bool
}

// Check looks at the tags of an image now. A tag that shows a new digest gets a
// rollout, written down before Check returns. A registry that is down, denies
// or says "not found" changes nothing: what is current stays so.
func (w *Warmer) Check(ctx context.Context, image string) ([]Checked, error) {
	tracks, err := w.tracksOf(image)
	if err != nil {
		return nil, err
	}
	var (
		all  []Checked
		errs []error
	)
	for _, t := range tracks {
		c, err := w.checkTrack(ctx, t)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, c)
	}
	return all, errors.Join(errs...)
}

func (w *Warmer) checkTrack(ctx context.Context, t *track) (Checked, error) {
	found, err := w.resolve(ctx, t)
	if err != nil {
		w.noteCheck(t, err)
		return Checked{}, err
	}
	isNew, err := w.sighted(ctx, t, found)
	w.noteCheck(t, err)
	if err != nil {
		return Checked{}, err
	}
	return Checked{Track: t.ID, Pin: found, New: isNew}, nil
}

// resolve tells what the track points at.
func (w *Warmer) resolve(ctx context.Context, t *track) (registry.Pin, error) {
	if t.ID.Tag == "" {
		return registry.NewPin(t.Repository, t.Digest), nil
	}
	ref, err := registry.NewRef(t.Repository, t.ID.Tag)
	if err != nil {
		return registry.Pin{}, err
	}
	if err := w.mayAsk(t, ref); err != nil {
		return registry.Pin{}, err
	}
	return w.opts.Registry.Resolve(ctx, ref)
}

// mayAsk refuses a look that the registry asked us not to take yet.
func (w *Warmer) mayAsk(t *track, ref registry.Ref) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := time.Until(t.check.notBefore)
	if wait <= 0 {
		return nil
	}
	e := problem.New(problem.RegistryLimited,
		fmt.Sprintf("look at %s: the registry asked to be left alone for another %s", ref, wait.Round(time.Second)),
		"wait; the next look comes by itself")
	e.RetryAfter = wait
	return e
}

// sighted makes a rollout of a digest that the tag did not show before.
func (w *Warmer) sighted(ctx context.Context, t *track, pin registry.Pin) (bool, error) {
	if w.isNewest(t, pin) {
		return false, nil
	}
	w.awaitFirstProbes(ctx)
	manifest, err := w.opts.Registry.Manifest(ctx, pin, w.platforms())
	if err != nil {
		return false, err
	}
	w.deciding.Lock()
	defer w.deciding.Unlock()
	if w.isNewest(t, pin) {
		return false, nil // another look was quicker
	}
	id, err := uuid.NewV7()
	if err != nil {
		return false, fmt.Errorf("make a rollout id: %w", err)
	}
	r := Rollout{ID: id.String(), Track: t.ID, Pin: pin, Manifest: manifest, Phase: Warming, Seen: time.Now()}
	// A caller that leaves just now must not leave a rollout that only the disk
	// knows.
	if err := w.opts.Store.SaveRollouts(context.WithoutCancel(ctx), r); err != nil {
		return false, fmt.Errorf("save the rollout of %s: %w", pin, err)
	}
	w.apply([]Rollout{r})
	w.log.Info("new digest seen", "image", t.ID.String(), "digest", pin.Digest())
	w.Kick()
	return true, nil
}

func (w *Warmer) isNewest(t *track, pin registry.Pin) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	newest, ok := t.newest()
	return ok && newest == pin
}

func (w *Warmer) noteCheck(t *track, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.check.at, t.check.err = time.Now(), err
	if err != nil {
		t.check.notBefore = time.Now().Add(problem.From(err).RetryAfter)
	}
}

// firstProbes is how long a first look at a tag waits for the hosts' first
// probes: they tell which platforms to read sizes for, which is a comfort.
const firstProbes = 3 * time.Second

func (w *Warmer) awaitFirstProbes(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, firstProbes)
	defer cancel()
	for {
		changed := w.Changed()
		if w.allProbed() {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

func (w *Warmer) allProbed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.hosts {
		if h.contact == Unknown {
			return false
		}
	}
	return true
}

// platforms lists the platforms present in the fleet, as far as they are known.
func (w *Warmer) platforms() []registry.Platform {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []registry.Platform
	for _, h := range w.hosts {
		if p := h.engine.Platform; !p.IsZero() && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// Rewarm asks for an image to be made warm now on the named hosts, or on all
// selected ones: whatever waits there for a backoff is tried at once. It does
// not wait; it gives the pin that is being made warm, which is the newest one.
func (w *Warmer) Rewarm(image string, hosts []string) (registry.Pin, error) {
	tracks, err := w.tracksOf(image)
	if err != nil {
		return registry.Pin{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.checkSelected(tracks[0], hosts); err != nil {
		return registry.Pin{}, err
	}
	pin, ok := tracks[0].newest()
	if !ok {
		return registry.Pin{}, problem.New(problem.NoCurrent,
			fmt.Sprintf("warm %s: no digest of it has been seen yet", image),
			"prewarm check "+image+" says why the registry gave none")
	}
	for _, t := range tracks {
		for _, name := range t.Hosts {
			if len(hosts) == 0 || slices.Contains(hosts, name) {
				w.hosts[name].forgive()
			}
		}
	}
	w.Kick()
	return pin, nil
}

// checkSelected refuses hosts that the image is not meant for. The caller holds
// mu.
func (w *Warmer) checkSelected(t *track, hosts []string) error {
	for _, name := range hosts {
		if w.hosts[name] == nil {
			return problem.New(problem.HostNotManaged, fmt.Sprintf("no host is called %q", name), "prewarm status lists the hosts")
		}
		if !slices.Contains(t.Hosts, name) {
			return problem.New(problem.HostNotSelected,
				fmt.Sprintf("%s is not meant for host %s", t.ID.Image, name),
				"change the image's hosts selector or the host's labels in the configuration")
		}
	}
	return nil
}
