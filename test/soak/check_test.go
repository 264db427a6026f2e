package main

import (
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
)

// story is a run that succeeded, with all that is known of it, before somebody
// spoils it.
func story() *findings {
	zero, begin := 0, time.Unix(1000, 0)
	end := begin.Add(time.Minute)
	run := api.Run{
		ID: "r1", State: "succeeded", Ended: true, Key: "soak-1-1", Host: "etl-1", Container: "c1", ExitCode: &zero,
		Command: []string{"work", ledgerTarget, "soak-1-1", "2", "1s", "0"}, Log: api.RunLog{Complete: true}, SubmittedAt: begin, EndedAt: &end,
	}
	b := newBook()
	b.over(piece{plan: plan{key: run.Key}, last: run})
	return &findings{
		book: b, runs: []api.Run{run}, tails: map[string][]string{"r1": {"the last line"}},
		logs:   map[string]*reading{"r1": {printed: map[string]int{"stdout": 2, "stderr": 2}}},
		ledger: []entry{{what: "start", key: run.Key, container: "c1"}, {what: "end", key: run.Key, container: "c1"}},
	}
}

// with adds a second run of the same key.
func (f *findings) with(change func(r *api.Run), happened ...entry) {
	second := f.runs[0]
	second.ID, second.Container = "r2", "c2"
	change(&second)
	f.runs, f.ledger = append(f.runs, second), append(f.ledger, happened...)
	f.logs["r2"] = f.logs["r1"]
}

func did(what string) entry { return entry{what: what, key: "soak-1-1", container: "c2"} }

func TestCheck(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(f *findings){
		"":                                       func(*findings) {},
		"two containers of soak-1-1 ran at once": func(f *findings) { f.ledger = append(f.ledger, did("overlap")) },
		"belongs to no run":                      func(f *findings) { f.ledger = append(f.ledger, did("start")) },
		"was started 2 times":                    func(f *findings) { f.ledger = append(f.ledger, f.ledger[0]) },
		"said to have succeeded, and its program did not":     func(f *findings) { f.ledger[1].code = 9 },
		"nobody canceled it":                                  func(f *findings) { f.runs[0].State = "canceled" },
		"no engine failed under it":                           func(f *findings) { f.runs[0].State = "interrupted" },
		"said not to have been executed, and was":             func(f *findings) { f.runs[0].State = "refused" },
		"no outcome that it may have":                         func(f *findings) { f.runs[0].State = "timed_out" },
		"its program did not end like that":                   func(f *findings) { f.runs[0].State, f.runs[0].ExitCode = "failed", nil },
		"its log is wrong: doubled":                           func(f *findings) { f.logs["r1"].wrong = "doubled" },
		"its log can't be read":                               func(f *findings) { delete(f.logs, "r1") },
		"nothing says why":                                    func(f *findings) { f.runs[0].Log.Complete = false },
		"lacks 3 lines and has 0 that were not printed":       func(f *findings) { f.logs["r1"].missing = 3 },
		"has 2 and 1 lines of its streams, which had 2 each":  func(f *findings) { f.logs["r1"].printed["stderr"] = 1 },
		"the second success of soak-1-1 in epoch 0":           func(f *findings) { f.with(func(*api.Run) {}, did("start"), did("end")) },
		"executed after run r1 had succeeded":                 func(f *findings) { f.with(func(r *api.Run) { r.State = "canceled" }, did("start")) },
		"was to end with code 8":                              func(f *findings) { f.book.pieces[0].code = 8 },
		"it answers epoch 1":                                  func(f *findings) { f.book.pieces[0].epoch = 1 },
		"scope-1 has run on repo@a":                           scopes,
		"left: a container: prewarm-r9":                       func(f *findings) { f.containers = []string{"prewarm-r9"} },
		"left: a process: /program":                           func(f *findings) { f.processes = []string{"/program"} },
		"left: a log of no run: r9":                           func(f *findings) { f.orphans = []string{"r9"} },
		"left: a log that is not what its followers had read": func(f *findings) { f.changed = []string{"r1"} },
		"the server takes 100.0 MiB":                          func(f *findings) { f.after.memory = 100 << 20 },
		"the server has 60 goroutines":                        func(f *findings) { f.after.goroutines = 60 },
		"who followed the log read":                           func(f *findings) { f.book.breach(f.runs[0], "who followed the log read") },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			f := story()
			spoil(f)
			var all []string
			for _, b := range f.check() {
				all = append(all, b.String())
			}
			if said := strings.Join(all, "\n"); (want == "") != (said == "") || !strings.Contains(said, want) {
				t.Errorf("it says:\n%s", said)
			}
		})
	}
}

func scopes(f *findings) {
	f.runs[0].PinScope, f.runs[0].Pin = "scope-1", "repo@a"
	f.with(func(r *api.Run) { r.Pin, r.Key = "repo@b", "soak-1-2" }, entry{what: "start", key: "soak-1-2", container: "c2"}, entry{what: "end", key: "soak-1-2", container: "c2"})
}

// What a fault explains, and what somebody asked for, is no breach.
func TestCheckKnowsReasons(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1000, 0)
	for name, change := range map[string]func(f *findings){
		"interrupted by an engine": func(f *findings) {
			f.with(func(r *api.Run) { r.State, r.Log = "interrupted", api.RunLog{Gap: "the engine was down"} })
			f.faults = []fault{{engine: true, host: "etl-1", begin: begin.Add(time.Second), end: begin.Add(2 * time.Second)}}
		},
		"canceled by its driver": func(f *findings) {
			f.with(func(r *api.Run) { r.State = "canceled" })
			f.book.cancel("r2")
		},
		"canceled by a higher epoch": func(f *findings) {
			f.with(func(r *api.Run) { r.State, r.Stop = "canceled", "new_epoch" })
		},
		"answered by the first one's success": func(f *findings) {
			f.with(func(r *api.Run) { r.SameAs, r.Container = "r1", "" })
		},
		"refused": func(f *findings) {
			f.with(func(r *api.Run) { r.State, r.Container = "refused", "" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := story()
			change(f)
			for _, b := range f.check() {
				t.Error(b)
			}
		})
	}
}

func TestBreachesCarryTheirEvidence(t *testing.T) {
	t.Parallel()
	f := story()
	f.runs[0].State = "timed_out"
	said := f.check()[0].String()
	for _, want := range []string{`"key":"soak-1-1"`, "the last line"} {
		if !strings.Contains(said, want) {
			t.Errorf("it lacks %s:\n%s", want, said)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	f := story()
	f.faults = []fault{{what: "a link was cut", recovered: time.Second}, {what: "a link was cut", recovered: 3 * time.Second}}
	f.book.waited("a place", 2*time.Second)
	f.book.waited("a place", time.Second)
	text := strings.Join(strings.Fields(f.report(settings{seed: 7, length: time.Minute, atOnce: 5}, time.Minute)), " ")
	for _, want := range []string{"seed 7", "runs 1 succeeded 1", "a link was cut 2, served again after 2s, at most 3s", "longest wait for a place 2s"} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
}
