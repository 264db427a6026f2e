package server_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
)

var _ server.Runs = (*runs)(nil)

// runs is a runner in memory, with runs that end when a test says so.
type runs struct {
	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, at every change
	asks    []runner.Ask
	all     []runner.Run        // oldest first
	logs    map[string][][]byte // lines, by run
	scopes  []runner.Scope
	hosts   map[string]runner.HostUse
	filter  runner.Filter // of the last list
	checked runner.Checked
}

func newRuns() *runs {
	return &runs{changed: make(chan struct{}), logs: make(map[string][][]byte)}
}

// change does something under the lock and wakes whoever waits for a change.
func (r *runs) change(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
	close(r.changed)
	r.changed = make(chan struct{})
}

// add puts a run there.
func (r *runs) add(run runner.Run) { r.change(func() { r.all = append(r.all, run) }) }

// end gives a run its outcome.
func (r *runs) end(id string, state runner.State) {
	r.change(func() {
		run := r.find(id)
		run.State, run.Ended = state, time.Now()
	})
}

// find gives a run, or nil. The caller holds the lock.
func (r *runs) find(id string) *runner.Run {
	for i := range r.all {
		if r.all[i].ID == id {
			return &r.all[i]
		}
	}
	return nil
}

func (r *runs) about(id string, do func(run *runner.Run)) (runner.Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.find(id)
	if run == nil {
		return runner.Run{}, problem.New(problem.RunNotFound, fmt.Sprintf("there is no run %q", id), "prewarm ps lists them")
	}
	do(run)
	return *run, nil
}

func (r *runs) Submit(_ context.Context, ask runner.Ask) (runner.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asks = append(r.asks, ask)
	for _, run := range r.all {
		if ask.Idempotency != "" && run.Idempotency == ask.Idempotency {
			return runner.Answer{Run: run, Joined: true, Differs: []string{"command"}, Scope: runner.ScopeExisting}, nil
		}
	}
	run := runner.Run{
		ID: fmt.Sprintf("run-%02d", len(r.all)+1), Asked: ask.Spec, Spec: ask.Spec, Terms: ask.Terms, Idempotency: ask.Idempotency,
		Image: "jobs", State: runner.Queued, Submitted: time.Now(),
	}
	r.all = append(r.all, run)
	return runner.Answer{Run: run, Scope: runner.ScopeNew}, nil
}

func (r *runs) Check(_ context.Context, ask runner.Ask) (runner.Checked, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asks = append(r.asks, ask)
	return r.checked, nil
}

// ask is the last one.
func (r *runs) ask() runner.Ask {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asks[len(r.asks)-1]
}

func (r *runs) Get(_ context.Context, id string) (runner.Run, error) {
	return r.about(id, func(*runner.Run) {})
}

func (r *runs) Look(ctx context.Context, id string) (runner.Run, error) {
	if ctx.Err() != nil { // as of a database
		return runner.Run{}, ctx.Err()
	}
	return r.about(id, func(*runner.Run) {})
}

func (r *runs) Namespace(ctx context.Context, id string) (string, error) {
	run, err := r.Look(ctx, id)
	return run.Terms.Namespace, err
}

func (r *runs) List(_ context.Context, f runner.Filter) ([]runner.Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.filter = f
	var found []runner.Run
	for _, run := range slices.Backward(r.all) {
		if len(found) < f.Limit && (f.Namespace == "" || f.Namespace == run.Terms.Namespace) && (f.Before == "" || run.ID < f.Before) {
			found = append(found, run)
		}
	}
	return found, nil
}

