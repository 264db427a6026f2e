package docker

import (
	"context"
	"fmt"
	"maps"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/volume"

	"github.com/prewarm/prewarm/internal/problem"
)

// MakeVolume makes the volume of a scope, with our instance's label on top of
// those given. One of ours that is there is no error; one of somebody else's is
// problem.EngineAPI.
func (h *Host) MakeVolume(ctx context.Context, name string, labels map[string]string) error {
	own := maps.Clone(labels)
	if own == nil {
		own = map[string]string{}
	}
	own[labelInstance] = h.instance
	what := "make volume " + name
	var made volume.Volume
	err := h.call(ctx, createLimit, what, func(ctx context.Context, s *session) (err error) {
		made, err = s.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: own})
		return err
	})
	if err != nil {
		return err
	}
	return h.oursAlone(what, made)
}

// RemoveVolume removes a volume of a scope. One that is gone is no error, one
// that a container uses is problem.VolumeInUse, one of somebody else's, and our
// marker, problem.EngineAPI.
func (h *Host) RemoveVolume(ctx context.Context, name string) error {
	what := "remove volume " + name
	var there volume.Volume
	err := h.call(ctx, inspectLimit, what, func(ctx context.Context, s *session) (err error) {
		there, err = s.api.VolumeInspect(ctx, name)
		return err
	})
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err == nil {
		err = h.oursAlone(what, there)
	}
	if err != nil {
		return err
	}
	err = h.call(ctx, removeLimit, what, func(ctx context.Context, s *session) error { return s.api.VolumeRemove(ctx, name, false) })
	switch {
	case errdefs.IsNotFound(err):
		return nil
	case errdefs.IsConflict(err):
		return problem.Wrap(problem.VolumeInUse, problem.From(err).Err, fmt.Sprintf("%s on host %s: a container uses it", what, h.name), "remove that container")
	}
	return err
}

// oursAlone refuses a volume of another instance or of nobody's, and the marker.
func (h *Host) oursAlone(what string, v volume.Volume) error {
	if v.Labels[labelInstance] == h.instance && v.Labels[labelMarker] == "" {
		return nil
	}
	return problem.New(problem.EngineAPI, fmt.Sprintf("%s on host %s: a volume of that name is there, and it is not a scope's of this instance", what, h.name),
		"remove or rename that volume")
}
