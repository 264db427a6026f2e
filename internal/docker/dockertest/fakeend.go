package dockertest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// Look tells how a container stands.
func (f *Fake) Look(ctx context.Context, id string) (runner.Look, error) {
	return called(f, CallLook, func() (runner.Look, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		b, err := f.find(ctx, "look at container "+id, id)
		if err != nil {
			return runner.Look{}, err
		}
		return runner.Look{ID: b.id, Running: b.running(), Fresh: b.fresh(), Failed: b.failed, Life: f.lifeName()}, nil
	})
}

// Wait gives the exit of a container once it has ended.
func (f *Fake) Wait(ctx context.Context, id, life string) (runner.Exit, error) {
	return called(f, CallWait, func() (runner.Exit, error) { return f.wait(ctx, id, life) })
}

func (f *Fake) wait(ctx context.Context, id, life string) (exit runner.Exit, err error) {
	what := "wait for container " + id
	err = f.until(ctx, what, func() (bool, error) {
		b, err := f.find(ctx, what, id)
		switch {
		case err != nil:
			return false, err
		case b.failed != "":
			return false, f.refuse(problem.StartFailed, what, b.failed)
		case b.process == nil:
			return false, f.refuse(problem.StartFailed, what, "it was never started")
		case f.stopping && !b.ended:
			exit = runner.Exit{Started: b.exit.Started, Finished: f.now()}
			return true, nil
		case !b.ended:
			life = f.lifeName() // it survived what was before
			return false, nil
		}
		exit = f.judge(b, life)
		return true, nil
	})
	if err != nil {
		return runner.Exit{}, err
	}
	return exit, nil
}

// judge gives an exit as it is seen by who saw the container run in a life. The
// caller holds the lock.
func (f *Fake) judge(b *box, life string) runner.Exit {
	exit, now := b.exit, f.lifeName()
	switch {
	case life == "": // the engine's event of the end tells
		exit.Unwitnessed = b.seen != now
	case strings.HasSuffix(life, restores) && strings.HasSuffix(now, restores):
		if b.seen != now {
			exit.Unwitnessed = exit.Code == madeUp
			exit.LogGap = "the engine was down when the container ended: what it printed then is lost"
		}
	default:
		exit.Unwitnessed = life != now
	}
	return exit
}

// Confirm fails when the engine is down or being stopped.
func (f *Fake) Confirm(ctx context.Context) error {
	return f.calls(CallConfirm, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if err := f.reach(ctx, "greet"); err != nil {
			return err
		}
		if f.stopping {
			return f.unreachable("greet")
		}
		return nil
	})
}

// Stop closes the process's Stopped channel and, after grace, kills.
func (f *Fake) Stop(ctx context.Context, id string, grace time.Duration) (bool, error) {
	ran := false
	err := f.calls(CallStop, func() (err error) {
		ran, err = f.stop(ctx, id, grace)
		return err
	})
	return ran, err // a stop whose answer was lost was sent all the same
}

func (f *Fake) stop(ctx context.Context, id string, grace time.Duration) (ran bool, err error) {
	what := "stop container " + id
	f.mu.Lock()
	b, err := f.find(ctx, what, id)
	if ran = err == nil && b.running(); ran {
		b.process.terminate()
		f.counts.stopped[b.of.Run]++
		// The engine's own: it comes whatever becomes of the call.
		time.AfterFunc(grace, func() { f.end(b, exitKilled) })
	}
	f.mu.Unlock()
	switch {
	case problem.CodeOf(err) == problem.ContainerLost:
		return false, nil
	case err != nil || !ran:
		return false, err
	}
	return true, f.until(ctx, what, func() (bool, error) {
		if err := f.reach(ctx, what); err != nil {
			return false, err
		}
		return !b.running(), nil
	})
}

// Remove removes a container that does not run.
func (f *Fake) Remove(ctx context.Context, id string) error {
	return f.calls(CallRemove, func() error {
		what := "remove container " + id
		f.mu.Lock()
		defer f.mu.Unlock()
		b, err := f.find(ctx, what, id)
		switch {
		case problem.CodeOf(err) == problem.ContainerLost:
			return nil
		case err != nil:
			return err
		case b.running():
			return f.refuse(problem.EngineAPI, what, "it runs")
		}
		delete(f.containers, b.id)
		f.wake()
		return nil
	})
}

// Owned lists our containers.
func (f *Fake) Owned(ctx context.Context) ([]runner.Owned, error) {
	return called(f, CallOwned, func() ([]runner.Owned, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if err := f.reach(ctx, "list our containers"); err != nil {
			return nil, err
		}
		var owned []runner.Owned
		for _, b := range f.containers {
			if b.foreign {
				continue
			}
			owned = append(owned, runner.Owned{ID: b.id, Run: b.of.Run, Running: b.running(), Fresh: b.fresh(), Created: b.created})
		}
		return owned, nil
	})
}

// Secrets gives what stands in a container's environment.
func (f *Fake) Secrets(ctx context.Context, id string, names []string) ([]string, error) {
	return called(f, CallSecrets, func() ([]string, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		b, err := f.find(ctx, "read the environment of container "+id, id)
		if err != nil {
			return nil, err
		}
		values := make([]string, len(names))
		for _, e := range environ(b.of) {
			name, value, _ := strings.Cut(e, "=")
			if i := slices.Index(names, name); i >= 0 {
				values[i] = value
			}
		}
		return values, nil
	})
}

// Result gives a file that the container's program wrote.
func (f *Fake) Result(ctx context.Context, id, path string, limit int64) ([]byte, error) {
	return called(f, CallResult, func() ([]byte, error) {
		what := "read " + path + " of container " + id
		f.mu.Lock()
		defer f.mu.Unlock()
		b, err := f.find(ctx, what, id)
		if err != nil {
			return nil, err
		}
		files, name := f.place(b, path)
		data, ok := files[name]
		switch {
		case !ok:
			return nil, f.refuse(problem.ResultMissing, what, "the program left no such file")
		case int64(len(data)) > limit:
			return nil, f.refuse(problem.ResultTooLarge, what, "it is too long")
		}
		return slices.Clone(data), nil
	})
}
