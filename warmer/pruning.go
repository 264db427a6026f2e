package warmer

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer/prune"
)

// PruneRules say what may go from a host, and when it must.
type PruneRules struct {
	// Policy is that of its passes, but for what a pass is asked.
	Policy prune.Policy
	// ImageRules are those of the digests of images, by name; of others: Policy.Rules.
	ImageRules map[string]prune.Rules
	// Marks gives the marks of a disk, or of the budget, of so many bytes, in bytes
	// used: above high images go until no more than low is used. 0: there are
	// none. Nil: there are none.
	Marks func(total int64, budget bool) (high, low int64)
	// Budget is how many bytes images may take, whatever the disk has; 0: it is
	// not bounded.
	Budget int64
	// DryRun removes nothing, ever: passes only say what would go.
	DryRun bool
}

func (r PruneRules) rulesOf(image string) prune.Rules {
	if rules, ok := r.ImageRules[image]; ok {
		return rules
	}
	return r.Policy.Rules
}

// PruneAsk is what somebody asks to be pruned.
type PruneAsk struct {
	// Hosts are the hosts; none: all that can be reached.
	Hosts []string
	// Image is the configured image that it is about; empty: everything.
	Image string
	// Free is how many bytes are to become free on each host, whatever its
	// watermarks say; 0: what the policy lets go anyway.
	Free int64
	// DryRun removes nothing.
	DryRun bool
	Who    string // as they say
}

// Trigger is why a pass was made.
type Trigger string

// The triggers.
const (
	BySchedule Trigger = "schedule"
	ByPressure Trigger = "pressure" // the disk passed its high mark
	ByPull     Trigger = "pull"     // a pull needed the space
	ByPerson   Trigger = "person"
)

// Pass is one look at a host with what was removed.
type Pass struct {
	ID      string // UUIDv7
	Host    string
	Trigger Trigger
	Who     string // of a person's
	DryRun  bool
	Begun   time.Time
	Ended   time.Time // zero: the pass was cut short by the end of the server
	// Need is how many bytes were to become free in all, what goes anyway
	// included, and Short by how much that was missed.
	Need, Short int64
	// Removals are what went, in its order; of a dry run, what would.
	Removals []PassRemoval
	// Stays is how many images stayed.
	Stays int
	// Predicted and Freed are the bytes that were to become free and those that
	// did: by the engine's disk where it can be known, else by what it lists.
	Predicted, Freed int64
	// Stopped is why the pass ended before its time; empty: it did not.
	Stopped string
}

// PassRemoval is what became of one image in a pass.
type PassRemoval struct {
	ID string // the engine's
	// Names are what people know it by: repo@digest of ours, the others' names.
	Names     []string
	Rule      prune.Rule
	Why       string
	Predicted int64
	Outcome   RemovalOutcome
	Detail    string // why it is still there
}

// RemovalOutcome is how a removal ended.
type RemovalOutcome string

// The outcomes.
const (
	WouldGo    RemovalOutcome = "would_go" // a dry run
	WasRemoved RemovalOutcome = "removed"
	WasClaimed RemovalOutcome = "claimed"  // somebody came to want it meanwhile
	WasInUse   RemovalOutcome = "in_use"   // the engine refused: something is made of it
	NotRemoved RemovalOutcome = "failed"   // the engine failed
	NotGone    RemovalOutcome = "not_gone" // it is still there, against what was predicted
	NotKnown   RemovalOutcome = "unknown"  // the host did not answer
	Skipped    RemovalOutcome = "skipped"  // the pass was stopped before it
)

// Stock is what is on a host, with what would become of it.
type Stock struct {
	Host string
	// At is when the engine was asked.
	At time.Time
	// Disk is that of the images, as far as it is known, and High and Low are
	// its marks in bytes used; 0: none.
	Disk      Disk
	High, Low int64
	// Bytes is what all layers take, shared ones once, and Ours what those of
	// images with a keep-tag take.
	Bytes, Ours int64
	Images      []StockImage
}

// StockImage is one image of a host's stock.
type StockImage struct {
	Listed Listed
	// Seen is since when it is known to be there, and Used when it was used last;
	// UsedKnown tells that somebody saw that.
	Seen, Used time.Time
	UsedKnown  bool
	// Alone is what removing it alone would free; AloneExact tells that the
	// engine said so.
	Alone      int64
	AloneExact bool
	// Verdict is what the next routine pass does with it.
	Verdict prune.Verdict
}

// Explanation says of an image on a host why it is there and why it stays or
// goes, or why it is not there.
type Explanation struct {
	Host string
	// Images are those that the question named, where they are on the host.
	Images []StockImage
	// Absent says, for a pin or image that is not there, why not.
	Absent string
	// Log is what is known to have happened to it, oldest first.
	Log []LogEntry
}

// LogEntry is one thing that happened to an image on a host.
type LogEntry struct {
	At   time.Time
	What string
	Pin  registry.Pin // zero where it is not about one
}

// Passes gives the newest passes over a host, or over all, newest first.
func (w *Warmer) Passes(ctx context.Context, host string, limit int) ([]Pass, error) {
	all, err := w.opts.Ledger.Passes(ctx, host, limit)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && len(all) == 0 && host != "" && w.hosts[host] == nil {
		return nil, w.noHost(host)
	}
	return all, err
}
