package warmer

import (
	"time"

	"github.com/prewarm/prewarm/registry"
)

// pruning is what a host's passes, and the looks at its disk, go by. Warmer.mu
// guards it.
type pruning struct {
	uses      uses
	usesSaved time.Time     // when they were written down last
	passing   chan struct{} // holds a token while a pass is made
	tending   bool          // what is due beside the probes is being done
	// stocked tells that the images were listed, surveyed when that was last, and
	// stockBytes what their layers took then.
	stocked    bool
	surveyed   time.Time
	stockBytes int64
	restocked  bool             // something was warmed since
	unmatched  []string         // protected patterns that match nothing here
	pressAgain time.Time        // before it no pass is made for the high mark
	thrifty    time.Time        // until then nothing that is kept goes for want of space
	rules      int              // rises with each reload, so that a pass knows that it is out of date
	stuck      map[string]stuck // by the engine's id
	unsettled  []settlement     // not on disk yet, and owed
	takenBack  []registry.Pin   // given up once, and not any more: not on disk yet
}

func newPruning() pruning {
	return pruning{passing: make(chan struct{}, 1), stuck: make(map[string]stuck)}
}
