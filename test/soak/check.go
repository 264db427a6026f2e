package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/api"
)

// findings are all that is known at the end.
type findings struct {
	book          *book
	faults        []fault
	before, after size

	runs       []api.Run
	logs       map[string]*reading // what is kept of each run's log
	tails      map[string][]string // the ends of the logs
	ledger     []entry
	containers []string // left on the engines
	processes  []string // left on the machine
	orphans    []string // logs of no run
	logBytes   int64
	changed    []string // runs whose log is not what its followers had read
}

// breach is a promise that was broken.
type breach struct {
	run  api.Run
	what string
	tail []string
}

func (b breach) String() string {
	text, err := json.Marshal(b.run)
	if err != nil {
		text = []byte(b.run.ID)
	}
	return fmt.Sprintf("BROKEN: %s\n  run: %s\n  end of its log:\n    %s", b.what, text, strings.Join(b.tail, "\n    "))
}

// How much more than at the start a server may take that has nothing to do.
const (
	moreMemory     = 64 << 20
	moreGoroutines = 10
)

// check gives all promises that were broken.
func (f *findings) check() []breach {
	all := slices.Clone(f.book.wrong)
	say := func(run api.Run, format string, args ...any) {
		all = append(all, breach{run: run, what: fmt.Sprintf(format, args...)})
	}
	by, overlaps := executions(f.ledger)
	for _, o := range overlaps {
		say(f.runOf(o.container), "two containers of %s ran at once", o.key)
	}
	for _, x := range by {
		switch run := f.runOf(x.container); {
		case run.ID == "":
			say(run, "container %s did the work of %s and belongs to no run", x.container, x.key)
		case x.starts != 1:
			say(run, "container %s was started %d times", x.container, x.starts)
		}
	}
	for _, run := range f.runs {
		f.checkOutcome(run, by[short(run.Container)], say)
		f.checkLog(run, by[short(run.Container)], say)
	}
	f.checkOnce(by, say)
	f.checkPieces(say)
	f.checkScopes(say)
	f.checkLeft(say)
	for i := range all {
		for _, run := range f.runs {
			if run.ID == all[i].run.ID {
				all[i].run, all[i].tail = run, f.tails[run.ID]
			}
		}
	}
	return all
}

type sayer func(run api.Run, format string, args ...any)

// short is a container's id as its program sees it.
func short(id string) string { return id[:min(len(id), 12)] }

func (f *findings) runOf(container string) api.Run {
	for _, run := range f.runs {
		if container != "" && short(run.Container) == container {
			return run
		}
	}
	return api.Run{}
}

// checkOutcome compares what is recorded with what the program did.
func (f *findings) checkOutcome(run api.Run, x *execution, say sayer) {
	number := 0
	if _, err := fmt.Sscan(run.Key[strings.LastIndexByte(run.Key, '-')+1:], &number); err != nil {
		say(run, "its key is none of ours")
	}
	ended := x != nil && x.ended
	switch run.State {
	case "succeeded":
		if run.SameAs == "" && (!ended || x.code != 0) {
			say(run, "it is said to have succeeded, and its program did not")
		}
	case "failed":
		if run.ExitCode == nil || !ended || x.code != *run.ExitCode {
			say(run, "its program did not end like that: %+v", x)
		} else if want := run.Command[len(run.Command)-1]; want != fmt.Sprint(*run.ExitCode) {
			say(run, "it ended with %d, and was told to end with %s: somebody else ended it", *run.ExitCode, want)
		}
	case "canceled":
		if !f.book.canceled[run.ID] && run.Stop != "new_epoch" {
			say(run, "nobody canceled it")
		}
	case "interrupted":
		if !f.engineFailed(run) {
			say(run, "no engine failed under it")
		}
	case "refused":
		if x != nil {
			say(run, "it is said not to have been executed, and was")
		}
	default:
		say(run, "this is no outcome that it may have")
	}
}

// engineFailed tells whether the engine of a run was down while it was under way.
func (f *findings) engineFailed(run api.Run) bool {
	return run.EndedAt != nil && slices.ContainsFunc(f.faults, func(a fault) bool {
		return a.engine && a.host == run.Host && a.begin.Before(run.EndedAt.Add(time.Second)) && a.end.After(run.SubmittedAt)
	})
}

