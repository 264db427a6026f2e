package dockertest

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// box is a container of the fake.
type box struct {
	id      string
	of      runner.Container
	image   string // the image's id
	named   string // the image as it was named
	foreign bool   // somebody else's
	created time.Time
	process *Process // nil until it is started
	cancel  context.CancelFunc
	failed  string // why it could not be started
	ended   bool
	// seen is the engine's life that saw it end; "" where none did.
	seen string
	exit runner.Exit
	log  []runner.Line
	cut  int           // how many lines of the log are gone
	away []runner.Line // printed while the engine was away
	tick time.Duration // the clock's offset at the last line
	own  map[string][]byte
}

func (b *box) running() bool { return b.process != nil && !b.ended }

func (b *box) fresh() bool { return b.process == nil && b.failed == "" }

func (b *box) kill() {
	if b.cancel != nil {
		b.cancel()
	}
}

// Create makes a container of a pin that is on the host.
func (f *Fake) Create(ctx context.Context, c runner.Container) (runner.Created, error) {
	return called(f, CallCreate, func() (runner.Created, error) { return f.create(ctx, c) })
}

func (f *Fake) create(ctx context.Context, c runner.Container) (runner.Created, error) {
	what := "create container " + c.Name
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reach(ctx, what); err != nil {
		return runner.Created{}, err
	}
	if overMemory(c.Spec) {
		return runner.Created{}, f.refuse(problem.InvalidRequest, what, "the result file lies in memory")
	}
	if len(c.Spec.Aliases) > 0 && c.Spec.Network == "" {
		return runner.Created{}, f.refuse(problem.InvalidRequest, what, "aliases are names in a network")
	}
	img := f.image(c.Pin)
	if img == nil || !f.platform.Runs(img.platform) {
		return runner.Created{}, f.refuse(problem.ImageLost, what, "the image went away")
	}
	if b := f.container(c.Name); b != nil {
		return f.adopt(what, b, c)
	}
	b := f.add(c, img, c.Pin.String())
	for _, name := range volumesOf(c) {
		f.volume(name)
	}
	f.counts.created[c.Run]++
	f.wake()
	return f.made(b), nil
}

// add makes a container of an image. The caller holds the lock.
func (f *Fake) add(c runner.Container, img *held, named string) *box {
	b := &box{id: f.id("container"), of: c, image: img.id, named: named, created: f.now(), own: map[string][]byte{}}
	f.containers[b.id] = b
	return b
}

func (f *Fake) made(b *box) runner.Created {
	return runner.Created{ID: b.id, Life: f.lifeName(), Version: engineVersion}
}

// overMemory tells whether a result would be gone with the program.
func overMemory(s runner.Spec) bool {
	mounts := slices.Clone(s.Mounts)
	if s.Scratch != nil {
		mounts = append(mounts, runner.Mount{Kind: s.Scratch.Kind, Target: s.Scratch.Target})
	}
	return s.Result != "" && slices.ContainsFunc(mounts, func(m runner.Mount) bool { return m.Kind == runner.Tmpfs && below(s.Result, m.Target) })
}

func below(file, folder string) bool { return strings.HasPrefix(file, path.Clean(folder)+"/") }

func (f *Fake) adopt(what string, b *box, c runner.Container) (runner.Created, error) {
	switch {
	case b.of.Run != c.Run || b.of.Pin != c.Pin:
		return runner.Created{}, f.refuse(problem.EngineAPI, what, "the name is taken by a container that is not this run's")
	case !b.fresh():
		return runner.Created{}, f.refuse(problem.EngineAPI, what, "the name is taken by this run's own container, which was started before")
	}
	return f.made(b), nil
}

// container gives the container of an id or a name. The caller holds the lock.
func (f *Fake) container(id string) *box {
	if b := f.containers[id]; b != nil {
		return b
	}
	for _, b := range f.containers {
		if b.of.Name == id {
			return b
		}
	}
	return nil
}

// Start starts the program of a container that was never started.
func (f *Fake) Start(ctx context.Context, id string) error {
	return f.calls(CallStart, func() error { return f.start(ctx, id) })
}

func (f *Fake) start(ctx context.Context, id string) error {
	what := "start container " + id
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.find(ctx, what, id)
	switch {
	case err != nil:
		return err
	case !b.fresh():
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
	b.exit.Started = f.now()
	b.process = newProcess(f, b, args)
	f.happen(warmer.Happening{Used: b.named, At: b.exit.Started})
	go func() {
		code := program(alive, b.process)
		f.end(b, code)
	}()
}

// end records how a container ended, once: a killed program may still return.
func (f *Fake) end(b *box, code int) {
	f.change(func() { f.over(b, code) })
}

// over ends a container. The caller holds the lock.
func (f *Fake) over(b *box, code int) {
	if b.ended {
		return
	}
	b.process.out.close()
	b.process.err.close()
	b.exit.Code, b.exit.Finished = code, f.now()
	if b.exit.Finished.Before(b.exit.Started) {
		b.exit.Finished = b.exit.Started
	}
	b.exit.OOMKilled = b.process.oom
	b.ended = true
	if !f.away {
		b.seen = f.lifeName()
	}
	b.kill()
}

// find gives a container of ours by its id or name. The caller holds the lock.
func (f *Fake) find(ctx context.Context, what, id string) (*box, error) {
	if err := f.reach(ctx, what); err != nil {
		return nil, err
	}
	b := f.container(id)
	if b == nil || b.foreign {
		return nil, f.refuse(problem.ContainerLost, what, "no such container")
	}
	return b, nil
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
