package runner_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// restore lets the next life begin with a state from a backup, which has not the
// runs of these ids.
func (s *scene) restore(forgotten ...string) {
	s.t.Helper()
	s.stop()
	s.store.mu.Lock()
	s.store.restored = time.Now()
	for _, id := range forgotten {
		delete(s.store.runs, id)
	}
	s.store.mu.Unlock()
	s.start()
}

// passed tells whether the runner has looked at all hosts since.
func (s *scene) passed() bool {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	return s.store.restored.IsZero()
}

func TestNothingBeginsBesideForgottenContainers(t *testing.T) {
	t.Parallel()
	for _, policy := range []runner.Unclaimed{runner.UnclaimedStop, runner.UnclaimedKeep} {
		inTimeWith(t, runner.Setup{Unclaimed: policy}, func(s *scene) {
			first := s.ask(keyed("k", "sleep", "20m")).Run
			s.settle(time.Second)
			host := s.get(first.ID).Host
			s.restore(first.ID)
			retry := s.ask(keyed("k", "sleep", "1m")).Run
			if retry.ID == first.ID {
				t.Fatal("the run is known")
			}
			s.settle(15 * time.Minute) // longer than between two sweeps
			if run := s.expectState(retry.ID, runner.Queued); !strings.Contains(run.Waiting, "that the state does not know on "+host+" (1)") {
				t.Errorf("waits %s", run.Waiting)
			}
			if s.passed() {
				t.Error("the hosts are taken for looked at")
			}
			run := s.expectEnd(retry.ID, runner.Succeeded, "")
			if begun := run.Started.Sub(first.Submitted); begun < 20*time.Minute || begun > 21*time.Minute {
				t.Errorf("begun after %v", begun)
			}
			if !s.passed() {
				t.Error("the hosts were never looked at")
			}
			s.settle(10 * time.Minute)
			left, err := s.hosts[host].Owned(t.Context())
			if gone := len(left) == 0; err != nil || gone != (policy == runner.UnclaimedStop) {
				t.Errorf("%s: left %+v %v", policy, left, err)
			}
		})
	}
}

func TestNothingBeginsBeforeEachHostHasAnswered(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.down("b", true)
		s.restore()
		run := s.submit("sleep", "1s")
		s.settle(time.Hour)
		if run = s.expectState(run.ID, runner.Queued); !strings.Contains(run.Waiting, "for b to answer") {
			t.Errorf("waits %s", run.Waiting)
		}
		s.down("b", false)
		s.expectEnd(run.ID, runner.Succeeded, "")
	})
}

// A run that waited at the backup may have been executed since.
func TestWhatWaitedAtABackupIsNotExecuted(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		var under []string
		for range 4 {
			under = append(under, s.submit("sleep", "1m").ID)
		}
		s.settle(time.Second)
		waits := s.ask(keyed("k", "sleep", "1s")).Run
		s.expectState(waits.ID, runner.Queued)
		s.restore()
		ended := s.expectEnd(waits.ID, runner.Interrupted, problem.StateRestored)
		if ended.ContainerID != "" || !strings.Contains(ended.Detail, "restored from a backup of") {
			t.Errorf("%+v", ended)
		}
		for _, id := range under { // their containers are known
			s.expectEnd(id, runner.Succeeded, "")
		}
		s.expectEnd(s.ask(keyed("k", "sleep", "1s")).Run.ID, runner.Succeeded, "") // its caller decides
		for _, h := range s.hosts {
			if h.Started(waits.ID) != 0 {
				t.Error("it was executed")
			}
		}
	})
}
