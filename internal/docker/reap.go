package docker

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"github.com/prewarm/prewarm/runner"
)

// Stop sends the image's stop signal, waits for grace, rounded up to whole
// seconds, and kills. A container that has ended or is gone is no error.
// Cancelling ctx does not take the stop back.
func (h *Host) Stop(ctx context.Context, id string, grace time.Duration) error {
	seconds := int(math.Ceil(max(grace, 0).Seconds()))
	limit := time.Duration(seconds)*time.Second + stopSlack
	err := h.call(ctx, limit, "stop container "+short(id), func(ctx context.Context, s *session) error {
		return s.api.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds})
	})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// Remove removes a container that has ended or was never started, with its
// anonymous volumes and its log. One that is gone, or that someone is removing,
// is no error; one that runs is: nothing is ever removed by force.
func (h *Host) Remove(ctx context.Context, id string) error {
	if s := h.current(); s != nil {
		s.takeFresh(id)
	}
	h.mu.Lock()
	delete(h.lives, id)
	h.mu.Unlock()
	err := h.call(ctx, removeLimit, "remove container "+short(id), func(ctx context.Context, s *session) error {
		return s.api.ContainerRemove(ctx, id, container.RemoveOptions{RemoveVolumes: true})
	})
	switch {
	case errdefs.IsNotFound(err):
		return nil
	case errdefs.IsConflict(err) && h.going(ctx, id):
		return nil
	}
	return err
}

// going tells whether a container is being removed or is gone: the engine
// answers the same conflict for that and for one that runs.
func (h *Host) going(ctx context.Context, id string) bool {
	seen, err := h.inspect(ctx, id)
	return errdefs.IsNotFound(err) || (err == nil && seen.State.Status == container.StateRemoving)
}

// Owned lists the containers that carry our instance's label, ended ones too.
func (h *Host) Owned(ctx context.Context) ([]runner.Owned, error) {
	var owned []runner.Owned
	err := h.call(ctx, inspectLimit, "list our containers", func(ctx context.Context, s *session) error {
		list, err := s.api.ContainerList(ctx, container.ListOptions{
			All:     true,
			Filters: filters.NewArgs(filters.Arg("label", fmt.Sprintf("%s=%s", labelInstance, h.instance))),
		})
		for _, c := range list {
			owned = append(owned, runner.Owned{ID: c.ID, Run: c.Labels[labelRun], Running: running(c.State)})
		}
		return err
	})
	return owned, err
}

// running tells whether a container's program still exists.
func running(state container.ContainerState) bool {
	switch state {
	case container.StateRunning, container.StatePaused, container.StateRestarting:
		return true
	}
	return false
}
