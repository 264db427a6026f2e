package runner

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner/spool"
)

// Images is what the runner asks about warmth.
type Images interface {
	// Resolve tells which digest a name means now, and of which configured
	// image; with problem.NoCurrent the image is valid and the pin is not.
	Resolve(name string) (Target, error)
	// Fresh asks the registry what a name's tag shows now.
	Fresh(ctx context.Context, name string) (Target, error)
	// Seek looks for a pin on an image's hosts, for some seconds at most, so that
	// WarmHosts knows of what nothing but a scope wants.
	Seek(ctx context.Context, image string, pin registry.Pin)
	// WarmHosts tells where a pin is warm, and for the image's other hosts why
	// it is not. A host that is drained is among the latter: "drained". The zero
	// pin is warm nowhere.
	WarmHosts(image string, pin registry.Pin) (warm []string, cold map[string]string)
	// Facts are what is known of a host's engine.
	Facts(host string) Facts
	// Changed is closed at the next change of what is warm or current.
	Changed() <-chan struct{}
	// Recheck asks for a look at a host that seems to have lost an image.
	Recheck(host string)
	// Kick asks for a look at what runs wait for.
	Kick()
}

// Target is what a name of a submit means.
type Target struct {
	Image string // the configured image
	Track string // of it: image, or image:tag where it has several
	Pin   registry.Pin
}

// Facts are what is known of the engine that answers for a host.
type Facts struct {
	Marker      string
	Known       bool // it was asked whether it answers
	Reachable   bool
	Platform    registry.Platform
	CPUs        int
	Memory      int64         // bytes
	ClockOffset time.Duration // the engine's clock minus ours
}

// Store keeps runs and scopes. What it was given is on disk when it returns.
type Store interface {
	// InsertRun writes a new run down, with its sealed secrets (nil: none) and,
	// in the same transaction, the scope that it uses (nil: none): its use, and
	// the pins that it does not have yet. A run whose digest is being removed from
	// a host, or was since the run was submitted, is problem.ImageLeaving.
	InsertRun(ctx context.Context, r Run, sealed []byte, scope *Scope) error
	// UpdateRun writes down what became of a run, and what people are to be told of
	// it, or neither. Its sealed secrets are erased by the same write once it has a
	// container or an outcome. Where it gives the run its digest, that may be
	// problem.ImageLeaving, as for a new run.
	UpdateRun(ctx context.Context, r Run, notices ...notice.Event) error
	// Run is problem.RunNotFound where there is none of that id.
	Run(ctx context.Context, id string) (Run, error)
	// Runs gives the newest runs first.
	Runs(ctx context.Context, f Filter) ([]Run, error)
	// RecordJoin writes down that a run answered a repeatable call that did not
	// make it.
	RecordJoin(ctx context.Context, namespace, word, run string) error
	// LatestCall gives the word of the repeatable call that a run answered last.
	LatestCall(ctx context.Context, run string) (word string, err error)
	// ByIdempotency gives the run that answered a call; problem.RunNotFound: none.
	ByIdempotency(ctx context.Context, namespace, word string) (Run, error)
	// ByKey gives all runs of a key, newest first.
	ByKey(ctx context.Context, namespace, key string) ([]Run, error)
	// UnfinishedRuns gives the runs without an outcome, and those to which a
	// stop is owed, oldest first.
	UnfinishedRuns(ctx context.Context) ([]Run, error)
	// Secrets gives a run's sealed secrets; nil: it has none, or they were
	// erased.
	Secrets(ctx context.Context, run string) ([]byte, error)
	// EndedBefore gives runs that ended before t and are neither owed a stop
	// nor the answer of a run that is kept, oldest first, at most limit.
	EndedBefore(ctx context.Context, t time.Time, limit int) ([]Run, error)
	// DeleteRuns forgets ended runs.
	DeleteRuns(ctx context.Context, ids []string) error

	// Restored gives the moment of the backup that the state comes from, and the runs
	// that waited in it, until ForgetRestore; zero: it comes from none.
	Restored(ctx context.Context) (made time.Time, waited []string, err error)
	ForgetRestore(ctx context.Context) error

	// Scopes gives all scopes that are recorded.
	Scopes(ctx context.Context) ([]Scope, error)
	SaveScope(ctx context.Context, s Scope) error
	DeleteScope(ctx context.Context, namespace, name string) error
}

// Filter chooses runs. Its zero value chooses all.
type Filter struct {
	Limit  int
	Before string // only runs that were submitted before this one
	States []State
	Active bool // only those without an outcome
	Image  string
	Host   string
	Key    string
	Scope  string
	// Namespace is that of the runs' keys and scopes.
	Namespace string
}

// Sealer keeps secrets from those who read the store.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// Forwarder gets the lines of runs as they come, beside the spool. It must not
// block for long, and keeps no line that it was given.
type Forwarder interface {
	Forward(r Run, e spool.Entry)
}
