package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/warmer"
)

func TestWarmthRoundTrip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	paused := warmer.Pause{What: warmer.Pulling, Host: "etl-1", Since: now(), Who: "ana"}
	gone := warmer.Pause{What: warmer.Watching, Since: now(), Who: "ben"}
	image := warmer.ImageState{Image: "jobs", Repository: "registry.test/etl/jobs", Chosen: []string{"1.3", "1.2"}, HeldAt: now(), HeldBy: "ana"}
	later := now().Add(time.Hour)
	act := warmer.Act{ID: "01", At: now(), Who: "ana", Verb: warmer.Holding, Track: warmer.TrackID{Image: "jobs"}, Detail: "for the audit"}
	for _, c := range []warmer.Change{
		{Images: []warmer.ImageState{{Image: "jobs", Chosen: []string{"1.2"}}}, Engines: map[string]string{"etl-1": "old", "etl-2": "x"}, Troubles: map[warmer.Trouble]time.Time{"a": now(), "b": now()}},
		{Paused: []warmer.Pause{paused, gone}, Acts: []warmer.Act{act}},
		{Resumed: []warmer.Pause{gone}, Images: []warmer.ImageState{image}, Engines: map[string]string{"etl-1": "new"}, Over: []warmer.Trouble{"a", "b"}, Troubles: map[warmer.Trouble]time.Time{"b": later}},
	} {
		if err := s.Save(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	got, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := warmer.Saved{Images: []warmer.ImageState{image}, Pauses: []warmer.Pause{paused}, Engines: map[string]string{"etl-1": "new", "etl-2": "x"}, Troubles: map[warmer.Trouble]time.Time{"b": later}}
	if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Error(diff)
	}
	_, acts, err := s.History(t.Context(), "jobs", 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]warmer.Act{act}, acts, cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Error(diff)
	}
}

// A tag that moved a thousand times costs a start no more than one that moved
// fifty times, and what is open or rejected is there however old it is.
func TestLoadGivesWhatMatters(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var all []warmer.Rollout
	for n := range 300 {
		r := warmer.Rollout{ID: fmt.Sprintf("%04d", n), Track: warmer.TrackID{Image: "jobs", Tag: "latest"}, Pin: pin(t, "a"), Phase: warmer.Overtaken, Seen: now()}
		switch n {
		case 1:
			r.Phase = warmer.Rejected
		case 2:
			r.Phase = warmer.Held
		case 3:
			r.Phase = warmer.Current
		}
		all = append(all, r)
	}
	if err := s.Save(t.Context(), warmer.Change{Rollouts: all}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Rollouts); n != 53 || got.Rollouts[0].ID != "0001" || got.Rollouts[2].ID != "0003" || got.Rollouts[52].ID != "0299" {
		t.Errorf("%d rollouts", n)
	}
	history, _, err := s.History(t.Context(), "jobs", 2)
	if err != nil || len(history) != 2 || history[0].ID != "0299" || history[1].ID != "0298" {
		t.Errorf("history %v %v", history, err)
	}
}

// Rollouts of years don't pile up.
func TestOldRolloutsAreThinnedOut(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var all []warmer.Rollout
	for n := range 1100 {
		r := warmer.Rollout{ID: fmt.Sprintf("%04d", n), Track: warmer.TrackID{Image: "jobs", Tag: "latest"}, Pin: pin(t, "a"), Phase: warmer.Overtaken, Seen: now()}
		if n == 5 {
			r.Phase = warmer.Rejected
		}
		all = append(all, r)
	}
	if err := s.Save(t.Context(), warmer.Change{Rollouts: all}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, _, err := s.History(t.Context(), "jobs", 10000)
	if err != nil || len(left) != 1001 || left[1000].ID != "0005" {
		t.Errorf("%d rollouts left, %v", len(left), err)
	}
}

// However many digests came and never were current since (an image on hold, say),
// what it can go back to is known after a restart.
func TestWhatIsKeptForARollbackIsNotThinnedOut(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var all []warmer.Rollout
	for n := range 1100 {
		r := warmer.Rollout{ID: fmt.Sprintf("%04d", n), Track: warmer.TrackID{Image: "jobs", Tag: "latest"}, Pin: pin(t, "a"), Phase: warmer.Overtaken, Seen: now()}
		switch n {
		case 5, 6:
			r.Phase = warmer.Superseded
		case 7:
			r.Phase = warmer.Current
		}
		all = append(all, r)
	}
	if err := s.Save(t.Context(), warmer.Change{Rollouts: all}); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget(t.Context(), now()); err != nil {
		t.Fatal(err)
	}
	got, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Rollouts); n != 53 || got.Rollouts[0].ID != "0005" || got.Rollouts[1].ID != "0006" {
		t.Errorf("%d rollouts are loaded, the oldest is %s: the superseded ones are forgotten", n, got.Rollouts[0].ID)
	}
}
