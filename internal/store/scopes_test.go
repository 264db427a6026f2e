package store_test

import (
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/runner"
)

func scopes(t *testing.T, s *store.Store) []runner.Scope {
	t.Helper()
	all, err := s.Scopes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestScopesRoundTrip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	if got := scopes(t, s); len(got) != 0 {
		t.Fatalf("got %v", got)
	}
	full := filled[runner.Scope](t)
	bare := runner.Scope{Namespace: full.Namespace, Name: "a scope without pins"}
	theirs := runner.Scope{Namespace: "theirs", Name: full.Name, Pins: []runner.ScopePin{{Track: "jobs", Image: "jobs", Pin: pin(t, "b"), Since: now()}}}
	for _, scope := range []runner.Scope{theirs, full, bare} {
		if err := s.SaveScope(t.Context(), scope); err != nil {
			t.Fatal(err)
		}
	}
	same(t, []runner.Scope{bare, full, theirs}, scopes(t, s))

	// What is given replaces all that was there, its pins included.
	full.Pins = []runner.ScopePin{{Track: full.Pins[0].Track, Image: "moved", Pin: pin(t, "c"), Since: now()}}
	full.Host, full.Ended, full.Keep, full.Created = "", time.Time{}, false, now()
	if err := s.SaveScope(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteScope(t.Context(), "theirs", "nope"); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteScope(t.Context(), bare.Namespace, bare.Name); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	same(t, []runner.Scope{full, theirs}, scopes(t, s))

	// A scope that comes again under its name has none of the old pins.
	if err := s.DeleteScope(t.Context(), "theirs", full.Name); err != nil {
		t.Fatal(err)
	}
	theirs.Pins = nil
	if err := s.SaveScope(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	same(t, []runner.Scope{full, theirs}, scopes(t, s))
}

// The first use of an image in a scope decides its digest; a later run adds
// what is missing, uses the scope anew, and moves nothing.
func TestRunsUseScopes(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	day := func(n int) time.Time { return time.UnixMicro(int64(n) * 86400e6) }
	jobs := runner.ScopePin{Track: "jobs", Image: "jobs", Pin: pin(t, "a"), Since: day(1)}
	moved := runner.ScopePin{Track: "jobs", Image: "jobs", Pin: pin(t, "b"), Since: day(3)}
	tools := runner.ScopePin{Track: "tools:1.2", Image: "tools", Pin: pin(t, "c"), Since: day(3)}
	use := func(id string, scope runner.Scope) {
		t.Helper()
		if err := s.InsertRun(t.Context(), with(t, id, func(*runner.Run) {}), nil, &scope); err != nil {
			t.Fatal(err)
		}
	}
	scope := runner.Scope{Namespace: "default", Name: "s", Keep: true, Created: day(1), Used: day(1), Pins: []runner.ScopePin{jobs}}
	use("1", scope)
	same(t, []runner.Scope{scope}, scopes(t, s))

	scope.Ended = day(2)
	if err := s.SaveScope(t.Context(), scope); err != nil {
		t.Fatal(err)
	}
	use("2", runner.Scope{
		Namespace: "default", Name: "s", Host: "etl-1", Marker: "m", Volume: "v", Created: day(3), Used: day(3), Ended: day(2),
		Pins: []runner.ScopePin{moved, tools},
	})
	want := scope
	want.Host, want.Marker, want.Volume, want.Used, want.Ended = "etl-1", "m", "v", day(3), time.Time{}
	want.Pins = []runner.ScopePin{jobs, tools}
	same(t, []runner.Scope{want}, scopes(t, s))
}
