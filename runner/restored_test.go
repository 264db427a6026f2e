package runner_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
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
	for id, run := range s.store.runs {
		if !run.State.Ended() && run.ContainerID == "" {
			s.store.waited = append(s.store.waited, id)
		}
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

// A server that ends while it waits for its hosts has not lost what it answered.
func TestWhatIsSubmittedAfterARestoreOutlivesAnotherStart(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.down("b", true)
		s.restore()
		run := s.ask(keyed("k", "sleep", "1s")).Run
		s.settle(time.Minute)
		s.restart()
		s.settle(time.Minute)
		s.expectState(run.ID, runner.Queued)
		s.down("b", false)
		s.expectEnd(run.ID, runner.Succeeded, "")
		if n := s.started(run.ID); n != 1 {
			t.Errorf("started %d times", n)
		}
	})
}

// late writes down no outcome before a time.
type late struct {
	*memory
	until time.Time
}

func (m *late) UpdateRun(ctx context.Context, run runner.Run, notices ...notice.Event) error {
	if time.Now().Before(m.until) {
		return errors.New("the disk is slow")
	}
	return m.memory.UpdateRun(ctx, run, notices...)
}

// In the backup the run had no container yet; since then it got one, which is at
// work. That nothing is written down of it for a while opens no gate.
func TestNothingBeginsBesideAContainerThatARunGotSinceTheBackup(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "20m")).Run
		s.settle(time.Second)
		s.stop()
		s.store.mu.Lock()
		run := s.store.runs[first.ID]
		run.State, run.ContainerID, run.Host = runner.Queued, "", ""
		s.store.runs[first.ID] = run
		s.store.mu.Unlock()
		s.stop = func() {}
		s.instead = &late{memory: s.store, until: time.Now().Add(time.Minute)}
		s.restore()
		s.settle(5 * time.Minute)
		s.expectEnd(first.ID, runner.Interrupted, problem.StateRestored)
		if s.passed() {
			t.Error("the hosts are taken for looked at")
		}
		retry := s.ask(keyed("k", "sleep", "1s")).Run
		ended := s.expectEnd(retry.ID, runner.Succeeded, "")
		if begun := ended.Started.Sub(first.Submitted); begun < 20*time.Minute {
			t.Errorf("begun after %v", begun)
		}
	})
}

// Its last use in the backup says nothing of its last use.
func TestAScopeOfAnOldBackupKeepsItsDigest(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.end(s.ask(scoped("dag", "version")).Run.ID)
		s.stop()
		time.Sleep(3 * 24 * time.Hour)
		s.stop = func() {}
		s.restore()
		s.images.set(two, "a", "b") // CI pushes
		s.settle(time.Minute)
		scope, err := s.r.Scope(runner.DefaultNamespace, "dag")
		if err != nil || !scope.Ended.IsZero() || !s.passed() {
			t.Fatalf("%+v %v", scope, err)
		}
		_, _, held := s.r.Waiting()
		if !held[runner.Held{Image: "jobs", Pin: one}] {
			t.Errorf("held %v", held)
		}
		s.settle(25 * time.Hour)
		if scope, err = s.r.Scope(runner.DefaultNamespace, "dag"); err != nil || scope.Ended.IsZero() {
			t.Errorf("it never ends: %+v %v", scope, err)
		}
	})
}

// A configuration without hosts is no word that all were looked at.
func TestWithoutHostsNothingWasLookedAt(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "20m")).Run
		s.settle(time.Second)
		s.restore(first.ID)
		s.r.Reconfigure(runner.Setup{})
		s.settle(time.Minute)
		if s.passed() {
			t.Error("the hosts are taken for looked at")
		}
	})
}

// A host that does not come back leaves the configuration, and one that is new
// there has to answer, too.
func TestAReloadWhileNothingIsExecuted(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		at := func(names ...string) (setup runner.Setup) {
			for _, name := range names {
				setup.Hosts = append(setup.Hosts, runner.HostOptions{Name: name, Engine: s.hosts[name], Slots: 2})
			}
			return setup
		}
		s.down("a", true)
		s.down("b", true)
		s.setup = at("a")
		s.restore()
		s.r.Reconfigure(at("a", "b"))
		s.down("a", false)
		run := s.submit("sleep", "1s")
		canceled := s.submit("sleep", "1s")
		late := s.ask(with(command("sleep", "1s"), func(t *runner.Terms) { t.Limit = time.Minute })).Run
		s.settle(time.Second)
		if _, err := s.r.Cancel(context.Background(), canceled.ID); err != nil {
			t.Error(err)
		}
		for id, want := range map[string]runner.State{canceled.ID: runner.Canceled, late.ID: runner.TimedOut} {
			if ended := s.end(id); ended.State != want || !ended.Started.IsZero() {
				t.Errorf("%s %s, started %s; want %s", ended.State, ended.Detail, ended.Started, want)
			}
		}
		s.expectState(run.ID, runner.Queued)
		s.r.Reconfigure(at("a"))
		s.expectEnd(run.ID, runner.Succeeded, "")
		if !s.passed() || s.started(run.ID) != 1 {
			t.Errorf("started %d times", s.started(run.ID))
		}
	})
}
