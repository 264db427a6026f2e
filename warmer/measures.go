package warmer

import (
	"time"

	"github.com/prewarm/prewarm/registry"
)

// Measures gets what is counted, as it happens. It must not block.
type Measures interface {
	// Pulled tells of a pull that ended: how long it took and how many bytes came.
	// One that was ended by us fails with context.Canceled; of what was on the host
	// already, and was only adopted, nothing is told.
	Pulled(host, image string, pin registry.Pin, took time.Duration, bytes int64, err error)
	// Promoted tells of a rollout that went live because its tag showed it, and how
	// long after its push was seen.
	Promoted(image string, after time.Duration)
	// Looked tells of a look at the tags of an image; why: schedule, webhook, asked.
	Looked(image, why string, err error)
	// Repaired tells that a copy that somebody removed is to be pulled again.
	Repaired(host string)
	// Pruned tells of a pass that ended, and was no dry run. One that was stopped
	// before its time has an error.
	Pruned(host string, removed int, freed int64, err error)
	// Reconciled tells how long a look at desired against observed took.
	Reconciled(took time.Duration)
}

// Why somebody looks at tags.
const (
	LookScheduled = "schedule"
	LookHinted    = "webhook"
	LookAsked     = "asked"
)

// unmeasured is for a warmer whose figures nobody wants.
type unmeasured struct{}

func (unmeasured) Pulled(string, string, registry.Pin, time.Duration, int64, error) {}
func (unmeasured) Promoted(string, time.Duration)                                   {}
func (unmeasured) Looked(string, string, error)                                     {}
func (unmeasured) Repaired(string)                                                  {}
func (unmeasured) Pruned(string, int, int64, error)                                 {}
func (unmeasured) Reconciled(time.Duration)                                         {}
