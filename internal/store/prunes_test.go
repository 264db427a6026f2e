package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/prune"
)

// runOf is a run of a digest that is submitted now.
func runOf(id string, p registry.Pin) runner.Run {
	return runner.Run{ID: id, State: runner.Queued, Pin: p, Submitted: time.Now(), Terms: runner.Terms{Namespace: "default"}}
}

func intend(t *testing.T, s *store.Store, pins ...registry.Pin) []prune.Claim {
	t.Helper()
	claims, err := s.Intend(t.Context(), "etl-1", "pass", pins)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

func settle(t *testing.T, s *store.Store, pins ...registry.Pin) {
	t.Helper()
	if err := s.Settle(t.Context(), "etl-1", pins, nil); err != nil {
		t.Fatal(err)
	}
}

// A run and the removal of its digest refuse each other, whichever comes first.
func TestRunsAndRemovalsRefuseEachOther(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	one, two := pin(t, "a"), pin(t, "b")
	if claims := intend(t, s, one); len(claims) > 0 {
		t.Fatalf("nobody wants it: %v", claims)
	}
	if err := s.InsertRun(t.Context(), runOf("1", one), nil, nil); problem.CodeOf(err) != problem.ImageLeaving {
		t.Errorf("a run of what is being removed: %v", err)
	}
	if err := s.InsertRun(t.Context(), runOf("2", two), nil, nil); err != nil {
		t.Errorf("a run of another digest: %v", err)
	}
	early := runOf("3", one) // it looked at the hosts before the removal ended
	settle(t, s, one)
	if err := s.InsertRun(t.Context(), early, nil, nil); problem.CodeOf(err) != problem.ImageLeaving {
		t.Errorf("a run that was drafted before the removal ended: %v", err)
	}
	time.Sleep(time.Millisecond) // times are kept by the microsecond
	if err := s.InsertRun(t.Context(), runOf("4", one), nil, nil); err != nil {
		t.Errorf("a run that was drafted after it: %v", err)
	}
	claims := intend(t, s, two)
	if len(claims) != 1 || claims[0].Rule != prune.IsLeased || claims[0].Detail != "run 2" {
		t.Errorf("a removal of what a run wants: %+v", claims)
	}
	// What was refused left nothing behind.
	if err := s.InsertRun(t.Context(), runOf("5", two), nil, nil); err != nil {
		t.Error(err)
	}
}

// A run that was submitted before its image had a digest gets it later, and not
// one that is being removed.
func TestAQueuedRunGetsNoDigestThatLeaves(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	r := runOf("1", registry.Pin{})
	if err := s.InsertRun(t.Context(), r, nil, nil); err != nil {
		t.Fatal(err)
	}
	one, two := pin(t, "a"), pin(t, "b")
	intend(t, s, one)
	if r.Pin = one; problem.CodeOf(s.UpdateRun(t.Context(), r)) != problem.ImageLeaving {
		t.Error("it got a digest that is being removed")
	}
	if r.Pin = two; s.UpdateRun(t.Context(), r) != nil {
		t.Error("it did not get another one")
	}
	if claims := intend(t, s, two); len(claims) != 1 {
		t.Errorf("it has no lease: %v", claims)
	}
}

// Of several digests either all are intended or none.
func TestIntendIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	free, wanted := pin(t, "a"), pin(t, "b")
	if err := s.InsertRun(t.Context(), runOf("1", wanted), nil, nil); err != nil {
		t.Fatal(err)
	}
	if claims := intend(t, s, free, wanted); len(claims) != 1 {
		t.Errorf("%+v", claims)
	}
	if err := s.InsertRun(t.Context(), runOf("2", free), nil, nil); err != nil {
		t.Errorf("the first of the two stayed intended: %v", err)
	}
}

