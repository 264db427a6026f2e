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

// Stop sends the container's stop signal, waits for grace, rounded up to whole
// seconds, and kills. It looks first: a container that does not run, or is gone,
// was not stopped by us. Cancelling ctx does not take the stop back.
func (h *Host) Stop(ctx context.Context, id string, grace time.Duration) (ran bool, err error) {
	seen, err := h.inspect(ctx, id)
	switch {
	case errdefs.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, err
	case !running(seen.State.Status):
		return false, nil
	}
	seconds := int(math.Ceil(min(max(grace, 0), longestGrace).Seconds()))
	limit := time.Duration(seconds)*time.Second + stopSlack
	err = h.call(ctx, limit, "stop container "+short(id), func(ctx context.Context, s *session) error {
		return s.api.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds})
	})
	if errdefs.IsNotFound(err) {
		return true, nil
	}
	return true, err
}

// longestGrace is more patience than a stop needs, and less than a Duration can't
// hold.
const longestGrace = 7 * 24 * time.Hour

// Remove removes a container that has ended or was never started, with its
// anonymous volumes and its log. One that is gone, or that someone is removing,
// is no error; one that runs is: nothing is ever removed by force.
func (h *Host) Remove(ctx context.Context, id string) error {
	if s := h.current(); s != nil {
		s.forgetContainer(id)
	}
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
	var list []container.Summary
	err := h.call(ctx, inspectLimit, "list our containers", func(ctx context.Context, s *session) (err error) {
		list, err = s.api.ContainerList(ctx, container.ListOptions{
			All:     true,
			Filters: filters.NewArgs(filters.Arg("label", fmt.Sprintf("%s=%s", labelInstance, h.instance))),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	var owned []runner.Owned
	for _, c := range list {
		o := runner.Owned{ID: c.ID, Run: c.Labels[labelRun], Running: running(c.State), Created: time.Unix(c.Created, 0).UTC()}
		if c.State == container.StateCreated {
			// The list tells no one that could not be started from one that nobody
			// started.
			seen, err := h.inspect(ctx, c.ID)
			if errdefs.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			o.Fresh = neverStarted(seen.State)
		}
		owned = append(owned, o)
	}
	return owned, nil
}

// running tells whether a container's program still exists.
func running(state container.ContainerState) bool {
	switch state {
	case container.StateRunning, container.StatePaused, container.StateRestarting:
		return true
	}
	return false
}
