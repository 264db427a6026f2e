package docker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/prewarm/prewarm/internal/problem"
)

const (
	// lostReplyLooks is how often, and lostReplyPause how far apart, Start looks
	// at a container whose start was never answered: 5 s, in which an engine
	// whose connection broke is back or has done what it was asked.
	lostReplyLooks = 10
	lostReplyPause = 500 * time.Millisecond
)

// Start starts a container that was never started. The engine itself would
// start an ended one again and so execute the job twice: anything but a fresh
// container is refused with problem.StartFailed. When the engine's reply is
// lost, Start looks what became of the container: one that runs was started. Of
// one that has ended, or is gone, nobody can tell: problem.HostUnreachable.
func (h *Host) Start(ctx context.Context, id string) error {
	s, err := h.connect(ctx)
	if err != nil {
		return err
	}
	// Right after Create nobody but us knows the container, and a look would
	// only cost a round trip.
	if !s.takeFresh(id) {
		if err := h.startable(ctx, id); err != nil {
			return err
		}
	}
	err = h.call(ctx, startLimit, "start container "+short(id), func(ctx context.Context, s *session) error {
		return s.api.ContainerStart(ctx, id, container.StartOptions{})
	})
	switch {
	case err == nil:
		return nil
	case problem.CodeOf(err) == problem.HostUnreachable:
		return h.lookAfterStart(ctx, id, err)
	case problem.CodeOf(err) == problem.EngineAPI:
		return h.notStarted(ctx, id, err)
	}
	return err
}

// startable refuses a container that was started before, or tried to.
func (h *Host) startable(ctx context.Context, id string) error {
	seen, err := h.inspect(ctx, id)
	if err != nil {
		return err
	}
	if neverStarted(seen.State) {
		return nil
	}
	return problem.New(problem.StartFailed,
		fmt.Sprintf("start container %s on host %s: it was started before (%s)", short(id), h.name, seen.State.Status),
		"submit the task again: a container runs once")
}

// lookAfterStart finds out what became of a start whose reply was lost.
func (h *Host) lookAfterStart(ctx context.Context, id string, lost error) error {
	for range lostReplyLooks {
		seen, err := h.inspect(ctx, id)
		switch {
		case err == nil && seen.State.Running:
			return nil
		case err == nil && !engineTime(seen.State.StartedAt).IsZero():
			return lost // it has ended, and nobody can tell in which life of the engine
		case err == nil && seen.State.Error != "":
			return h.startFailure(seen, fmt.Errorf("%s", seen.State.Error))
		case errdefs.IsNotFound(err):
			return lost // it may have run before somebody removed it
		}
		if err := sleep(ctx, lostReplyPause); err != nil {
			break
		}
	}
	return lost
}

// notStarted says why the engine refused to start a container.
func (h *Host) notStarted(ctx context.Context, id string, err error) error {
	seen, gone := h.inspect(ctx, id)
	if gone != nil {
		return err
	}
	return h.startFailure(seen, problem.From(err).Err)
}

// startFailure words a failed start, with the command where that is what fails.
func (h *Host) startFailure(seen container.InspectResponse, said error) error {
	message := fmt.Sprintf("start container %s on host %s", strings.TrimPrefix(seen.Name, "/"), h.name)
	found, known := heard(startSayings, said.Error())
	switch {
	case !known:
		return problem.Wrap(problem.StartFailed, said, message, "correct what the engine names")
	case found.mend == mendCommand:
		found.means = fmt.Sprintf("the command %q is not in the image %s", seen.Path, seen.Config.Image)
	}
	return problem.Wrap(found.code, said, message+": "+found.means, found.mend)
}

// sleep waits for d or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