// checkLog compares a log with what was printed.
func (f *findings) checkLog(run api.Run, x *execution, say sayer) {
	r := f.logs[run.ID]
	if r == nil {
		say(run, "its log can't be read")
		return
	}
	if r.wrong != "" {
		say(run, "its log is wrong: %s", r.wrong)
	}
	if !run.Log.Complete {
		if x != nil && run.Log.Gap == "" {
			say(run, "its log is not complete, and nothing says why")
		}
		return
	}
	if r.missing > 0 || r.ours > 0 {
		say(run, "its log is said to be complete, lacks %d lines and has %d that were not printed", r.missing, r.ours)
	}
	if x == nil || !x.ended || x.code == terminated {
		return // it was killed, and printed so much as it had come to
	}
	if out, errs, want := r.printed["stdout"], r.printed["stderr"], run.Command[3]; fmt.Sprint(out) != want || fmt.Sprint(errs) != want {
		say(run, "its log is said to be complete, and has %d and %d lines of its streams, which had %s each", out, errs, want)
	}
}

// terminated is the code of a program that got SIGTERM. None is told to end with
// it: see draw.
const terminated = 7

// checkOnce wants nothing to be executed in an epoch behind a success of it.
func (f *findings) checkOnce(by map[string]*execution, say sayer) {
	type epoch struct {
		key    string
		number int64
	}
	won := map[epoch]api.Run{}
	for _, run := range f.runs {
		e := epoch{run.Key, run.Epoch}
		if run.State != "succeeded" || run.SameAs != "" {
			continue
		}
		if other, twice := won[e]; twice {
			say(run, "it is the second success of %s in epoch %d, after run %s", run.Key, run.Epoch, other.ID)
		}
		won[e] = run
	}
	for _, run := range f.runs {
		first, later := won[epoch{run.Key, run.Epoch}], by[short(run.Container)]
		if first.ID == "" || first.ID == run.ID || later == nil {
			continue
		}
		if x := by[short(first.Container)]; x != nil && later.at > x.endAt {
			say(run, "it was executed after run %s had succeeded", first.ID)
		}
	}
}

// checkPieces wants each piece of work to have ended as it was told to.
func (f *findings) checkPieces(say sayer) {
	for _, p := range f.book.pieces {
		switch run := p.last; {
		case run.State == "succeeded" && p.code == 0:
		case run.State == "failed" && p.code != 0:
		case run.State == "canceled" && f.book.canceled[run.ID]:
		default:
			say(run, "%s in epoch %d was to end with code %d", p.key, p.epoch, p.code)
		}
		if p.last.Epoch < p.epoch {
			say(p.last, "it answers epoch %d", p.epoch)
		}
	}
}

// checkScopes wants one digest in each pin scope.
func (f *findings) checkScopes(say sayer) {
	pins := map[string]string{}
	for _, run := range f.runs {
		if run.PinScope == "" || run.Pin == "" {
			continue
		}
		if pin, seen := pins[run.PinScope]; seen && pin != run.Pin {
			say(run, "%s has run on %s, too", run.PinScope, pin)
		}
		pins[run.PinScope] = run.Pin
	}
}

// checkLeft wants nothing to be left.
func (f *findings) checkLeft(say sayer) {
	for what, left := range map[string][]string{
		"container": f.containers, "process": f.processes, "log of no run": f.orphans, "log that is not what its followers had read": f.changed,
	} {
		for _, one := range left {
			say(api.Run{ID: one}, "left: a %s: %s", what, one)
		}
	}
	if f.after.memory > f.before.memory+moreMemory {
		say(api.Run{}, "the server takes %s, and took %s", mebibytes(f.after.memory), mebibytes(f.before.memory))
	}
	if f.after.goroutines > f.before.goroutines+moreGoroutines {
		say(api.Run{}, "the server has %d goroutines, and had %d", f.after.goroutines, f.before.goroutines)
	}
}

func mebibytes(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
