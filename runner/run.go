package runner

import (
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// State is where a run stands.
type State string

// The states. Those from Succeeded on are outcomes: they never change again.
const (
	Queued    State = "queued"    // waits for warmth, a slot, or the end of an earlier run
	Placed    State = "placed"    // has a host and a slot; its container is being made
	Starting  State = "starting"  // its container is there and is being started
	Running   State = "running"   // its container was started
	Canceling State = "canceling" // it is to be stopped

	Succeeded   State = "succeeded"   // exit code 0
	Failed      State = "failed"      // any other exit code
	Canceled    State = "canceled"    // ended by a cancel
	TimedOut    State = "timed_out"   // ended by its deadline
	Interrupted State = "interrupted" // it may have run; its outcome can't be known, and it runs no more
	Lost        State = "lost"        // contact was lost; it may still run where nobody can see it
	Refused     State = "refused"     // nothing was executed; Reason says why
)

// Ended tells whether the state is an outcome.
func (s State) Ended() bool {
	return slices.Contains([]State{Succeeded, Failed, Canceled, TimedOut, Interrupted, Lost, Refused}, s)
}

// Run is one execution of a task.
type Run struct {
	ID string // UUIDv7, so ids sort by submit
	// Asked is the spec as the caller gave it; Spec has the defaults, too.
	Asked, Spec Spec
	Terms       Terms
	Idempotency string

	Image string       // the configured image that Spec.Image means
	Track string       // of it: image or image:tag
	Pin   registry.Pin // zero only while queued for a first promotion

	// After is a run of the same key that has to be over first.
	After string
	// SameAs is the run whose success answers this one: nothing was executed.
	SameAs string
	// Rejected tells that the caller can't use this success.
	Rejected bool

	Host          string // empty until placed
	EngineMarker  string // the host's engine at that time
	EngineLife    string // that engine's life in which the container was seen last
	EngineVersion string
	ContainerID   string // the engine's; empty until created

	State  State
	Reason problem.Code // of an outcome that an exit code does not explain
	Detail string       // the same for a reader

	// Stop is why and since when the run is to be stopped; zero: it is not.
	Stop Stop
	// Owed tells that the container may still run: a stop is owed to it, and
	// the key stays claimed.
	Owed bool
	// Unreachable is since when the host has not answered; zero: it does. It is
	// known of runs under way only.
	Unreachable time.Time
	// Waiting says what a queued run waits for. It is known of runs under way
	// only.
	Waiting string
	// Unattended is since when the caller has been silent for longer than its
	// keepalive; zero: it is not.
	Unattended time.Time
	// Orphaned is when people were told that the run was unattended: once, however
	// often it is. Zero: they were not.
	Orphaned time.Time

	ExitCode  int // where Exited
	Exited    bool
	Signal    int // that ended the container, as its exit code tells; 0: none
	OOMKilled bool
	Result    []byte // JSON of the result file; nil: none

	Log LogState

	// By the server's clock; zero until it happened.
	Submitted, Placed, Started, FirstLine, Ended time.Time
}

// Stop is the wish to end a run, on disk before anybody is told of it.
type Stop struct {
	Why StopReason
	At  time.Time
	// Sent is when the stop signal was first sent; zero: not yet.
	Sent time.Time
}

// StopReason is who or what wants a run to end.
type StopReason string

// The reasons.
const (
	StopCancel    StopReason = "cancel"
	StopDeadline  StopReason = "deadline"
	StopKeepalive StopReason = "keepalive"
	StopReplaced  StopReason = "replaced"  // another submit under its key took its place
	StopEpoch     StopReason = "new_epoch" // its key was asked for anew
)

// LogState is what is known of a run's log.
type LogState struct {
	Lines, Bytes int64 // as printed
	// Complete tells that the log was compared with the engine's after the exit:
	// every line is there, once.
	Complete bool
	// Gap says why the log may lack lines, or that some were cut.
	Gap string
	// Removed tells that retention has taken the log away.
	Removed bool
}

// containerName is unique for each run. A second create under it is refused by
// the engine, which is a second fence against two containers for one run.
func (r Run) containerName() string { return "prewarm-" + r.ID }

// deadline is when the run must be over; zero: it has no deadline.
func (r Run) deadline() time.Time {
	if r.Terms.Limit == 0 {
		return time.Time{}
	}
	return r.Submitted.Add(r.Terms.Limit)
}

// claims tells whether the run holds its key against others: it is under way,
// or its container may be.
func (r Run) claims() bool { return !r.State.Ended() || r.Owed }

// succeeded tells whether the run's work is done, as far as it was ever found
// out: a lost run may have been found ended later.
func (r Run) succeeded() bool {
	return !r.Rejected && (r.State == Succeeded || r.State == Lost && r.Exited && r.ExitCode == 0)
}
