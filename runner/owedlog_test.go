package runner_test

import (
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// Retention and the end of a debt both write the run: neither must take back what
// the other wrote, or a log that is gone would look like one that is empty.
func TestTheLogOfARunThatIsOwedAStopIsNotRemovedUnawares(t *testing.T) {
	t.Parallel()
	inTimeWith(t, runner.Setup{Logs: runner.LogRules{Keep: time.Hour}}, func(s *scene) {
		run := s.submit("lines", "5", "10h")
		s.settle(time.Minute)
		printed := s.log(run.ID)
		host := s.get(run.ID).Host
		s.down(host, true)
		if lost := s.expectEnd(run.ID, runner.Lost, problem.ContactLost); !lost.Owed || printed == "" {
			t.Fatalf("owed %t, printed %q", lost.Owed, printed)
		}
		s.settle(3 * time.Hour) // retention comes by
		s.down(host, false)
		s.settle(5 * time.Minute)
		now := s.get(run.ID)
		if now.Owed {
			t.Fatal("a stop is still owed")
		}
		if !now.Log.Removed && s.log(run.ID) != printed {
			t.Error("the log is gone, and nothing says so")
		}
	})
}
