package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

const (
	// waitLook is how often a pending wait is given up for a look at the
	// container: a wait that hangs must not hide an end for longer.
	waitLook = time.Minute
	// After a wait that broke, the next comes after waitPause, then after twice
	// as long, up to waitPauseMax.
	waitPause    = 250 * time.Millisecond
	waitPauseMax = 10 * time.Second
	// confirmLimit is how long an engine may take to greet a new connection. One
	// that is being stopped refuses it, or stays silent under socket activation.
	confirmLimit = time.Second
)

// errNotEnded is how the engine's "not running" differs from "ended".
var errNotEnded = errors.New("the container runs")

// Wait returns how the container ended, however often the engine is lost on the
// way: it waits, and when that breaks looks, and waits again. Only its context,
// a container that is gone or one that was never started end it without an
// Exit. What it returns is the engine's word; Confirm tells whether that engine
// is being stopped, in which case it lies; Exit.Unwitnessed tells whether it may
// have been restarted meanwhile, in which case the exit may be its own doing.
func (h *Host) Wait(ctx context.Context, id string) (runner.Exit, error) {
	pause := waitPause
	life := h.lifeOf(ctx, id)
	broken := false
	for {
		waitErr := h.waitOnce(ctx, id)
		exit, err := h.exit(ctx, id)
		switch {
		case err == nil:
			// Asked after the exit was read: whoever answered that is of this
			// life or an earlier one. Under socket activation a restart can hide
			// in a single round.
			now := h.life(ctx)
			exit.Unwitnessed = now != life
			if now == "" { // no network to tell by
				exit.Unwitnessed = broken || waitErr != nil
			}
			return exit, nil
		case ctx.Err() != nil:
			return runner.Exit{}, h.gaveUp(ctx, "wait for container "+short(id))
		case errdefs.IsNotFound(err):
			return runner.Exit{}, problem.Wrap(problem.ContainerLost, err,
				fmt.Sprintf("wait for container %s on host %s: somebody removed it", short(id), h.name), "find out who removes containers there")
		case problem.CodeOf(err) == problem.StartFailed:
			return runner.Exit{}, err
		case errors.Is(err, errNotEnded) && errors.Is(waitErr, context.DeadlineExceeded):
			pause = waitPause // the regular look
			continue
		}
		broken = true
		h.log.Debug("a wait broke and is taken up again", "container", short(id), "wait", waitErr, "look", err, "pause", pause)
		if sleep(ctx, pause) == nil {
			pause = min(2*pause, waitPauseMax)
		}
	}
}

// waitOnce blocks until the engine says that the container does not run, or
// until it is time for a look. It says nothing of how the container ended:
// "not running" holds for a created one as well.
func (h *Host) waitOnce(ctx context.Context, id string) error {
	s, err := h.connect(ctx)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, waitLook)
	defer cancel()
	results, errs := s.api.ContainerWait(waiting, id, container.WaitConditionNotRunning)
	// One of the two always comes, soon after the context has ended. Leaving
	// earlier would leave the client's goroutine behind.
	select {
	case <-results:
		return nil
	case err := <-errs:
		if unanswered(err) && waiting.Err() == nil {
			h.drop(s)
		}
		return errors.Join(err, waiting.Err())
	}
}

// exit reads how a container ended; errNotEnded while it runs.
func (h *Host) exit(ctx context.Context, id string) (runner.Exit, error) {
	seen, err := h.inspect(ctx, id)
	if err != nil {
		return runner.Exit{}, err
	}
	state := seen.State
	started := engineTime(state.StartedAt)
	switch {
	case started.IsZero() && state.Error != "":
		return runner.Exit{}, h.startFailure(seen, errors.New(state.Error))
	case state.Status == container.StateCreated:
		return runner.Exit{}, problem.New(problem.StartFailed,
			fmt.Sprintf("wait for container %s on host %s: it was never started", short(id), h.name), "")
	case state.Running || state.Restarting:
		return runner.Exit{}, errNotEnded
	}
	finished := engineTime(state.FinishedAt)
	if finished.Before(started) {
		// The engine writes down the start after the program runs: one that
		// ends at once was seen to end 0.7 ms before it started.
		finished = started
	}
	return runner.Exit{
		Code: state.ExitCode, OOMKilled: state.OOMKilled,
		Started: started, Finished: finished, Detail: state.Error,
	}, nil
}

// Confirm asks for a sign of life over a connection of its own, within one
// second.
func (h *Host) Confirm(ctx context.Context) error {
	const what = "greet"
	greeting, cancel := context.WithTimeout(ctx, confirmLimit)
	defer cancel()
	if err := h.ping(greeting, h.open); err != nil {
		return h.explain(ctx, h.current(), what, err)
	}
	return nil
}
