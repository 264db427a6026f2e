package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

func run(t *testing.T) runner.Run {
	t.Helper()
	return runner.Run{
		ID: "0001", Image: "node-jobs", Pin: pin(t, "a"), State: runner.Queued, Submitted: now(),
		Spec: runner.Spec{Image: "node-jobs:latest", Command: []string{"a", "b c"}, Env: []string{"K=V"}, Memory: 1 << 30},
	}
}

// insert writes runs down, each with the changes that make it special.
func insert(t *testing.T, s *store.Store, runs ...runner.Run) {
	t.Helper()
	for _, r := range runs {
		if err := s.InsertRun(t.Context(), r, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// with gives a run that differs from the usual one.
func with(t *testing.T, id string, change func(r *runner.Run)) runner.Run {
	t.Helper()
	r := run(t)
	r.ID = id
	change(&r)
	return r
}

func ids(runs []runner.Run) string {
	var all []string
	for _, r := range runs {
		all = append(all, r.ID)
	}
	return strings.Join(all, " ")
}

// Every field of a run is kept, but for what is known of runs under way only.
func TestRunsRoundTrip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	r := filled[runner.Run](t)
	r.State = runner.Queued
	r.Waiting, r.Unreachable, r.Unattended = "", time.Time{}, time.Time{}
	insert(t, s, r)
	read := func(s *store.Store) runner.Run {
		got, err := s.Run(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	same(t, r, read(s))

	// All of it may change but its id, and the empty one is kept as well.
	for _, state := range []runner.State{runner.Failed, runner.Queued} {
		id := r.ID
		if r = (runner.Run{}); state == runner.Failed {
			r = filled[runner.Run](t)
			r.Waiting, r.Unreachable, r.Unattended = "", time.Time{}, time.Time{}
			r.Terms.Key, r.Detail, r.Spec.Command = "another", "killed", nil
		}
		r.ID, r.State = id, state
		if err := s.UpdateRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		same(t, r, read(s))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, r, read(open(t, dir)))
}

// A field that is known of runs under way only is not written down.
func TestPassingConditionsAreNotKept(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	insert(t, s, filled[runner.Run](t))
	got, err := s.Runs(t.Context(), runner.Filter{})
	if err != nil || len(got) != 1 || got[0].Waiting != "" || !got[0].Unreachable.IsZero() || !got[0].Unattended.IsZero() {
		t.Fatalf("got %+v %v", got, err)
	}
}

func TestUnknownRun(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	insert(t, s, run(t)) // without a word for its call, which is no word to find it by
	if _, err := s.Run(t.Context(), "nope"); problem.CodeOf(err) != problem.RunNotFound || !strings.Contains(err.Error(), `"nope"`) {
		t.Errorf("got %v", err)
	}
	for _, word := range []string{"nope", ""} {
		if _, err := s.ByIdempotency(t.Context(), "default", word); problem.CodeOf(err) != problem.RunNotFound {
			t.Errorf("%q: got %v", word, err)
		}
	}
}

func TestOneCallIsOneRun(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	call := func(id, namespace, word string) runner.Run {
		return with(t, id, func(r *runner.Run) { r.Terms.Namespace, r.Idempotency = namespace, word })
	}
	insert(t, s, call("1", "default", "w"), call("2", "default", "other"), call("3", "theirs", "w"), call("4", "default", ""), call("5", "default", ""))
	secrets, scope := []byte("sealed"), &runner.Scope{Namespace: "default", Name: "s"}
	if err := s.InsertRun(t.Context(), call("6", "default", "w"), secrets, scope); err == nil || !strings.Contains(err.Error(), "insert run 6") {
		t.Errorf("a second run for one call: %v", err)
	}
	if _, err := s.Run(t.Context(), "6"); problem.CodeOf(err) != problem.RunNotFound {
		t.Errorf("half an insert stayed: %v", err)
	}
	if err := s.RecordJoin(t.Context(), "theirs", "joined", "3"); err != nil {
		t.Error(err)
	}
	if got, err := s.ByIdempotency(t.Context(), "theirs", "joined"); err != nil || got.ID != "3" {
		t.Errorf("a call that joined: %q %v", got.ID, err)
	}
	for run, want := range map[string]string{"1": "w", "3": "joined", "4": ""} {
		if got, err := s.LatestCall(t.Context(), run); err != nil || got != want {
			t.Errorf("the latest call of %s: %q %v, want %q", run, got, err, want)
		}
	}
	if _, err := s.ByIdempotency(t.Context(), "default", "joined"); problem.CodeOf(err) != problem.RunNotFound {
		t.Errorf("a call of another namespace: %v", err)
	}
	for namespace, want := range map[string]string{"default": "1", "theirs": "3"} {
		if got, err := s.ByIdempotency(t.Context(), namespace, "w"); err != nil || got.ID != want {
			t.Errorf("%s: got %q %v, want %q", namespace, got.ID, err, want)
		}
	}
}

// An insert that fails at its last part leaves nothing of the others.
func TestInsertIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	insert(t, s, run(t))
	again := run(t)
	scope := &runner.Scope{Namespace: "default", Name: "s", Pins: []runner.ScopePin{{Track: "jobs", Pin: pin(t, "a")}}}
	if err := s.InsertRun(t.Context(), again, []byte("sealed"), scope); err == nil {
		t.Fatal("an id was used twice")
	}
	if sealed, err := s.Secrets(t.Context(), again.ID); err != nil || sealed != nil {
		t.Errorf("secrets stayed: %q %v", sealed, err)
	}
	if scopes, err := s.Scopes(t.Context()); err != nil || len(scopes) != 0 {
		t.Errorf("scopes stayed: %v %v", scopes, err)
	}
}

func TestByKey(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	key := func(id, namespace, key string, epoch int64) runner.Run {
		return with(t, id, func(r *runner.Run) { r.Terms.Namespace, r.Terms.Key, r.Terms.Epoch = namespace, key, epoch })
	}
	insert(t, s, key("1", "default", "k", 0), key("2", "theirs", "k", 0), key("3", "default", "k", 1), key("4", "default", "k2", 0), key("5", "default", "", 0))
	for _, c := range []struct{ namespace, key, want string }{
		{"default", "k", "3 1"},
		{"theirs", "k", "2"},
		{"default", "nope", ""},
		{"default", "", ""},
	} {
		got, err := s.ByKey(t.Context(), c.namespace, c.key)
		if err != nil || ids(got) != c.want {
			t.Errorf("%s %q: got %q %v, want %q", c.namespace, c.key, ids(got), err, c.want)
		}
	}
}

func TestRunsAreFiltered(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	insert(t, s,
		with(t, "1", func(r *runner.Run) { r.Host, r.State, r.Terms.Key = "etl-1", runner.Succeeded, "k" }),
		with(t, "2", func(r *runner.Run) { r.Host, r.State, r.Image = "etl-2", runner.Running, "other" }),
		with(t, "3", func(r *runner.Run) { r.Host, r.State, r.Terms.Scope, r.Terms.Key = "etl-1", runner.Failed, "s", "k" }),
		with(t, "4", func(r *runner.Run) { r.Pin = registry.Pin{} }), // queued for a first promotion
		with(t, "5", func(r *runner.Run) { r.State, r.Owed, r.Host = runner.Lost, true, "etl-2" }),
	)
	for name, c := range map[string]struct {
		filter runner.Filter
		want   string
	}{
		"all":           {runner.Filter{}, "5 4 3 2 1"},
		"a page":        {runner.Filter{Limit: 2}, "5 4"},
		"the next page": {runner.Filter{Limit: 2, Before: "4"}, "3 2"},
		"after all":     {runner.Filter{Limit: 2, Before: "1"}, ""},
		"active":        {runner.Filter{Active: true}, "4 2"},
		"a state":       {runner.Filter{States: []runner.State{runner.Lost}}, "5"},
		"states":        {runner.Filter{States: []runner.State{runner.Succeeded, runner.Failed}}, "3 1"},
		"an image":      {runner.Filter{Image: "other"}, "2"},
		"a host":        {runner.Filter{Host: "etl-1"}, "3 1"},
		"a key":         {runner.Filter{Key: "k"}, "3 1"},
		"a scope":       {runner.Filter{Scope: "s"}, "3"},
		"all of it": {runner.Filter{
			Limit: 1, Before: "4", States: []runner.State{runner.Failed, runner.Succeeded}, Image: "node-jobs", Host: "etl-1", Key: "k",
		}, "3"},
		"what excludes itself": {runner.Filter{Active: true, States: []runner.State{runner.Failed}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := s.Runs(t.Context(), c.filter)
			if err != nil || ids(got) != c.want {
				t.Errorf("got %q %v, want %q", ids(got), err, c.want)
			}
		})
	}
}

func TestUnfinishedRuns(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for i, state := range []runner.State{runner.Running, runner.Succeeded, runner.Lost, runner.Canceling, runner.Refused, runner.Queued, runner.Lost} {
		insert(t, s, with(t, fmt.Sprint(i), func(r *runner.Run) { r.State, r.Owed = state, i == 2 }))
	}
	expectUnfinished(t, s, "0 2 3 5")
	r := run(t)
	r.ID, r.State = "3", runner.Canceled
	if err := s.UpdateRun(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	r.ID, r.State = "2", runner.Lost
	if err := s.UpdateRun(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	expectUnfinished(t, s, "0 5")
}

func expectUnfinished(t *testing.T, s *store.Store, want string) {
	t.Helper()
	runs, err := s.UnfinishedRuns(t.Context())
	if err != nil || ids(runs) != want {
		t.Fatalf("unfinished: %q %v, want %q", ids(runs), err, want)
	}
}

func TestOldRunsAreForgotten(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	end := now()
	ended := func(id string, ago time.Duration, change func(r *runner.Run)) runner.Run {
		return with(t, id, func(r *runner.Run) {
			r.State, r.Ended = runner.Succeeded, end.Add(-ago)
			change(r)
		})
	}
	usual := func(*runner.Run) {}
	insert(t, s,
		ended("1", 3*time.Hour, usual),
		ended("2", 4*time.Hour, usual),
		ended("3", 5*time.Hour, func(r *runner.Run) { r.State, r.Owed = runner.Lost, true }),
		ended("4", 6*time.Hour, usual),
		ended("5", time.Minute, func(r *runner.Run) { r.SameAs = "4" }),
		with(t, "6", usual),
		ended("7", time.Hour, usual),
	)
	expect := func(limit int, want string) []runner.Run {
		t.Helper()
		got, err := s.EndedBefore(t.Context(), end.Add(-time.Hour), limit)
		if err != nil || ids(got) != want {
			t.Fatalf("got %q %v, want %q", ids(got), err, want)
		}
		return got
	}
	expect(10, "2 1")
	expect(1, "2")
	// What is under way or owed a stop stays, whoever asks.
	if err := s.DeleteRuns(t.Context(), []string{"2", "3", "5", "6", "unknown"}); err != nil {
		t.Fatal(err)
	}
	expect(10, "4 1")
	left, err := s.Runs(t.Context(), runner.Filter{})
	if err != nil || ids(left) != "7 6 4 3 1" {
		t.Fatalf("left: %q %v", ids(left), err)
	}
}

// Secrets stay while their run changes, and go with it.
func TestSecretsOfForgottenRunsAreGone(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	r := with(t, "1", func(*runner.Run) {})
	if err := s.InsertRun(t.Context(), r, []byte("sealed"), nil); err != nil {
		t.Fatal(err)
	}
	r.State = runner.Refused
	if err := s.UpdateRun(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if sealed, err := s.Secrets(t.Context(), "1"); err != nil || string(sealed) != "sealed" {
		t.Fatalf("got %q %v", sealed, err)
	}
	if err := s.DeleteRuns(t.Context(), []string{"1"}); err != nil {
		t.Fatal(err)
	}
	if sealed, err := s.Secrets(t.Context(), "1"); err != nil || sealed != nil {
		t.Fatalf("got %q %v", sealed, err)
	}
}

// Ids sort by submit, so the newest runs come first without a time.
func TestRunsNewestFirst(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var want []string
	for n := range 30 {
		id := fmt.Sprintf("%04d", (n*7)%30)
		insert(t, s, with(t, id, func(*runner.Run) {}))
		want = append(want, id)
	}
	slices.Sort(want)
	slices.Reverse(want)
	got, err := s.Runs(t.Context(), runner.Filter{Limit: 10})
	if err != nil || ids(got) != strings.Join(want[:10], " ") {
		t.Fatalf("got %q %v", ids(got), err)
	}
}
