package runner

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// Engine is what a run needs of the host that it was placed on. The contract
// suite in internal/docker/dockertest holds for every implementation.
type Engine interface {
	Launcher
	Observer
	Reaper
}

// Launcher makes containers and starts them.
type Launcher interface {
	// Create makes the container of a run from an image that is there and
	// verified, and never pulls. An image that went away meanwhile is
	// problem.ImageLost.
	Create(ctx context.Context, c Container) (id string, err error)
	// Start starts a container that was never started, and refuses any other:
	// starting an ended container would execute the job again. A command that
	// is not in the image is problem.StartFailed.
	Start(ctx context.Context, id string) error
}

// Observer tells what a container prints and how it ends.
type Observer interface {
	// Logs passes every line from since on (zero: from the start) to emit. With
	// follow it goes on until the container has ended. It returns emit's error.
	Logs(ctx context.Context, id string, since time.Time, follow bool, emit func(Line) error) error
	// Wait returns how the container ended, once it has.
	Wait(ctx context.Context, id string) (Exit, error)
	// Confirm asks the engine for a sign of life over a new connection. An
	// engine that is being stopped still answers on the old ones, and lies.
	Confirm(ctx context.Context) error
}

// Reaper ends containers and finds the ones that were left.
type Reaper interface {
	// Stop sends the stop signal, waits for grace and kills.
	Stop(ctx context.Context, id string, grace time.Duration) error
	// Remove removes a container that has ended; one that is gone is no error.
	Remove(ctx context.Context, id string) error
	// Owned lists the containers that carry our instance id.
	Owned(ctx context.Context) ([]Owned, error)
}

// Container is what to create for a run.
type Container struct {
	Name string // of the container; unique for each run
	Run  string // the run's id, for the label
	Pin  registry.Pin
	Spec Spec
}

// Owned is a container that an earlier life of this instance made.
type Owned struct {
	ID      string // the engine's
	Run     string // the run's id, from the label
	Running bool
}

// Stream is where a line was written.
type Stream string

// The two streams of a container without a terminal.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// Line is one line that a container printed.
type Line struct {
	// Time is the engine's own, to the nanosecond. It orders lines of one
	// stream of one engine and nothing else.
	Time   time.Time
	Stream Stream
	// Text is the line without its line feed.
	Text string
	// Open tells that no line feed followed: the last line of a program that
	// ended without one, or a piece of a line over the limit that is joined.
	Open bool
}

// Exit is how a container ended.
type Exit struct {
	Code      int
	OOMKilled bool
	Started   time.Time // the engine's clock
	Finished  time.Time // the engine's clock
	Detail    string    // what the engine says beside it, if anything
	// Unwitnessed tells that the engine was restarted since Wait was called, or
	// may have been: it ends its containers then, and their codes are its doing.
	Unwitnessed bool
}
