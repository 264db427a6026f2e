package warmer

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer/prune"
)

// Ledger keeps what pruning must not forget, and knows who holds a lease. What
// it was given is on disk when it returns.
type Ledger interface {
	// Recall gives, by host, the digests that earlier lives gave up for want of
	// space, and takes removals that were under way for ended.
	Recall(ctx context.Context) (givenUp map[string][]registry.Pin, err error)
	// Leases gives the claims of runs and scopes on all digests.
	Leases(ctx context.Context) (map[registry.Pin][]prune.Claim, error)
	// Intend writes down that digests are about to be removed from a host: until
	// Settle no run of them is written down. Where a run or a scope claims one of
	// them, nothing is written, and the claims are given.
	Intend(ctx context.Context, host, pass string, pins []registry.Pin) ([]prune.Claim, error)
	// Settle notes that removals have ended, and which digests were given up.
	Settle(ctx context.Context, host string, pins, givenUp []registry.Pin) error
	// TakeBack forgets that digests were given up.
	TakeBack(ctx context.Context, host string, pins []registry.Pin) error
	// Uses gives what is known of the images on a host; SaveUses replaces it.
	Uses(ctx context.Context, host string) ([]Use, error)
	SaveUses(ctx context.Context, host string, uses []Use) error
	// LastRuns gives when a run of each digest began last on a host.
	LastRuns(ctx context.Context, host string) (map[registry.Pin]time.Time, error)
	// Remembered gives every digest that was ever ours.
	Remembered(ctx context.Context) ([]Memory, error)
	// SavePass writes a pass down, or what became of it, and what people are to be
	// told of it.
	SavePass(ctx context.Context, p Pass, notices ...notice.Event) error
	// Passes gives the newest passes over a host, or over all where it is empty,
	// newest first.
	Passes(ctx context.Context, host string, limit int) ([]Pass, error)
}

// Use is what is known of an image on a host that its engine does not keep.
type Use struct {
	Image string    // the engine's id
	Seen  time.Time // since when it is known to be there
	Used  time.Time // when it was used last; zero: nobody saw that
}

// Memory is what is remembered of a digest that was ours once.
type Memory struct {
	Pin   registry.Pin
	Track TrackID // of a pin scope's: without a tag
	// Promoted is when it became current last; zero: it never was.
	Promoted time.Time
	Ended    time.Time // when it ended to be, or to become, that
}
