package store_test

import (
	"context"
	"slices"
	"testing"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// noticed tells whether somebody who waits for notices is woken.
func noticed(s *store.Store) bool {
	select {
	case <-s.Noticed():
		return true
	default:
		return false
	}
}

// Whatever way a run is written down: what is told of it is there with it.
func TestARunIsWrittenWithItsNotices(t *testing.T) {
	t.Parallel()
	tests := map[string]func(r *runner.Run){
		"ended":            func(r *runner.Run) { r.State = runner.Failed },
		"with its secrets": func(r *runner.Run) { r.State, r.Spec.SecretEnv = runner.Failed, []runner.SecretEnv{{Name: "TOKEN"}} },
		"queued":           func(*runner.Run) {},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := open(t, dir)
			r := with(t, "0001", change)
			insert(t, s, run(t))
			if err := s.UpdateRun(t.Context(), r); err != nil || noticed(s) || len(store.Told(t, dir)) != 0 {
				t.Fatalf("without notices: %v", err)
			}
			news := notice.New(notice.RunFailed)
			for range 2 { // a write that is tried again
				if err := s.UpdateRun(t.Context(), r, news); err != nil || !noticed(s) {
					t.Fatalf("with one: %v", err)
				}
			}
			if got := store.Told(t, dir); !slices.Equal(got, []string{"run_failed"}) {
				t.Errorf("got %v", got)
			}
			over, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.UpdateRun(over, r, notice.New(notice.RunLost)); err == nil || noticed(s) || len(store.Told(t, dir)) != 1 {
				t.Errorf("a write that failed told something: %v", err)
			}
		})
	}
}

func TestAChangeIsWrittenWithItsNotices(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	promoted := warmer.Rollout{ID: "1", Track: warmer.TrackID{Image: "jobs", Tag: "latest"}, Pin: pin(t, "a"), Phase: warmer.Current}
	if err := s.Save(t.Context(), warmer.Change{Rollouts: []warmer.Rollout{promoted}, Notices: []notice.Event{notice.New(notice.ImagePromoted)}}); err != nil || !noticed(s) {
		t.Fatal(err)
	}
	second := promoted
	second.ID = "2" // a second current one of a track is refused, and all with it
	err := s.Save(t.Context(), warmer.Change{Rollouts: []warmer.Rollout{second}, Notices: []notice.Event{notice.New(notice.ImagePromoted)}})
	if err == nil || noticed(s) {
		t.Errorf("told nevertheless: %v", err)
	}
	if err := s.Tell(t.Context(), notice.New(notice.ConfigRefused)); err != nil || !noticed(s) {
		t.Fatal(err)
	}
	if got := store.Told(t, dir); !slices.Equal(got, []string{"image_promoted", "config_refused"}) {
		t.Errorf("got %v", got)
	}
}
