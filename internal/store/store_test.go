package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// The store is what the domain packages asked for.
var (
	_ warmer.Store = (*store.Store)(nil)
	_ runner.Store = (*store.Store)(nil)
)

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func pin(t *testing.T, hex string) registry.Pin {
	t.Helper()
	p, err := registry.ParsePin("registry.test/etl/jobs@sha256:" + strings.Repeat(hex, 64))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// now is a time as the store keeps it: to the microsecond.
func now() time.Time { return time.Now().Truncate(time.Microsecond).Local() }

func TestInstanceStaysTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	first := s.Instance()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if again := open(t, dir).Instance(); again != first || len(first) < 20 {
		t.Fatalf("instance %q, then %q", first, again)
	}
	if other := open(t, t.TempDir()).Instance(); other == first {
		t.Fatal("two states share an instance id")
	}
}

func TestSecondUserIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir)
	_, err := store.Open(t.Context(), dir)
	if problem.CodeOf(err) != problem.StateLocked || !strings.Contains(err.Error(), dir) {
		t.Fatalf("got %v, want %s naming the folder", err, problem.StateLocked)
	}
}

func TestCorruptStateIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.InsertRun(t.Context(), run(t), nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "prewarm.db")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string][]byte{
		"garbage":        []byte(strings.Repeat("not a database, ", 100)),
		"cut":            whole[:len(whole)/2],
		"header only":    whole[:100],
		"zeroed in part": append(append([]byte{}, whole[:4096]...), make([]byte, len(whole)-4096)...),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, damage, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := store.Open(t.Context(), dir)
			if problem.CodeOf(err) != problem.StateCorrupt || problem.From(err).Mend == "" {
				t.Fatalf("got %v, want %s with a mend", err, problem.StateCorrupt)
			}
			after, err := os.ReadFile(path)
			if err != nil || string(after) != string(damage) {
				t.Fatalf("the damaged state was changed (%v)", err)
			}
		})
	}
}

func TestRolloutsRoundTrip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	track := warmer.TrackID{Image: "node-jobs", Tag: "latest"}
	first := warmer.Rollout{
		ID: "0001", Track: track, Pin: pin(t, "a"), Phase: warmer.Current, Seen: now(), Promoted: now(),
		Manifest: registry.Manifest{Pin: pin(t, "a"), Children: []registry.Child{{
			Platform: registry.Platform{OS: "linux", Architecture: "amd64"}, Digest: pin(t, "b").Digest(),
			Layers: []registry.Layer{{Digest: pin(t, "c").Digest(), Bytes: 42}},
		}}},
	}
	second := warmer.Rollout{ID: "0002", Track: track, Pin: pin(t, "d"), Phase: warmer.Warming, Seen: now(), Origin: warmer.FromRollback}
	if err := s.Save(t.Context(), warmer.Change{Rollouts: []warmer.Rollout{first, second}}); err != nil {
		t.Fatal(err)
	}
	first.Phase, first.Ended = warmer.Superseded, now()
	second.Phase, second.Promoted, second.PromotedBy, second.Origin = warmer.Current, now(), "ana", warmer.FromRollback
	second.Trust = warmer.Trust{Approved: now().UTC(), ApprovedBy: "ben", Verdict: &warmer.Verdict{At: now().UTC(), OK: true, Output: "signed"}}
	if err := s.Save(t.Context(), warmer.Change{Rollouts: []warmer.Rollout{first, second}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := open(t, dir).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]warmer.Rollout{first, second}, got.Rollouts, cmp.Comparer(samePin), cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Fatal(diff)
	}
}

func samePin(a, b registry.Pin) bool { return a == b }

func TestTwoCurrentDigestsAreImpossible(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	track := warmer.TrackID{Image: "node-jobs", Tag: "latest"}
	a := warmer.Rollout{ID: "0001", Track: track, Pin: pin(t, "a"), Phase: warmer.Current, Seen: now()}
	b := warmer.Rollout{ID: "0002", Track: track, Pin: pin(t, "b"), Phase: warmer.Current, Seen: now()}
	if err := s.Save(t.Context(), warmer.Change{Rollouts: []warmer.Rollout{a, b}}); err == nil {
		t.Fatal("both were saved as current")
	}
	all, err := s.Load(t.Context())
	if err != nil || len(all.Rollouts) != 0 {
		t.Fatalf("half a save stayed: %v %v", all, err)
	}
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var wg sync.WaitGroup
	errs := make(chan error, 100)
	for i := range 10 {
		wg.Go(func() {
			for j := range 10 {
				r := run(t)
				r.ID = string(rune('a'+i)) + string(rune('a'+j))
				errs <- s.InsertRun(context.WithoutCancel(t.Context()), r, nil, nil)
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	if runs, err := s.UnfinishedRuns(t.Context()); err != nil || len(runs) != 100 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
}

func TestOpenSaysWhatIsWrongWithTheFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(t.Context(), file)
	if err == nil || !strings.Contains(err.Error(), file) || errors.Is(err, os.ErrPermission) {
		t.Fatalf("got %v", err)
	}
}
