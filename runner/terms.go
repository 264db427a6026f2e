package runner

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// DefaultNamespace is the one in which all callers work.
const DefaultNamespace = "default"

// Ask is a submit: what is to be executed, and on which terms.
type Ask struct {
	Spec  Spec
	Terms Terms
	// Secrets are the values of the secret variables that the submit brings, by
	// name. They are never written in clear.
	Secrets Secrets
	// Idempotency makes the call repeatable: the same word always answers the
	// same run. Empty: each call is a new one.
	Idempotency string
	OnConflict  OnConflict
	// Images are patterns (as path.Match has them) of the names of the images
	// that the caller may run; empty: all.
	Images []string
	// Policy is the caller's own: what it does not allow is refused, as what the
	// server's does not allow is; nil: it has none.
	Policy *Policy
}

// Secrets are values of variables by name. They print as their names only.
type Secrets map[string]string

// Format writes the names.
func (s Secrets) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s=***", slices.Sorted(maps.Keys(s)))
}

// Terms are what a caller wants of a run beside its execution.
type Terms struct {
	Namespace string
	// Key is the caller's name for the piece of work; empty: it has none.
	Key   string
	Epoch int64
	Join  Join
	// Scope is the pin scope; empty: none.
	Scope string
	// Fresh resolves the tag at submit and runs what it shows, whatever is
	// promoted.
	Fresh bool
	// WaitWarm is how long the run may wait for warmth; 0: not at all.
	WaitWarm time.Duration
	// Limit is how long the run may take from its submit on, queueing included;
	// 0: as long as it likes.
	Limit time.Duration
	// Keepalive is how long the caller may be silent; 0: for ever.
	Keepalive       time.Duration
	KeepaliveAction KeepaliveAction
	Priority        int // higher ones are placed first
	Hosts           []string
	HostLabels      map[string]string
	// Group is what at most GroupLimit runs at a time are of; empty: none.
	Group      string
	GroupLimit int
	Meta       map[string]string
	// Try is the number of this try at the caller's task, of Tries; 0: the caller
	// did not say. While there are tries left, a failure needs nobody.
	Try, Tries int
	// SkipExitCodes are those with which the program says that there was nothing
	// to do.
	SkipExitCodes []int
	// Unmasked leaves the values of secret variables readable in the log.
	Unmasked bool
	// KeepVolume keeps the scope's volume if this run fails.
	KeepVolume bool
}

// Join says which run a submit under a used key answers.
type Join string

// The rules of joining.
const (
	JoinActive  Join = "active"  // one that has not ended; the default
	JoinSuccess Join = "success" // also one that succeeded
)

// OnConflict says what becomes of a submit that differs from the active run of
// its key.
type OnConflict string

// What to do about a conflict.
const (
	ConflictRefuse  OnConflict = "refuse" // the default
	ConflictJoin    OnConflict = "join"
	ConflictReplace OnConflict = "replace"
)

// KeepaliveAction is what happens to a run that nobody cares for any more.
type KeepaliveAction string

// The actions.
const (
	KeepaliveReport KeepaliveAction = "report" // the default
	KeepaliveStop   KeepaliveAction = "stop"
)

// Answer is what a submit gets.
type Answer struct {
	Run    Run
	Joined bool
	// Differs names the fields in which a joined run differs from what was asked.
	Differs []string
	Scope   ScopeUse // empty without a scope
}

// ScopeUse tells how a submit met its pin scope.
type ScopeUse string

// The uses.
const (
	ScopeNew      ScopeUse = "new"      // the scope saw the image for the first time
	ScopeExisting ScopeUse = "existing" // its digest was recorded and held
	ScopeRenewed  ScopeUse = "renewed"  // recorded, and held again from now on
)

// Scope is a pin scope: within it an image keeps the digest that it first
// resolved to.
type Scope struct {
	Namespace, Name string
	Pins            []ScopePin
	// Host has the scope's volume; empty: it has none.
	Host    string
	Marker  string // of that host's engine
	Volume  string // the engine's name of it
	Keep    bool   // of the volume: a run failed that wanted it kept
	Created time.Time
	Used    time.Time
	Ended   time.Time // zero while it lives: its digests are held and its volume stays
}

// ScopePin is what an image means in a scope.
type ScopePin struct {
	Track string // image or image:tag, as Images.Resolve gives it
	Image string
	Pin   registry.Pin
	Since time.Time
}
