package warmer_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/prewarm/prewarm/warmer"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		s.hosts["a"].SetPullSpeed(100) // some 10 s
		s.push(1)
		s.check()
		s.settle(20 * time.Second)
		if err := s.w.Hold(context.Background(), "jobs", "ana"); err != nil {
			t.Fatal(err)
		}
		var told []string
		var last int64
		err := s.w.Events(context.Background(), 0, false, func(e warmer.Event) error {
			if e.Seq != last+1 {
				t.Errorf("event %d after %d", e.Seq, last)
			}
			last = e.Seq
			if what := string(e.Kind) + " " + e.State; !slices.Contains(told, what) {
				told = append(told, what)
			}
			return nil
		})
		want := []string{"host reachable", "rollout warming", "progress pulling", "copy warm", "rollout current", "act hold"}
		if err != nil || !slices.Equal(told, want) {
			t.Errorf("got %q %v\nwant %q", told, err, want)
		}
		if last > 40 {
			t.Errorf("%d events of a pull that took ten seconds", last)
		}
	})
}

func TestFollowersGetWhatComes(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		s.settle(time.Second)
		ctx, cancel := context.WithCancel(context.Background())
		var last int64
		if err := s.w.Events(ctx, 0, false, func(e warmer.Event) error { last = e.Seq; return nil }); err != nil || last == 0 {
			t.Fatal(last, err)
		}
		got := make(chan string, 100)
		ended := make(chan error, 1)
		go func() {
			ended <- s.w.Events(ctx, last, true, func(e warmer.Event) error {
				got <- e.State
				return nil
			})
		}()
		s.settle(time.Second)
		if err := s.w.Hold(ctx, "jobs", "ana"); err != nil {
			t.Fatal(err)
		}
		if what := <-got; what != "hold" || len(got) != 0 {
			t.Errorf("got %s and %d more", what, len(got))
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		boom := errors.New("reader left")
		if err := s.w.Events(context.Background(), 1<<40, true, func(warmer.Event) error { return boom }); !errors.Is(err, boom) {
			t.Errorf("a number from before a restart: %v", err)
		}
	})
}

// What is kept of the events is bounded, and a follower that fell behind goes on
// with what there is.
func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		ctx := context.Background()
		for range 5000 {
			if err := errors.Join(s.w.Hold(ctx, "jobs", "ana"), s.w.Unhold(ctx, "jobs", "ana")); err != nil {
				t.Fatal(err)
			}
		}
		n, last := 0, int64(0)
		if err := s.w.Events(ctx, 3, false, func(e warmer.Event) error { n++; last = e.Seq; return nil }); err != nil {
			t.Fatal(err)
		}
		if n > 4096 || n < 2000 || last < 10000 {
			t.Errorf("%d events, the last is %d", n, last)
		}
	})
}
