package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// Look tells how a container of ours, by its id or its name, stands now. One
// that is not there, that is being removed or that belongs to somebody else is
// problem.ContainerLost.
func (h *Host) Look(ctx context.Context, id string) (runner.Look, error) {
	what := "look at container " + short(id)
	life, err := h.life(ctx)
	if err != nil {
		return runner.Look{}, err
	}
	seen, err := h.inspect(ctx, id)
	switch {
	case errdefs.IsNotFound(err):
		return runner.Look{}, h.gone(what, err)
	case err != nil:
		return runner.Look{}, err
	case seen.Config.Labels[labelInstance] != h.instance:
		return runner.Look{}, problem.New(problem.ContainerLost, fmt.Sprintf("%s on host %s: a container of that name is not ours", what, h.name), "remove or rename that container")
	case seen.State.Status == container.StateRemoving:
		return runner.Look{}, h.gone(what, errors.New("it is being removed"))
	}
	look := runner.Look{ID: seen.ID, Running: running(seen.State.Status), Fresh: neverStarted(seen.State), Life: life}
	if engineTime(seen.State.StartedAt).IsZero() {
		look.Failed = seen.State.Error
	}
	return look, nil
}

// Secrets gives the values that variables have in a container, in the order of
// their names; "" for one that it does not have.
func (h *Host) Secrets(ctx context.Context, id string, names []string) ([]string, error) {
	seen, err := h.inspect(ctx, id)
	switch {
	case errdefs.IsNotFound(err):
		return nil, h.gone("read the environment of container "+short(id), err)
	case err != nil:
		return nil, err
	}
	values := make([]string, len(names))
	for _, e := range seen.Config.Env {
		name, value, _ := strings.Cut(e, "=")
		if i := slices.Index(names, name); i >= 0 {
			values[i] = value
		}
	}
	return values, nil
}
