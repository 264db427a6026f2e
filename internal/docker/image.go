package docker

import (
	"context"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// verdict is what a look at a pin on the engine came to.
type verdict int

const (
	absent   verdict = iota // the engine does not know the pin
	unproven                // something is there, but the engine does not vouch for the digest
	alien                   // the digest is there, made for another platform
	held                    // a copy
)

// sight is a verdict, with the copy where there is one.
type sight struct {
	warmer.Copy
	verdict verdict
	layers  int
}

// Inspect tells whether the engine holds pin, verified.
func (h *Host) Inspect(ctx context.Context, pin registry.Pin) (warmer.Copy, bool, error) {
	seen, err := h.look(ctx, pin)
	if err != nil || seen.verdict != held {
		return warmer.Copy{}, false, err
	}
	return seen.Copy, true, nil
}

// look inspects pin by its digest: never by listing names, which say what a
// tag points at and not what is there.
func (h *Host) look(ctx context.Context, pin registry.Pin) (sight, error) {
	if pin.IsZero() {
		return sight{}, problem.New(problem.Internal, "inspect an image on host "+h.name+": no pin was given", "")
	}
	var seen sight
	what := "inspect image " + pin.String()
	err := h.call(ctx, inspectLimit, what, func(ctx context.Context, s *session) error {
		known, err := h.factsOf(ctx, s)
		if err != nil {
			return err
		}
		img, err := s.api.ImageInspect(ctx, pin.String())
		if errdefs.IsNotFound(err) {
			s.forget(pin)
			return nil
		}
		if err != nil {
			return err
		}
		seen = judge(pin, known, img)
		if seen.verdict == held {
			s.verified(pin, img.ID)
			seen.Bytes = unpacked(ctx, s, pin, known, img)
		}
		return nil
	})
	return seen, err
}

// judge holds what the engine says of an image against the pin it was asked
// for.
func judge(pin registry.Pin, known facts, img image.InspectResponse) sight {
	made := registry.Platform{OS: img.Os, Architecture: img.Architecture, Variant: img.Variant}
	switch {
	case !vouches(img.RepoDigests, pin), known.store == containerd && img.ID != string(pin.Digest()):
		return sight{verdict: unproven}
	case !known.platform.Runs(made):
		return sight{verdict: alien, Copy: warmer.Copy{Platform: made}}
	}
	c := warmer.Copy{ID: img.ID, Platform: made}
	for _, tag := range tagsOf(img.RepoTags, pin.Repository()) {
		switch {
		case tag == keepTag(pin):
			c.Kept = true
		case !strings.HasPrefix(tag, ownTags):
			c.Tags = append(c.Tags, tag)
		}
	}
	return sight{verdict: held, Copy: c, layers: len(img.RootFS.Layers)}
}

// vouches tells whether the engine lists pin among the digests of an image. The
// engine writes Docker Hub's names short, so both sides are parsed.
func vouches(repoDigests []string, pin registry.Pin) bool {
	for _, s := range repoDigests {
		if got, err := registry.ParsePin(s); err == nil && got == pin {
			return true
		}
	}
	return false
}

// tagsOf gives an image's tags in one repository, sorted. The containerd store
// lists digests among them, which no ref parses from.
func tagsOf(repoTags []string, repo registry.Repository) []string {
	var tags []string
	for _, s := range repoTags {
		if ref, err := registry.ParseRef(s); err == nil && ref.Repository() == repo {
			tags = append(tags, ref.Tag())
		}
	}
	slices.Sort(tags)
	return tags
}

// ownTags is how every tag begins that we set for ourselves.
const ownTags = "prewarm-"

// keepTag is the tag that keeps pin on an engine. It stands in the pin's own
// repository: with a keep-tag elsewhere, docker rmi of the repository's last
// tag takes repo@digest along, content kept and pin gone.
func keepTag(pin registry.Pin) string { return ownTags + pin.Digest().Hex() }

// tagged is the full name of a tag in the repository of a pin.
func tagged(pin registry.Pin, tag string) string { return pin.Repository().String() + ":" + tag }

// unpacked is the size of the image's files. The classic store says it at once;
// the containerd store's inspect gives the packed size only, and its list packed
// and unpacked together. Size is for people, so a list that fails or misses the
// image leaves the packed size.
func unpacked(ctx context.Context, s *session, pin registry.Pin, known facts, img image.InspectResponse) int64 {
	if known.store == classic {
		return img.Size
	}
	list, err := s.api.ImageList(ctx, image.ListOptions{
		Filters: filters.NewArgs(filters.Arg("reference", pin.Repository().Familiar())),
	})
	if err != nil {
		return img.Size
	}
	for _, e := range list {
		if e.ID == img.ID && e.Size > img.Size {
			return e.Size - img.Size
		}
	}
	return img.Size
}
