package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

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
	// sawEndLimit is how long the events that an engine keeps may take to come.
	sawEndLimit = time.Second
	// toldWithin is how long after an end the engine's event of it comes. It waits
	// for the log until then, some 100 ms; the start of an engine takes longer.
	toldWithin = time.Second
	// madeUp is the code of a container whose end nobody saw.
	madeUp = 255

	gapEngineDown      = "the engine was down when the container ended, or may have been: what it printed then is lost"
	gapEngineRestarted = "the engine was restarted while the container ran, or may have been: what it had in hand then may be lost"
)

// errNotEnded is how the engine's "not running" differs from "ended".
var errNotEnded = errors.New("the container runs")

// Wait returns how a container that was seen running in an engine's life ended,
// once it has. A wait that breaks while the engine answers is taken up again;
// where the engine stops answering, Wait ends with problem.HostUnreachable. It
// ends without an Exit, too, for a container that is gone (problem.ContainerLost)
// or was never started (StartFailed).
//
// What it returns is the engine's word; Confirm tells whether that engine is
// being stopped, in which case it lies. Exit.Unwitnessed tells whether it may
// have been restarted since that life, in which case the exit may be its own
// doing. A container that runs in another life survived, and the rest is
// witnessed in that one.
func (h *Host) Wait(ctx context.Context, id, life string) (runner.Exit, error) {
	w := witness{life: life}
	pause := waitPause
	for {
		// First of all a look: it may have ended in another life long ago.
		exit, err := h.attend(ctx, id, &w)
		if !errors.Is(err, errNotEnded) {
			return exit, h.waitError(ctx, id, err)
		}
		waitErr := h.waitThrough(ctx, id)
		exit, err = h.exit(ctx, id)
		switch {
		case err == nil:
			w.broken = waitErr != nil
			exit, err = h.judge(ctx, id, exit, w)
			return exit, h.waitError(ctx, id, err)
		case !errors.Is(err, errNotEnded):
			return runner.Exit{}, h.waitError(ctx, id, err)
		}
		h.log.Debug("a wait broke and is taken up again", "container", short(id), "error", waitErr, "pause", pause)
		if err := sleep(ctx, pause); err != nil {
			return runner.Exit{}, h.gaveUp(ctx, waiting(id))
		}
		pause = min(2*pause, waitPauseMax)
	}
}

// witness is who saw a container run.
type witness struct {
	life    string // the engine's; "": can't be told
	running bool   // this very Wait saw it running in that life
	broken  bool   // and lost sight of it
}

// attend looks at a container. One that runs is from then on witnessed by the
// life that was read before the look, be it another than the one so far.
func (h *Host) attend(ctx context.Context, id string, w *witness) (runner.Exit, error) {
	life, err := h.life(ctx)
	if err != nil {
		return runner.Exit{}, err
	}
	exit, err := h.exit(ctx, id)
	switch {
	case err == nil:
		return h.judge(ctx, id, exit, *w)
	case errors.Is(err, errNotEnded):
		*w = witness{life: life, running: true}
	}
	return runner.Exit{}, err
}

// waitError words what ended a wait without an exit.
func (h *Host) waitError(ctx context.Context, id string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return h.gaveUp(ctx, waiting(id))
	case errdefs.IsNotFound(err):
		return h.gone(waiting(id), err)
	}
	return err
}

func waiting(id string) string { return "wait for container " + short(id) }

// judge says what an exit is worth that was found under a witness. The life is
// read after the exit: whoever answered that is of this life or an earlier one.
// Under socket activation a restart can hide between any two calls.
func (h *Host) judge(ctx context.Context, id string, exit runner.Exit, w witness) (runner.Exit, error) {
	now, err := h.life(ctx)
	if err != nil {
		return runner.Exit{}, err
	}
	same, survives := sameLife(w.life, now), liveRestore(w.life) && liveRestore(now)
	if same { // and where live-restore was switched on or off in it, it may hide another one
		survives = liveRestore(w.life) || liveRestore(now)
	}
	switch {
	case same && w.running && !w.broken: // seen to its end
	case w.life != "" && now != "" && !survives:
		exit.Unwitnessed = !same
	case h.sawEnd(ctx, id, exit.Finished):
	case survives:
		// The engine may have been down. It asked containerd for the code then,
		// or made one up where its containerd had gone with it.
		exit.Unwitnessed = exit.Code == madeUp
		exit.LogGap = gapEngineDown
	default: // no network to tell by
		exit.Unwitnessed = true
	}
	if survives && exit.LogGap == "" {
		// A container that outlives its engine keeps what it prints meanwhile, but
		// not what the engine had in hand when it ended (seen once: 99 lines of a
		// hundred).
		if _, told := h.remembers(ctx, id, events.ActionStart); !told {
			exit.LogGap = gapEngineRestarted
		}
	}
	return exit, nil
}

// sawEnd tells whether the engine, in its present life, was there when a
// container ended: only then it has an event of that moment. One that finds its
// containers ended when it starts makes an event of each as well, but later than
// their ends.
func (h *Host) sawEnd(ctx context.Context, id string, finished time.Time) bool {
	at, told := h.remembers(ctx, id, events.ActionDie)
	return told && at.Sub(finished) < toldWithin
}

// remembers tells when something happened to a container in the engine's present
// life. It keeps the last 256 events of all kinds, so a "no" proves nothing.
func (h *Host) remembers(ctx context.Context, id string, what events.Action) (at time.Time, told bool) {
	_ = h.call(ctx, sawEndLimit, "ask for events of container "+short(id), func(ctx context.Context, s *session) error { // no answer is a no
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		kept, errs := s.api.Events(ctx, events.ListOptions{
			Since:   "1", // what is kept, at once; then nothing comes until the limit
			Filters: filters.NewArgs(filters.Arg("container", id), filters.Arg("event", string(what))),
		})
		select {
		case e := <-kept:
			at, told = time.Unix(0, e.TimeNano), true
		case err := <-errs:
			h.log.Debug("the engine has no word of a container", "container", short(id), "of", what, "error", err)
		}
		cancel()
		for range errs { // the client's goroutine ends with its channel
		}
		return nil
	})
	return at, told
}

// waitThrough waits until the container has ended, as far as the engine says, or
// the wait breaks. It is taken up every minute: a wait that hangs must not hide
// an end for longer.
func (h *Host) waitThrough(ctx context.Context, id string) error {
	for {
		err := h.waitOnce(ctx, id)
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return err
		}
		if _, err := h.exit(ctx, id); !errors.Is(err, errNotEnded) {
			return nil
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
	return runner.Exit{
		Code: state.ExitCode, OOMKilled: state.OOMKilled,
		Started: started, Finished: endOf(state), Detail: state.Error,
	}, nil
}

// endOf is when a container that is no longer running ended. The engine writes down
// the start after the program runs: one that ended at once was seen to end 0.7 ms
// before it started.
func endOf(state *container.State) time.Time {
	started, finished := engineTime(state.StartedAt), engineTime(state.FinishedAt)
	if finished.Before(started) {
		return started
	}
	return finished
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
