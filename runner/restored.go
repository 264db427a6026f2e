package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// After the state was restored from a backup, the hosts know what it does not:
// runs that were submitted since. Their containers may still be at work, and a
// retry of their callers must not begin beside them (promise 4). So nothing is
// executed until each host has been asked, and none has a container of ours under
// way that no run claims. These are left alone meanwhile: if another server lives
// on with the same state, they are its.

// restoredText tells from when the state is.
func restoredText(made time.Time) string {
	return "the state was restored from a backup of " + made.UTC().Format(time.RFC3339)
}

// endRestored ends a run that waited when the backup was made. Whether it has been
// executed since can't be known, so it is not executed by itself.
func (r *Runner) endRestored(l *live, made time.Time) {
	r.end(l, func(run *Run) {
		run.State, run.Reason = Interrupted, problem.StateRestored
		run.Detail = restoredText(made) + ", in which the run waited: whether it was executed since can't be known"
	})
}

// closed says why nothing is executed yet; empty: it is. A gate that nothing keeps
// shut is still so until passGate has opened it for good: else what begins would
// look like a stranger to a sweep that is under way. The caller holds mu.
func (r *Runner) closed() string {
	if r.restored.IsZero() {
		return ""
	}
	if why := r.gate(); why != "" {
		return why
	}
	return "for it to be written down that all hosts were looked at: " + restoredText(r.restored)
}

// gate says what keeps the gate shut; empty: nothing. The caller holds mu.
func (r *Runner) gate() string {
	if r.restored.IsZero() {
		return ""
	}
	if len(r.setup.Hosts) == 0 {
		return "for a host in the configuration: " + restoredText(r.restored)
	}
	var silent, busy []string
	for _, o := range r.setup.Hosts {
		switch h := r.hostOf(o.Name); {
		case h == nil || h.swept.IsZero():
			silent = append(silent, o.Name)
		case h.strangers > 0:
			busy = append(busy, fmt.Sprintf("%s (%d)", o.Name, h.strangers))
		}
	}
	var why []string
	if len(silent) > 0 {
		why = append(why, "for "+strings.Join(silent, ", ")+" to answer")
	}
	if len(busy) > 0 {
		why = append(why, "for the end of containers that the state does not know on "+strings.Join(busy, ", "))
	}
	if len(why) == 0 {
		return ""
	}
	return strings.Join(why, ", and ") + ": " + restoredText(r.restored)
}

// stranger tells whether a container belongs to a run that the state does not know
// to have it. A run that waits has none: what carries its id is of the time after
// the backup.
func (r *Runner) stranger(c Owned) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lives[c.Run]
	return r.owed[c.Run] == nil && (l == nil || l.run.ContainerID != c.ID)
}

// sweepRestored looks at one container on a host as long as nothing is executed,
// and tells whether it is a stranger. It changes nothing, and asks nobody: what
// can't be asked would be taken for none.
func (r *Runner) sweepRestored(h *host, c Owned) bool {
	if !r.stranger(c) {
		return false
	}
	if !slices.Contains(h.unclaimed, c.ID) {
		r.log.Warn("a container of ours that no run claims was found; it is left as it is", "host", h.Name, "container", c.ID, "run", c.Run, "running", c.Running)
	}
	return true
}

// passGate notes that the hosts were looked at, once they were.
func (r *Runner) passGate(ctx context.Context) {
	r.mu.Lock()
	made, why := r.restored, r.gate()
	told := why == r.gateTold
	r.gateTold = why
	r.mu.Unlock()
	switch {
	case made.IsZero():
		return
	case why != "" && !told:
		r.wake() // what waits is to say so
		r.log.Warn("nothing is executed yet: it waits "+why, "mend",
			"stop any other server that has this state; take a host that does not come back out of the configuration; wait for the containers, or stop them with docker stop")
		return
	case why != "":
		return
	}
	if err := r.opts.Store.ForgetRestore(ctx); err != nil {
		r.log.Warn("it is not written down that all hosts were looked at; trying again", "error", err)
		return
	}
	r.mu.Lock()
	shut := r.gate() != "" // a reload brought a host meanwhile that was not looked at
	if !shut {
		r.restored = time.Time{}
	}
	r.mu.Unlock()
	if shut {
		return
	}
	r.log.Info("all hosts were looked at since the state was restored: runs are executed again", "backup", made)
	r.wake()
}