func TestLeases(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	running, ended, owed, scoped, over := pin(t, "a"), pin(t, "b"), pin(t, "c"), pin(t, "d"), pin(t, "e")
	lost := runOf("3", owed)
	lost.State, lost.Owed = runner.Lost, true
	done := runOf("2", ended)
	done.State = runner.Succeeded
	for _, r := range []runner.Run{runOf("1", running), done, lost} {
		if err := s.InsertRun(t.Context(), r, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, scope := range []runner.Scope{
		{Namespace: "default", Name: "live", Created: now(), Pins: []runner.ScopePin{{Track: "jobs", Image: "jobs", Pin: scoped, Since: now()}}},
		{Namespace: "default", Name: "ended", Created: now(), Ended: now(), Pins: []runner.ScopePin{{Track: "jobs", Image: "jobs", Pin: over, Since: now()}}},
	} {
		if err := s.SaveScope(t.Context(), scope); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rules := make(map[registry.Pin]prune.Rule)
	for p, claims := range got {
		rules[p] = claims[0].Rule
	}
	want := map[registry.Pin]prune.Rule{running: prune.IsLeased, owed: prune.IsLeased, scoped: prune.InScope}
	if diff := cmp.Diff(want, rules, cmp.Comparer(func(a, b registry.Pin) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

// A server that was killed in a removal leaves no intent behind that would refuse
// runs for ever.
func TestRecallEndsRemovals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	one, two := pin(t, "a"), pin(t, "b")
	intend(t, s, one)
	if err := s.Settle(t.Context(), "etl-1", nil, []registry.Pin{one, two}); err != nil {
		t.Fatal(err)
	}
	if err := s.TakeBack(t.Context(), "etl-1", []registry.Pin{two}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	given, err := s.Recall(t.Context())
	if err != nil || len(given) != 1 || !slices.Equal(given["etl-1"], []registry.Pin{one}) {
		t.Errorf("given up: %v, %v", given, err)
	}
	time.Sleep(time.Millisecond)
	if err := s.InsertRun(t.Context(), runOf("1", one), nil, nil); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}

func TestUsesRoundTrip(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	want := []warmer.Use{{Image: "sha256:a", Seen: now()}, {Image: "sha256:b", Seen: now(), Used: now()}}
	for _, uses := range [][]warmer.Use{{{Image: "sha256:gone", Seen: now()}}, want} {
		if err := s.SaveUses(t.Context(), "etl-1", uses); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SaveUses(t.Context(), "etl-2", want[:1]); err != nil {
		t.Fatal(err)
	}
	got, err := s.Uses(t.Context(), "etl-1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Error(diff)
	}
}

func TestLastRunsAndMemories(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	one := pin(t, "a")
	early, late := now().Add(-time.Hour), now()
	for i, at := range []time.Time{early, late, {}} {
		r := runOf(string(rune('1'+i)), one)
		r.Host, r.Started = "etl-1", at
		if err := s.InsertRun(t.Context(), r, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	last, err := s.LastRuns(t.Context(), "etl-1")
	if err != nil || len(last) != 1 || !last[one].Equal(late) {
		t.Errorf("%v, %v", last, err)
	}
	track := warmer.TrackID{Image: "jobs", Tag: "latest"}
	err = s.Save(t.Context(), warmer.Change{Rollouts: []warmer.Rollout{
		{ID: "01", Track: track, Pin: one, Phase: warmer.Superseded, Seen: early, Promoted: early, Ended: late},
		{ID: "02", Track: track, Pin: one, Phase: warmer.Overtaken, Seen: late, Ended: late},
	}})
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Remembered(t.Context())
	if err != nil || len(all) != 1 || all[0].Track != track || !all[0].Promoted.Equal(early) || !all[0].Ended.Equal(late) {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestPassesRoundTrip(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	p := warmer.Pass{
		ID: "02", Host: "etl-1", Trigger: warmer.ByPerson, Who: "ana", Begun: now(), Need: 5, Short: 1, Stays: 3, Predicted: 7,
		Removals: []warmer.PassRemoval{{ID: "sha256:a", Names: []string{"x:1"}, Rule: prune.GoSuperseded, Why: "old", Predicted: 7, Outcome: warmer.WouldGo}},
	}
	other := warmer.Pass{ID: "01", Host: "etl-2", Begun: now(), Ended: now()}
	for _, pass := range []warmer.Pass{other, p} {
		if err := s.SavePass(t.Context(), pass); err != nil {
			t.Fatal(err)
		}
	}
	p.Ended, p.Freed, p.Removals[0].Outcome = now(), 6, warmer.WasRemoved
	if err := s.SavePass(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string][]warmer.Pass{"": {p, other}, "etl-1": {p}, "etl-3": nil} {
		got, err := s.Passes(t.Context(), host, 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); diff != "" {
			t.Errorf("of %q: %s", host, diff)
		}
	}
}

// A scope that had ended does not come to hold a digest again while that is being
// removed.
func TestARenewedScopeRevivesNothingThatLeaves(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	one, two := pin(t, "a"), pin(t, "b")
	at := now()
	scope := runner.Scope{
		Namespace: "default", Name: "dag", Created: at, Used: at, Ended: at,
		Pins: []runner.ScopePin{{Track: "x", Image: "x", Pin: one, Since: at}, {Track: "y", Image: "y", Pin: two, Since: at}},
	}
	if err := s.SaveScope(t.Context(), scope); err != nil {
		t.Fatal(err)
	}
	if claims := intend(t, s, two); len(claims) > 0 {
		t.Fatal(claims)
	}
	if err := s.InsertRun(t.Context(), runOf("1", one), nil, &scope); problem.CodeOf(err) != problem.ImageLeaving {
		t.Errorf("a live scope holds what is being removed: %v", err)
	}
	settle(t, s, two)
	if err := s.InsertRun(t.Context(), runOf("2", one), nil, &scope); err != nil {
		t.Error(err)
	}
}
