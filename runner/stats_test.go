package runner_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/runner"
)

func TestRunsInNumbers(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		var first runner.Run
		for range 4 { // what the two hosts take
			s.submit("sleep", "10m")
		}
		s.settle(time.Second)
		for range 2 {
			run := s.submit("version")
			if first.ID == "" {
				first = run
			}
			s.settle(time.Second)
		}
		want := runner.Stats{By: map[runner.State]int{runner.Running: 4, runner.Queued: 2}, Oldest: first.Submitted}
		if diff := cmp.Diff(want, s.r.Stats()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		s.down("a", true)
		s.settle(time.Minute)
		if n := s.r.Stats().Unreachable; n != 2 {
			t.Errorf("%d runs are out of reach", n)
		}
		s.down("a", false)
		s.settle(time.Hour)
		if diff := cmp.Diff(runner.Stats{By: map[runner.State]int{}}, s.r.Stats()); diff != "" {
			t.Errorf("when all have ended (-want +got):\n%s", diff)
		}
	})
}
