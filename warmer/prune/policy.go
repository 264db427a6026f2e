package prune

import "github.com/prewarm/prewarm/registry"

// Policy is what holds on one host.
type Policy struct {
	// Rules are those of images that are not ours, and of orphans.
	Rules Rules
	// Protect are patterns of names that stay.
	Protect []registry.Pattern
	// Unmanaged says what becomes of images that are not ours.
	Unmanaged Unmanaged
	// MaxRemovals bounds the removals of a pass; 0: no bound.
	MaxRemovals int
	// Need is how many bytes must become free in all, what goes anyway included.
	// 0: there is no pressure.
	Need int64
	// AllOrNothing lets nothing go for Need where all that may go frees less: a
	// pull that can't fit must cost no digest that is kept for a rollback.
	AllOrNothing bool
	// OnlyImage looks at the digests of one configured image alone; empty: at
	// all.
	OnlyImage string
}

// Unmanaged says what becomes of images that are not ours.
type Unmanaged string

// The ways.
const (
	KeepUnmanaged Unmanaged = "keep"     // they stay
	DanglingOnly  Unmanaged = "dangling" // those without any tag go, one by one
	// Those go that were used least recently: where space is needed, or, with
	// Rules.UnusedFor, once unused for that long, and then not before.
	LeastRecently Unmanaged = "lru"
)

// Rule is why an image stays or goes.
type Rule string

// Why it stays, the strongest first.
const (
	IsCurrent   Rule = "current"      // of a tracked tag
	IsComing    Rule = "coming"       // of a rollout on its way, a held one too
	InScope     Rule = "scope"        // a live pin scope holds it
	IsLeased    Rule = "leased"       // by a run that has not ended, or a container that is owed a stop
	IsPulled    Rule = "pulling"      // the host is busy with it at this moment
	InUse       Rule = "in_use"       // a container is made of it, ended or not
	IsUnknown   Rule = "unknown"      // a keep-tag that nobody here remembers
	IsProtected Rule = "protected"    // a protected pattern names it
	IsLastCopy  Rule = "last_copy"    // of a tag that a protected pattern names
	IsUnmanaged Rule = "unmanaged"    // not ours, and prune.unmanaged keeps it
	IsStuck     Rule = "stuck"        // it could not be removed lately
	IsYoung     Rule = "min_age"      // not long enough on the host
	IsUsed      Rule = "unused_for"   // used not long enough ago
	IsKept      Rule = "kept"         // for a rollback
	NoNeed      Rule = "no_need"      // it may go, and space is not needed
	Capped      Rule = "max_removals" // the next pass takes it
	OtherImage  Rule = "other_image"  // the pass is about another image
)

// Why it goes.
const (
	GoNeverCurrent Rule = "never_current"
	GoDangling     Rule = "dangling"
	GoUnused       Rule = "least_recently_used"
	GoSuperseded   Rule = "superseded"
	GoOrphaned     Rule = "orphaned"
	GoKept         Rule = "kept_for_rollback" // for want of space
)

// Verdict is what is decided of one image.
type Verdict struct {
	Image Image
	// Goes tells whether it is to be removed.
	Goes bool
	Rule Rule
	// Why is the rule in a sentence, for people.
	Why string
	// Frees is how many bytes the removal frees once those before it are gone.
	// 0 where it stays, and where the others' names of it stay.
	Frees int64
	// Drops are the pins whose keep-tags go, and Names the others' names that
	// go. An image whose names go all is gone; one that keeps some of the
	// others' frees nothing.
	Drops []registry.Pin
	Names []string
}

// Decision is what is decided of a host.
type Decision struct {
	// Verdicts of what goes, in the order in which it is to go, then of what
	// stays, by how strong the reason is, then by ID.
	Verdicts []Verdict
	// Frees is the sum of what goes.
	Frees int64
	// Unmatched are the protected patterns that no name on the host matches.
	Unmatched []string
	// Short is by how much it misses Need; 0: it does not.
	Short int64
}
