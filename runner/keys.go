package runner

import (
	"fmt"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// verdict is what becomes of a submit under a key.
type verdict struct {
	join    *Run     // this run answers it
	differs []string // in which the joined run is another piece of work
	epoch   int64    // of the run that is to be made
	after   string   // what that one waits for; empty: nothing
	stop    []Run    // runs that have to end for it
	why     StopReason
}

// decide rules on a submit, given the runs of its key, newest first. It is
// pure: DESIGN.md, section 9, "Keys".
func decide(runs []Run, ask Ask) (verdict, error) {
	v := verdict{epoch: ask.Terms.Epoch}
	for _, run := range runs {
		v.epoch = max(v.epoch, run.Terms.Epoch) // a lower epoch counts as the current one
	}
	for _, run := range runs {
		if v.after == "" && run.claims() {
			v.after = run.ID
		}
	}
	// One that is on its way out is waited for, and followed.
	if active := newest(runs, v.epoch, func(r Run) bool { return !r.State.Ended() && r.Stop.Why == "" }); active != nil {
		return v.meet(*active, ask)
	}
	if done := done(runs, v.epoch); done != nil && ask.Terms.Join == JoinSuccess {
		return v.meet(*done, ask)
	}
	v.endEarlier(runs)
	return v, nil
}

func newest(runs []Run, epoch int64, which func(Run) bool) *Run {
	for i, run := range runs {
		if run.Terms.Epoch == epoch && which(run) {
			return &runs[i]
		}
	}
	return nil
}

// done is the newest success of what was begun last. A submit that takes no
// success begins the work anew: what came before it, of a DAG run that was deleted
// and made again, say, is not the answer to a retry of its own.
func done(runs []Run, epoch int64) *Run {
	for i, run := range runs {
		switch {
		case run.Terms.Epoch != epoch:
		case run.succeeded():
			return &runs[i]
		case run.Terms.Join == JoinActive:
			return nil
		}
	}
	return nil
}

// endEarlier stops what an earlier epoch left running.
func (v *verdict) endEarlier(runs []Run) {
	for _, run := range runs {
		if run.Terms.Epoch < v.epoch && !run.State.Ended() && run.Stop.Why == "" {
			v.stop, v.why = append(v.stop, run), StopEpoch
		}
	}
}

// meet rules on a submit that meets a run of its epoch, under way or succeeded.
func (v verdict) meet(run Run, ask Ask) (verdict, error) {
	differs := differences(run.Asked, ask.Spec)
	switch {
	case len(differs) == 0 || ask.OnConflict == ConflictJoin:
		v.join, v.differs = &run, differs
	case ask.OnConflict == ConflictReplace:
		if !run.State.Ended() {
			v.stop, v.why = []Run{run}, StopReplaced
		}
	default:
		return v, problem.New(problem.KeyConflict,
			fmt.Sprintf("run %s of the key %q is %s, and is another piece of work: it differs in %s", run.ID, ask.Terms.Key, run.State, strings.Join(differs, ", ")),
			"use another key, raise the epoch to ask for the work anew, or say on_conflict: join or replace")
	}
	return v, nil
}
