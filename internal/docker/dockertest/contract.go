package dockertest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// Subject is an engine under test and what it can pull. The engine holds none
// of the pins and no container of its instance.
type Subject struct {
	Engine Engine
	// Mirrored gives the same engine, told to pull from Mirror what lives in
	// Good's repository. Mirror has Good and lacks Second.
	Mirrored func() Engine
	Mirror   registry.Repository
	// Others use the same engine.
	Others Others
	// Good is the test program (test/fleet/program) for the host's platform.
	Good registry.Pin
	// Second is another image of the program, with a layer that Good has too.
	Second registry.Pin
	// Elsewhere is an image for another platform only.
	Elsewhere registry.Pin
	// Missing is a digest that its registry does not have.
	Missing registry.Pin
}

// Engine is what the suite holds to its promises.
type Engine interface {
	warmer.Host
	runner.Engine
}

// Others are the people and the programs that share an engine with us. What
// they do must not break what we promise, and the other way round.
type Others interface {
	Pull(ctx context.Context, pin registry.Pin) error                    // docker pull repo@digest
	Tag(ctx context.Context, pin registry.Pin, tag string) error         // docker tag repo@digest repo:tag
	TagAs(ctx context.Context, pin registry.Pin, ref registry.Ref) error // docker tag repo@digest other/repo:tag
	Untag(ctx context.Context, ref registry.Ref) error                   // docker rmi repo:tag
	RemoveImage(ctx context.Context, name string) error                  // docker rmi NAME
	Prune(ctx context.Context) error                                     // docker image prune
	PruneAll(ctx context.Context) error                                  // docker image prune -a
	// Names are all tags (repo:tag) and digests (repo@digest) of all images.
	Names(ctx context.Context) ([]string, error)
	// Create and Run make containers without a label of ours, with the network
	// none.
	Create(ctx context.Context, name, image string, command ...string) error // docker create
	Run(ctx context.Context, name, image string, command ...string) error    // docker run -d
	Discard(ctx context.Context, name string) error                          // docker rm -f
	MakeVolume(ctx context.Context, name string) error                       // docker volume create
	Volumes(ctx context.Context) ([]string, error)                           // docker volume ls -q
}

// patience bounds every test of the contract. A real engine on a busy machine
// needs seconds, never this.
const patience = 2 * time.Minute

// Contract runs the suite. fresh gives a subject for each of its tests, one
// after the other.
func Contract(t *testing.T, fresh func(t *testing.T) Subject) {
	t.Helper()
	suites := []struct {
		name  string
		tests []contractTest
	}{
		{"Images", imageTests()},
		{"Names", nameTests()},
		{"Mirrors", mirrorTests()},
		{"Stock", stockTests()},
		{"Removal", removalTests()},
		{"Launch", launchTests()},
		{"Look", lookTests()},
		{"Room", roomTests()},
		{"End", endTests()},
		{"Logs", logTests()},
		{"Terminal", terminalTests()},
	}
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			for _, test := range suite.tests {
				t.Run(test.name, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					test.run(&bench{T: t, Subject: fresh(t), ctx: ctx, lives: map[string]string{}})
				})
			}
		})
	}
}

type contractTest struct {
	name string
	run  func(b *bench)
}

// bench is what a test of the contract works with.
type bench struct {
	*testing.T
	Subject
	ctx   context.Context
	lives map[string]string // of the engine, in which each container was made
}

// keep makes pin warm or ends the test.
func (b *bench) keep(pin registry.Pin) warmer.Copy {
	b.Helper()
	c, err := b.Engine.Keep(b.ctx, pin, func(warmer.Progress) {})
	if err != nil {
		b.Fatalf("Keep(%s): %v", pin, err)
	}
	return c
}

