package runner

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// Engine is what a run needs of the host that it was placed on. The contract
// suite in internal/docker/dockertest holds for every implementation. One is compared
// with another by ==: it is a pointer, as a rule.
type Engine interface {
	Launcher
	Observer
	Reaper
	Volumes
}

// Launcher makes containers and starts them.
type Launcher interface {
	// Create makes the container of a run from an image that is there and
	// verified, and never pulls. An image that went away meanwhile is
	// problem.ImageLost. Called again for the same run it gives the container
	// that is there.
	Create(ctx context.Context, c Container) (Created, error)
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
	// LastLines passes the last lines of a log as it stands to emit, about n of
	// both streams together; the first may be a part of one.
	LastLines(ctx context.Context, id string, n int, emit func(Line) error) error
	// Look tells how a container of ours, by its id or its name, stands now. One
	// that is not there is problem.ContainerLost.
	Look(ctx context.Context, id string) (Look, error)
	// Wait returns how a container that was seen running in an engine's life
	// ended, once it has. Where the engine stops answering it ends with
	// problem.HostUnreachable: call it again.
	Wait(ctx context.Context, id string, life string) (Exit, error)
	// Confirm asks the engine for a sign of life over a new connection. An
	// engine that is being stopped still answers on the old ones, and lies.
	Confirm(ctx context.Context) error
	// Secrets gives the values that variables have in a container.
	Secrets(ctx context.Context, id string, names []string) ([]string, error)
	// Result gives a file of a container that has ended: at most limit bytes.
	// One that is missing is problem.ResultMissing, one that is longer
	// problem.ResultTooLarge.
	Result(ctx context.Context, id, path string, limit int64) ([]byte, error)
}

// Reaper ends containers and finds the ones that were left.
type Reaper interface {
	// Stop sends the stop signal, waits for grace and kills. It tells whether
	// the container ran when it was asked: one that had ended before was not
	// stopped by us. Where it fails and the container ran, the stop may have been
	// sent; where it did not, nothing was.
	Stop(ctx context.Context, id string, grace time.Duration) (ran bool, err error)
	// Remove removes a container that has ended; one that is gone is no error.
	Remove(ctx context.Context, id string) error
	// Owned lists the containers that carry our instance id.
	Owned(ctx context.Context) ([]Owned, error)
}

// Volumes are the named volumes of pin scopes.
type Volumes interface {
	// MakeVolume makes the volume of a scope; one that is there is no error.
	MakeVolume(ctx context.Context, name string, labels map[string]string) error
	// RemoveVolume removes a volume of ours; one that is gone is no error, one
	// that a container uses is problem.VolumeInUse, one that is not ours is
	// refused.
	RemoveVolume(ctx context.Context, name string) error
}

// Container is what to create for a run.
type Container struct {
	Name string // of the container; unique for each run
	Run  string // the run's id, for the label
	Pin  registry.Pin
	Spec Spec
	// Env is what the container gets: the host's variables, the spec's, and the
	// secret ones. It is used instead of Spec.Env.
	Env []string
	// ScopeVolume is the volume that Spec.ScopeVolume mounts.
	ScopeVolume string
}

// Created is a container that was made and not started.
type Created struct {
	ID string
	// Life is the engine's present one: see Wait.
	Life    string
	Version string // of the engine
}

// Look is how a container stands.
type Look struct {
	ID      string
	Running bool
	// Fresh tells that it was never started.
	Fresh bool
	// Failed is why it could not be started; empty: that was not tried.
	Failed string
	Life   string // of the engine, now
}

// Owned is a container that carries our instance id.
type Owned struct {
	ID      string // the engine's
	Run     string // the run's id, from the label
	Running bool
	Fresh   bool // it was never started
	Created time.Time
}

// Stream is where a line was written.
type Stream string

// The two streams of a container without a terminal, and that of lines which
// the server wrote itself.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
	Ours   Stream = "prewarm"
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
	// Unwitnessed tells that the engine was restarted since the life that was
	// given to Wait, or may have been: it ends its containers then, and their
	// codes are its doing.
	Unwitnessed bool
	// LogGap says why the engine may not have all of the log; empty: it has.
	LogGap string
}