func (r *runs) Wait(ctx context.Context, id string) (runner.Run, error) {
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		run, err := r.Get(ctx, id)
		if err != nil || run.State.Ended() || ctx.Err() != nil {
			return run, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (r *runs) Withdraw(ctx context.Context, id, word string) (runner.Run, error) {
	if word != "mine" {
		return runner.Run{}, problem.New(problem.JoinedSince, "another call has joined run "+id, "")
	}
	return r.Cancel(ctx, id)
}

func (r *runs) Cancel(_ context.Context, id string) (runner.Run, error) {
	return r.about(id, func(run *runner.Run) {
		if !run.State.Ended() {
			run.State, run.Stop = runner.Canceling, runner.Stop{Why: runner.StopCancel, At: time.Now()}
		}
	})
}

func (r *runs) Reject(_ context.Context, id string) (runner.Run, error) {
	return r.about(id, func(run *runner.Run) { run.Rejected = true })
}

func (r *runs) Release(_ context.Context, id string) (runner.Run, error) {
	run, err := r.about(id, func(*runner.Run) {})
	if err == nil && !run.Owed {
		err = problem.New(problem.NotReleasable, "run "+id+" claims nothing", "cancel it")
	}
	return run, err
}

// CopyLog passes what there is of a log in one chunk, and with follow what comes
// until the run has ended.
func (r *runs) CopyLog(ctx context.Context, id string, after int64, follow bool, w func([]byte) error) error {
	for {
		r.mu.Lock()
		run, lines, changed := *r.find(id), r.logs[id], r.changed
		if earlier := r.find(run.SameAs); earlier != nil {
			run, lines = *earlier, r.logs[earlier.ID]
		}
		r.mu.Unlock()
		if run.Log.Removed {
			return problem.New(problem.LogRemoved, "the log of run "+id+" was removed", "keep logs for longer")
		}
		if rest := lines[min(after, int64(len(lines))):]; len(rest) > 0 {
			if err := w(bytes.Join(rest, nil)); err != nil {
				return err
			}
			after += int64(len(rest))
			continue
		}
		if !follow || run.State.Ended() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// print appends lines to a run's log.
func (r *runs) print(id string, texts ...string) {
	r.change(func() {
		for _, text := range texts {
			r.logs[id] = append(r.logs[id], lineOf(int64(len(r.logs[id])+1), text))
		}
	})
}

// lineOf is a line as the spool has it.
func lineOf(seq int64, text string) []byte {
	b, err := json.Marshal(spool.Entry{Seq: seq, Time: time.Unix(seq, 0).UTC(), EngineTime: time.Unix(seq, 1).UTC(), Stream: "stdout", Text: text})
	if err != nil {
		panic(err)
	}
	return append(b, '\n')
}

func (r *runs) Hosts() map[string]runner.HostUse { return r.hosts }

func (r *runs) Scopes(namespace string) []runner.Scope {
	return slices.DeleteFunc(slices.Clone(r.scopes), func(s runner.Scope) bool { return namespace != "" && s.Namespace != namespace })
}

func (r *runs) Scope(namespace, name string) (runner.Scope, error) {
	for _, s := range r.scopes {
		if s.Name == name && cmp.Or(s.Namespace, runner.DefaultNamespace) == namespace {
			return s, nil
		}
	}
	return runner.Scope{}, problem.New(problem.ScopeNotFound, fmt.Sprintf("no pin scope is called %q", name), "prewarm scopes lists them")
}

func (r *runs) EndScope(_ context.Context, namespace, name string) (runner.Scope, error) {
	s, err := r.Scope(namespace, name)
	s.Ended = time.Unix(9, 0)
	return s, err
}

func (r *runs) Repin(_ context.Context, namespace, scope, image string, allowed []string) (old, now registry.Pin, s runner.Scope, err error) {
	if len(allowed) > 0 && !slices.Contains(allowed, image) {
		return old, now, s, problem.New(problem.NotAllowed, "the caller's token does not allow image "+image, "")
	}
	s, err = r.Scope(namespace, scope)
	if err == nil && image != "jobs" {
		err = problem.New(problem.ImageNotManaged, fmt.Sprintf("no image is called %q", image), "prewarm status lists them")
	}
	if err != nil {
		return old, now, s, err
	}
	return s.Pins[0].Pin, s.Pins[0].Pin, s, nil
}
