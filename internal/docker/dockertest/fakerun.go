package dockertest

import (
	"context"
	"fmt"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// box is a container of the fake.
type box struct {
	id      string
	of      runner.Container
	process *Process // nil until it is started
	cancel  context.CancelFunc
	failed  string // why it could not be started
	ended   bool
	exit    runner.Exit
	log     []runner.Line
}

func (b *box) running() bool { return b.process != nil && !b.ended }

func (b *box) kill() {
	if b.cancel != nil {
		b.cancel()
	}
}

// Create makes a container of a pin that is on the host.
func (f *Fake) Create(ctx context.Context, c runner.Container) (string, error) {
	what := "create container " + c.Name
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reach(ctx, what); err != nil {
		return "", err
	}
	img := f.images[c.Pin]
	if img == nil || !f.platform.Runs(img.platform) {
		return "", f.refuse(problem.ImageLost, what, "the image went away")
	}
	if b := f.named(c.Name); b != nil {
		return f.adopt(what, b, c)
	}
	b := &box{id: f.id("container"), of: c}
	f.containers[b.id] = b
	f.counts.created[c.Run]++
	f.wake()
	return b.id, nil
}

func (f *Fake) adopt(what string, b *box, c runner.Container) (string, error) {
	switch {
	case b.of.Run != c.Run || b.of.Pin != c.Pin:
		return "", f.refuse(problem.EngineAPI, what, "the name is taken by a container that is not this run's")
	case b.process != nil || b.failed != "":
		return "", f.refuse(problem.EngineAPI, what, "the name is taken by this run's own container, which was started before")
	}
	return b.id, nil
}

func (f *Fake) named(name string) *box {
	for _, b := range f.containers {
		if b.of.Name == name {
			return b
		}
	}
	return nil
}

// Start starts the program of a container that was never started.
func (f *Fake) Start(ctx context.Context, id string) error {
	what := "start container " + id
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.find(ctx, what, id)
	switch {
	case err != nil:
		return err
	case b.process != nil || b.failed != "":
		return f.refuse(problem.StartFailed, what, "it was started before")
	}
	f.counts.started[b.of.Run]++
	program, args, err := f.program(b.of.Spec)
	if err != nil {
		b.failed = err.Error()
		return f.refuse(problem.StartFailed, what, b.failed)
	}
	f.launch(b, program, args)
	f.wake()
	return nil
}

// launch runs a program in a goroutine of its own. The caller holds the lock.
func (f *Fake) launch(b *box, program Program, args []string) {
	alive, cancel := context.WithCancel(context.Background()) // a container outlives the call that starts it
	b.cancel = cancel
	b.exit.Started = time.Now()
	b.process = newProcess(f, b, args)
	go func() {
		code := program(alive, b.process)
		f.end(b, code)
	}()
}

// end records how a container ended, once: a killed program may still return.
func (f *Fake) end(b *box, code int) {
	f.change(func() { b.end(code) })
}

func (b *box) end(code int) {
	if b.ended {
		return
	}
	b.process.out.close()
	b.process.err.close()
	b.exit.Code, b.exit.Finished = code, time.Now()
	b.exit.OOMKilled = b.process.oom
	b.ended = true
	b.kill()
}

// find gives a container. The caller holds the lock.
func (f *Fake) find(ctx context.Context, what, id string) (*box, error) {
	if err := f.reach(ctx, what); err != nil {
		return nil, err
	}
	b := f.containers[id]
	if b == nil {
		return nil, f.refuse(problem.ContainerLost, what, "no such container")
	}
	return b, nil
}

// Wait gives the exit of a container once it has ended.
func (f *Fake) Wait(ctx context.Context, id string) (exit runner.Exit, err error) {
	what := "wait for container " + id
	err = f.until(ctx, what, func() (bool, error) {
		if f.down {
			return false, nil
		}
		b, err := f.find(ctx, what, id)
		switch {
		case err != nil:
			return false, err
		case b.failed != "":
			return false, f.refuse(problem.StartFailed, what, b.failed)
		case b.process == nil:
			return false, f.refuse(problem.StartFailed, what, "it was never started")
		case f.stopping && !b.ended:
			exit = runner.Exit{Started: b.exit.Started, Finished: time.Now()}
			return true, nil
		}
		exit = b.exit
		return b.ended, nil
	})
	if err != nil {
		return runner.Exit{}, err
	}
	return exit, nil
}

// Confirm fails when the engine is down or being stopped.
func (f *Fake) Confirm(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reach(ctx, "greet"); err != nil {
		return err
	}
	if f.stopping {
		return f.unreachable("greet")
	}
	return nil
}

// Stop closes the process's Stopped channel and, after grace, kills.
func (f *Fake) Stop(ctx context.Context, id string, grace time.Duration) error {
	what := "stop container " + id
	f.mu.Lock()
	b, err := f.find(ctx, what, id)
	if err == nil && b.running() {
		b.process.terminate()
	}
	f.mu.Unlock()
	switch {
	case b == nil && problem.CodeOf(err) == problem.ContainerLost:
		return nil
	case err != nil:
		return err
	}
	patient, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	ended := f.until(patient, what, func() (bool, error) { return !b.running(), nil })
	switch {
	case ended == nil:
		return nil
	case ctx.Err() != nil:
		return f.gaveUp(ctx, what)
	}
	f.end(b, exitKilled)
	return nil
}

// Remove removes a container that does not run.
func (f *Fake) Remove(ctx context.Context, id string) error {
	what := "remove container " + id
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.find(ctx, what, id)
	switch {
	case b == nil && problem.CodeOf(err) == problem.ContainerLost:
		return nil
	case err != nil:
		return err
	case b.running():
		return f.refuse(problem.EngineAPI, what, "it runs")
	}
	delete(f.containers, id)
	f.wake()
	return nil
}

// Owned lists all containers: the fake has none of anybody else.
func (f *Fake) Owned(ctx context.Context) ([]runner.Owned, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reach(ctx, "list our containers"); err != nil {
		return nil, err
	}
	var owned []runner.Owned
	for _, b := range f.containers {
		owned = append(owned, runner.Owned{ID: b.id, Run: b.of.Run, Running: b.running()})
	}
	return owned, nil
}

// program finds what a spec executes. The image's entrypoint is /program, and
// its first argument names the program, as in the image of package fleet.
func (f *Fake) program(s runner.Spec) (Program, []string, error) {
	argv := s.Entrypoint
	if len(argv) == 0 {
		argv = []string{"/program"}
	}
	argv = append(argv[:len(argv):len(argv)], s.Command...)
	if argv[0] != "/program" {
		return nil, nil, fmt.Errorf("the command %q is not in the image", argv[0])
	}
	name, args := "", argv[1:]
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	if p, ok := f.programs[name]; ok {
		return p, args, nil
	}
	return unknown(name), args, nil
}

// Program registers what "/program NAME ARGS..." does in containers that start
// from now on.
func (f *Fake) Program(name string, run Program) {
	f.change(func() { f.programs[name] = run })
}
