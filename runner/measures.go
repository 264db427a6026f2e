package runner

import "time"

// Measures gets what is counted, as it happens. It must not block.
type Measures interface {
	// Submitted tells of a submit that made a run, or was joined to one.
	Submitted(image string, joined bool)
	// Started tells of a run's container that was started, and how long after its
	// submit.
	Started(r Run, after time.Duration)
	// FirstLine tells how long after a run's submit its first line came.
	FirstLine(r Run, after time.Duration)
	// Ended tells of an outcome.
	Ended(r Run)
	// Lagged tells by how much the spool is behind a container that prints: at most
	// once a second for each.
	Lagged(host string, by time.Duration)
}

// unmeasured is for a runner whose figures nobody wants.
type unmeasured struct{}

func (unmeasured) Submitted(string, bool)       {}
func (unmeasured) Started(Run, time.Duration)   {}
func (unmeasured) FirstLine(Run, time.Duration) {}
func (unmeasured) Ended(Run)                    {}
func (unmeasured) Lagged(string, time.Duration) {}
