package docker

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// RemoveImage takes names from an image, a call for each, and tells what is left.
// What was gone before is no error.
//
// A pin goes by its keep-tag, never by repo@digest: the containerd store would
// take every tag of that repository along, the others' too. A digest that is
// named among the others' names goes only when no tag of its repository is on the
// image, for the same reason; it is Left then. A tag that has come to mean another
// image is left alone. Between that look and the removal a moment remains in
// which somebody can move the tag: then the tag goes, and the image that it came
// to mean stays if it has another name. No engine offers to remove a tag from
// this image and no other.
//
// The engines are not asked to refuse alone: with several tags on an image the
// classic store takes the first ones from under a container without a word, and
// the last of a repository takes repo@digest along. So an image of which anything
// was made is problem.ImageInUse before any name is gone. A container made after
// that look meets the engine's own refusal, at the last name at the latest.
//
// It ends with ImageInUse, HostUnreachable or EngineAPI; names that were taken
// before stay taken.
func (h *Host) RemoveImage(ctx context.Context, r warmer.Removal) (warmer.Removed, error) {
	_, err := h.imageInspect(ctx, r.ID)
	if errdefs.IsNotFound(err) {
		return warmer.Removed{Gone: true}, nil
	}
	if err == nil {
		err = h.unused(ctx, r.ID)
	}
	if err != nil {
		return warmer.Removed{}, err
	}
	for _, name := range keepTags(r.Pins) {
		if err := h.rmi(ctx, name); err != nil {
			return warmer.Removed{}, err
		}
	}
	h.forgetPins(r.Pins)
	for _, name := range digestsLast(r.Names) {
		if err := h.take(ctx, name, r.ID); err != nil {
			return warmer.Removed{}, err
		}
	}
	return h.rest(ctx, r)
}

// rest removes an image that is to be gone and has lost all names, and tells what
// is left of it.
func (h *Host) rest(ctx context.Context, r warmer.Removal) (warmer.Removed, error) {
	seen, err := h.imageInspect(ctx, r.ID)
	if err == nil && r.Whole && nameless(seen) {
		if err = h.rmi(ctx, r.ID); err == nil {
			seen, err = h.imageInspect(ctx, r.ID)
		}
	}
	switch {
	case errdefs.IsNotFound(err):
		return warmer.Removed{Gone: true}, nil
	case err != nil:
		return warmer.Removed{}, err
	}
	return warmer.Removed{Left: left(r, seen)}, nil
}

// imageInspect asks for an image by any of its names.
func (h *Host) imageInspect(ctx context.Context, name string) (seen image.InspectResponse, err error) {
	err = h.call(ctx, inspectLimit, "inspect image "+name, func(ctx context.Context, s *session) (err error) {
		seen, err = s.api.ImageInspect(ctx, name)
		if err == nil && seen.ID == "" {
			err = errors.New("the engine's answer is incomplete")
		}
		return err
	})
	return seen, err
}

// unused is problem.ImageInUse for an image that a container was made of.
func (h *Host) unused(ctx context.Context, id string) error {
	what := "remove image " + id
	var list []container.Summary
	err := h.call(ctx, listLimit, what, func(ctx context.Context, s *session) (err error) {
		list, err = s.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("ancestor", id))})
		return err
	})
	if errdefs.IsNotFound(err) {
		return nil // the image is gone
	}
	for _, c := range list {
		if c.ImageID == id { // not one of an image that is built on it
			return h.inUse(what, errors.New("container "+nameOf(c)+" is made of it"))
		}
	}
	return err
}

// inUse says that an image can't go, and why.
func (h *Host) inUse(what string, why error) error {
	return problem.Wrap(problem.ImageInUse, why, what+" on host "+h.name,
		"it goes when nothing is made of it any more: look for ended containers and for images built on it (docker ps -a, docker images)")
}

// rmi takes one name from an image, and the image with its last one. One that is
// gone is no error.
func (h *Host) rmi(ctx context.Context, name string) error {
	what := "remove image " + name
	err := h.call(ctx, removeLimit, what, func(ctx context.Context, s *session) error {
		// Never Force: it takes the image from under its containers.
		_, err := s.api.ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true})
		return err
	})
	if errdefs.IsConflict(err) {
		return h.inUse(what, problem.From(err).Err)
	}
	return unlessGone(err)
}

// take removes one of the others' names if it still means the image.
func (h *Host) take(ctx context.Context, name, id string) error {
	seen, err := h.imageInspect(ctx, name)
	if err != nil {
		return unlessGone(err)
	}
	if pin, err := registry.ParsePin(name); err == nil && len(tagsOf(seen.RepoTags, pin.Repository())) > 0 {
		return nil
	}
	if seen.ID != id {
		return nil
	}
	return h.rmi(ctx, name)
}

// forgetPins lets what was verified of pins be verified anew.
func (h *Host) forgetPins(pins []registry.Pin) {
	if s := h.current(); s != nil {
		for _, pin := range pins {
			s.forget(pin)
		}
	}
}

// keepTags are the full names of the keep-tags of pins.
func keepTags(pins []registry.Pin) []string {
	var names []string
	for _, pin := range pins {
		names = append(names, tagged(pin, keepTag(pin)))
	}
	return names
}

// digestsLast puts tags before digests: a digest goes with its repository's last
// tag.
func digestsLast(names []string) []string {
	ordered := slices.Clone(names)
	slices.SortStableFunc(ordered, func(a, b string) int { return strings.Count(a, "@") - strings.Count(b, "@") })
	return ordered
}

// nameless tells whether an image has no name.
func nameless(seen image.InspectResponse) bool {
	return !slices.ContainsFunc(slices.Concat(seen.RepoTags, seen.RepoDigests), func(name string) bool { return !strings.Contains(name, noName) })
}

// left are the names that were to go and are there.
func left(r warmer.Removal, seen image.InspectResponse) []string {
	there := map[string]bool{}
	for _, name := range slices.Concat(seen.RepoTags, seen.RepoDigests) {
		there[canonical(name)] = true
	}
	var names []string
	for _, name := range append(keepTags(r.Pins), r.Names...) {
		if there[canonical(name)] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
