package runner

import (
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// State is where a run stands.
type State string

// The states. The last five are outcomes: they never change again.
const (
	Queued    State = "queued"    // waits for warmth or a slot
	Starting  State = "starting"  // placed on a host; its container is being made
	Running   State = "running"   // its container was started
	Canceling State = "canceling" // a stop was sent

	Succeeded   State = "succeeded"   // exit code 0
	Failed      State = "failed"      // any other exit code
	Canceled    State = "canceled"    // ended by a cancel
	Interrupted State = "interrupted" // it may have run; its outcome can't be known
	Refused     State = "refused"     // nothing was executed; Reason says why
)

// Ended tells whether the state is an outcome.
func (s State) Ended() bool {
	return slices.Contains([]State{Succeeded, Failed, Canceled, Interrupted, Refused}, s)
}

// Run is one execution of a task.
type Run struct {
	ID    string // UUIDv7, so ids sort by submit
	Spec  Spec
	Image string       // the configured image that Spec.Image means
	Pin   registry.Pin // zero only while queued for a first promotion

	Host         string // empty until placed
	EngineMarker string // the host's engine at that time
	ContainerID  string // the engine's; empty until created

	State  State
	Reason problem.Code // of an outcome that an exit code does not explain
	Detail string       // the same for a reader

	ExitCode  int // of Succeeded and Failed, and of Canceled if Exited
	Exited    bool
	OOMKilled bool

	// By the server's clock; zero until it happened.
	Submitted, Placed, Started, FirstLine, Ended time.Time
}

// containerName is unique for each run. A second create under it is refused by
// the engine, which is a second fence against two containers for one run.
func (r Run) containerName() string { return "prewarm-" + r.ID }

// addDetail adds that the log may lack lines, and why.
func (r *Run) addDetail(gaps error) {
	if gaps == nil {
		return
	}
	if r.Detail != "" {
		r.Detail += "; "
	}
	r.Detail += "the log may lack lines: " + gaps.Error()
}
