package docker

import (
	"context"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// A mirror has another name than the origin, and an engine knows content only by
// the name under which it was pulled. So a pull goes in two steps: mirror/repo@D
// brings the layers, then repo@D from the origin brings the name, for which the
// engine asks there for the manifest and nothing else. In between the mirror's
// name carries a tag of ours. That tag says that the name is ours to drop, also
// after a crash; and removing it, one call, takes mirror/repo@D along exactly
// when no tag of anyone else in that repository is there.

// mirrorTag is the tag that marks a mirror's name as ours. It is not the
// keep-tag: the mirror's repository may be an image of the configuration, too.
func mirrorTag(pin registry.Pin) string { return ownTags + "mirror-" + pin.Digest().Hex() }

// mirrored gives pin as its mirror has it, if there is a mirror.
func (h *Host) mirrored(pin registry.Pin) (registry.Pin, bool) {
	if h.mirror == nil {
		return registry.Pin{}, false
	}
	repo, ok := h.mirror(pin.Repository())
	return registry.NewPin(repo, pin.Digest()), ok && repo != pin.Repository()
}

// fetch pulls pin: its layers from the mirror where there is one that has them,
// the rest from the origin.
func (h *Host) fetch(ctx context.Context, pin registry.Pin, sum *tally) error {
	there, ok := h.mirrored(pin)
	if !ok {
		return h.pull(ctx, pin, sum.next())
	}
	err := h.fetchMirrored(ctx, there, sum.next())
	switch {
	case err == nil:
	case ctx.Err() != nil, !originMayHelp(err):
		return err
	default:
		h.log.Warn("the mirror does not serve, the image is pulled from its origin", "pin", pin, "mirror", there.Repository(), "error", err)
	}
	return h.pull(ctx, pin, sum.next())
}

// originMayHelp tells whether what failed at a mirror can go well at the origin.
func originMayHelp(err error) bool {
	switch problem.CodeOf(err) {
	case problem.HostUnreachable, problem.NoSpace, problem.PlatformMissing:
		return false
	}
	return true
}

// fetchMirrored pulls from the mirror and marks its name as ours. A name that is
// there already is somebody else's, or ours from before: its layers are there.
func (h *Host) fetchMirrored(ctx context.Context, there registry.Pin, progress func(warmer.Progress)) error {
	seen, err := h.look(ctx, there)
	if err != nil || seen.verdict == held {
		return err
	}
	if err := h.pull(ctx, there, progress); err != nil {
		return err
	}
	what := "mark image " + there.String()
	return h.call(ctx, inspectLimit, what, func(ctx context.Context, s *session) error {
		return s.api.ImageTag(ctx, there.String(), tagged(there, mirrorTag(there)))
	})
}

// dropMirrored drops the mirror's name, if we gave it. That it stays costs
// nothing as long as the image is wanted, so it is no reason to fail.
func (h *Host) dropMirrored(ctx context.Context, pin registry.Pin) {
	there, ok := h.mirrored(pin)
	if !ok {
		return
	}
	name := tagged(there, mirrorTag(there))
	err := h.call(ctx, removeLimit, "drop "+name, func(ctx context.Context, s *session) error {
		_, err := s.api.ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true})
		return err
	})
	if err != nil && !errdefs.IsNotFound(err) && ctx.Err() == nil {
		h.log.Warn("the mirror's name of an image stays behind", "name", name, "error", err)
	}
}
