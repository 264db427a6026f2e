// Package notice holds what people are told of: the events that the domain
// writes down together with what it changes, and that internal/notify turns
// into messages.
package notice

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Kind is what an Event tells of. Kinds are part of the configuration and of
// the API: one is never renamed.
type Kind string

// The kinds. What each tells is in About.
const (
	ImagePromoted Kind = "image_promoted"
	WarmFailed    Kind = "warm_failed"
	GoneUpstream  Kind = "gone_upstream"
	HostDown      Kind = "host_down"
	HostUp        Kind = "host_up"
	DriftRepaired Kind = "drift_repaired"
	DiskPressure  Kind = "disk_pressure"
	PrunePass     Kind = "prune_pass"
	QuotaLow      Kind = "quota_low"
	ConfigRefused Kind = "config_refused"

	RunStarted   Kind = "run_started"
	RunSucceeded Kind = "run_succeeded"
	RunFailed    Kind = "run_failed"
	RunRetrying  Kind = "run_retrying"
	RunSkipped   Kind = "run_skipped"
	RunCanceled  Kind = "run_canceled"
	RunLost      Kind = "run_lost"
	RunOrphaned  Kind = "run_orphaned"
)

// Event is something that people may want to know.
type Event struct {
	ID   string // UUIDv7; in each message, so that who gets it twice can tell
	Kind Kind
	At   time.Time
	// What of it concerns the event is set.
	Image      string // as the configuration names it
	Tag        string // of it
	Digest     string
	Before     string // the digest that was current before
	Host       string
	HostLabels map[string]string
	Registry   string
	// Detail says why, or what was found: one sentence, lower case, no full stop.
	Detail string
	// Mend says what to do about it; may be empty.
	Mend string
	// Cause is what the event has in common with others of one trouble, a dead
	// registry say: those of one cause that are near in time become one message.
	// Empty: it stands alone.
	Cause string
	// Run is what the event is about where it is about one; nil: it is not.
	Run *Run
}

// Run is what is told of a run. It holds no environment and no log line.
type Run struct {
	ID        string
	Namespace string
	// Task is what all tries of one piece of work share: the run's key, or its id
	// where it has none. One message stands for it.
	Task     string
	State    string
	Reason   string // a problem's code; empty: the exit code says it
	ExitCode int
	Exited   bool
	// Try is the number of this try, of Tries; 0: the caller did not say.
	Try, Tries int
	Meta       map[string]string
	// Zero until it happened.
	Submitted, Started, Ended time.Time
}

// New makes an event of now.
func New(kind Kind) Event {
	return Event{ID: uuid.Must(uuid.NewV7()).String(), Kind: kind, At: time.Now()}
}

// Ended says with which exit code a program ended.
func Ended(code int) string { return fmt.Sprintf("its program ended with exit code %d", code) }