// container is one of Good for a run.
func (b *bench) container(run string, s runner.Spec) runner.Container {
	s.Image = "program"
	if s.Network == "" {
		s.Network = "none"
	}
	return runner.Container{Name: "prewarm-contract-" + run, Run: run, Pin: b.Good, Spec: s, Env: s.Env}
}

// create makes Good warm and a container of it.
func (b *bench) create(run string, s runner.Spec) string {
	b.Helper()
	return b.make(b.container(run, s))
}

// make makes Good warm and this container of it.
func (b *bench) make(c runner.Container) string {
	b.Helper()
	b.keep(b.Good)
	made, err := b.Engine.Create(b.ctx, c)
	if err != nil {
		b.Fatalf("Create: %v", err)
	}
	if made.ID == "" || made.Life == "" || made.Version == "" {
		b.Fatalf("Create = %+v, want an id, a life and a version", made)
	}
	b.lives[made.ID] = made.Life
	return made.ID
}

// start creates and starts a container with this command.
func (b *bench) start(run string, command ...string) string {
	b.Helper()
	return b.launch(b.container(run, runner.Spec{Command: command}))
}

// launch creates and starts a container.
func (b *bench) launch(c runner.Container) string {
	b.Helper()
	id := b.make(c)
	if err := b.Engine.Start(b.ctx, id); err != nil {
		b.Fatalf("Start: %v", err)
	}
	return id
}

// wait gives how a container ended, which somebody has to have witnessed.
func (b *bench) wait(id string) runner.Exit {
	b.Helper()
	exit, err := b.Engine.Wait(b.ctx, id, b.lives[id])
	if err != nil {
		b.Fatalf("Wait: %v", err)
	}
	if exit.Unwitnessed || exit.LogGap != "" {
		b.Errorf("Wait = %+v, want it witnessed and without a gap", exit)
	}
	return exit
}

// stop stops a container that runs.
func (b *bench) stop(id string, grace time.Duration) {
	b.Helper()
	if ran, err := b.Engine.Stop(b.ctx, id, grace); err != nil || !ran {
		b.Errorf("Stop = %v, %v; want that it ran", ran, err)
	}
}

// remove removes a container.
func (b *bench) remove(id string) {
	b.Helper()
	if err := b.Engine.Remove(b.ctx, id); err != nil {
		b.Errorf("Remove: %v", err)
	}
}

// log reads a container's log from since on.
func (b *bench) log(id string, since time.Time) []runner.Line {
	b.Helper()
	var lines []runner.Line
	err := b.Engine.Logs(b.ctx, id, since, false, func(l runner.Line) error {
		lines = append(lines, l)
		return nil
	})
	if err != nil {
		b.Fatalf("Logs: %v", err)
	}
	return lines
}

// output runs a program to its end and gives the lines of its standard output.
func (b *bench) output(run string, s runner.Spec) []string {
	b.Helper()
	id := b.launch(b.container(run, s))
	b.wait(id)
	return texts(b.log(id, time.Time{}), runner.Stdout)
}

// wantCode checks an error's code.
func (b *bench) wantCode(what string, err error, want problem.Code) {
	b.Helper()
	if got := problem.CodeOf(err); got != want {
		b.Errorf("%s: got code %q, want %q; error: %v", what, got, want, err)
	}
}

// wantCancelled checks that an error is that of a cancelled context.
func (b *bench) wantCancelled(what string, err error) {
	b.Helper()
	if !errors.Is(err, context.Canceled) {
		b.Errorf("%s: got %v, want the context's error", what, err)
	}
}

// texts gives the lines of one stream.
func texts(lines []runner.Line, stream runner.Stream) []string {
	var all []string
	for _, l := range lines {
		if l.Stream == stream {
			all = append(all, l.Text)
		}
	}
	return all
}

// wantTexts checks lines.
func (b *bench) wantTexts(what string, got []string, want ...string) {
	b.Helper()
	if !slices.Equal(got, want) {
		b.Errorf("%s: got %.200q, want %.200q", what, got, want)
	}
}
