package runner_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// polite ends with 0 when it is stopped.
func polite(ctx context.Context, p *dockertest.Process) int {
	select {
	case <-p.Stopped:
	case <-ctx.Done():
	}
	return 0
}

func TestAnEndByAnOwedStopIsNoSuccess(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.hosts["a"].Program("polite", polite)
		first := s.ask(keyed("k", "polite")).Run
		s.settle(time.Second)
		s.down("a", true)
		s.expectEnd(first.ID, runner.Lost, problem.ContactLost)
		follower := s.ask(success(keyed("k", "polite"))).Run
		s.hosts["a"].Fail(dockertest.CallRemove, false)
		s.down("a", false)
		s.settle(10 * time.Minute)
		run := s.get(follower.ID)
		if run.State == runner.Succeeded {
			t.Errorf("the work that our stop ended counts as done: %s %s", run.Reason, run.Detail)
		}
	})
}

func TestAnEndByALostStopIsNoSuccess(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.hosts["a"].Program("polite", polite)
		ask := with(keyed("k", "polite"), func(t *runner.Terms) { t.Limit = time.Hour })
		first := s.ask(ask).Run
		s.settle(time.Minute)
		// The reply of the stop is lost and the link with it.
		s.hosts["a"].Fail(dockertest.CallStop, true)
		s.hosts["a"].Fail(dockertest.CallConfirm, false)
		go func() { time.Sleep(59*time.Minute + time.Millisecond); s.down("a", true) }()
		s.end(first.ID)
		follower := s.ask(success(ask)).Run
		s.down("a", false)
		s.settle(10 * time.Minute)
		if run := s.get(follower.ID); run.State == runner.Succeeded {
			t.Errorf("the work that our stop ended counts as done: %s %s", run.Reason, run.Detail)
		}
	})
}

func TestAStopThatNeverArrivedChangesNothing(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "2m")).Run
		s.settle(time.Second)
		s.down("a", true)
		s.settle(30 * time.Second)
		if _, err := s.r.Cancel(context.Background(), first.ID); err != nil {
			t.Fatal(err)
		}
		s.settle(5 * time.Minute)
		s.down("a", false)
		run := s.end(first.ID)
		if n := s.hosts["a"].Stopped(first.ID); n != 0 || run.State != runner.Succeeded {
			t.Errorf("stopped %d times; %s %s exit %d", n, run.State, run.Reason, run.ExitCode)
		}
	})
}

func TestACrashBetweenANewEpochAndTheOldOnesStop(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		old := s.ask(keyed("k", "sleep", "48h")).Run
		s.settle(time.Second)
		s.stop()
		anew := s.store.runs[old.ID]
		anew.ID = "ffffffff-0000-7000-8000-000000000001"
		anew.Terms.Epoch, anew.After, anew.State, anew.ContainerID, anew.Host = 1, old.ID, runner.Queued, "", ""
		if err := s.store.InsertRun(context.Background(), anew, nil, nil); err != nil {
			t.Fatal(err)
		}
		s.start()
		joined := s.ask(with(keyed("k", "sleep", "48h"), func(t *runner.Terms) { t.Epoch = 1 }))
		if joined.Run.ID != anew.ID {
			t.Errorf("joined %s, want the run of the new epoch", joined.Run.ID)
		}
		s.settle(12 * time.Hour)
		if run := s.get(anew.ID); run.State == runner.Queued {
			t.Errorf("it waits %s, and nobody stops that: %s", run.Waiting, s.get(old.ID).State)
		}
	})
}

func TestReleasedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "24h")).Run
		s.settle(time.Second)
		s.down("a", true)
		s.expectEnd(first.ID, runner.Lost, problem.ContactLost)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { _, _ = s.r.Release(context.Background(), first.ID) })
		}
		all.Wait()
	})
}

func TestARestartRefusesNothingThatCouldHaveStarted(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Minute} {
		inTime(t, func(s *scene) {
			for range 4 {
				s.submit("sleep", "1h")
			}
			run := s.ask(with(command("lines", "1"), func(t *runner.Terms) { t.WaitWarm = wait })).Run
			s.settle(10 * time.Minute)
			s.expectState(run.ID, runner.Queued)
			s.stop()
			s.images.set(one) // the hosts were not asked yet
			s.start()
			s.settle(2 * time.Second)
			s.images.set(one, "a", "b")
			if ended := s.end(run.ID); ended.State != runner.Succeeded {
				t.Errorf("wait_warm %s: %s %s %s", wait, ended.State, ended.Reason, ended.Detail)
			}
		})
	}
}

func TestALongRunUsesItsScopeToItsEnd(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		ask := scoped("dag", "sleep", "25h")
		ask.Spec.ScopeVolume = "/work"
		first := s.ask(ask).Run
		for range 9 {
			s.settle(3 * time.Hour)
		}
		if run := s.get(first.ID); run.State != runner.Succeeded || time.Since(run.Ended) > 3*time.Hour {
			t.Fatalf("%+v", run)
		}
		scope, err := s.r.Scope(runner.DefaultNamespace, "dag")
		if err != nil || !scope.Ended.IsZero() || scope.Volume == "" {
			t.Errorf("two hours after its last run: %+v, %v", scope, err)
		}
	})
}

func TestAReleaseOfAHostThatIsBackIsVoid(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "24h")).Run
		s.settle(time.Second)
		s.down("a", true)
		s.settle(40 * time.Second)
		for s.get(first.ID).Unreachable.IsZero() {
			s.settle(time.Second)
		}
		// The host is back at the same moment.
		s.hosts["a"].SetDown(false)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		if released, err := s.r.Release(ctx, first.ID); err == nil && released.State.Ended() {
			t.Errorf("released though its host is back: %s", released.State)
		}
		cancel()
		s.images.change(func() { s.images.down["a"] = false })
		s.settle(10 * time.Hour)
		s.expectState(first.ID, runner.Running)
		s.down("a", true)
		s.settle(2 * time.Second)
		s.down("a", false)
		s.settle(time.Minute)
		if run := s.get(first.ID); run.State.Ended() {
			t.Errorf("after two seconds of silence, ten hours later: %s %s, container runs: %v", run.State, run.Reason, s.hosts["a"].Running())
		}
	})
}

func TestALostRunKeepsTheCountOfItsLines(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(command("lines", "9", "1h")).Run
		s.settle(2*time.Hour + time.Minute)
		s.hosts["a"].Wipe()
		run := s.end(first.ID)
		if run.Log.Lines == 0 {
			t.Errorf("%s with %+v; the spool has %d", run.State, run.Log, len(s.entries(first.ID)))
		}
	})
}

// The host is back before anybody has seen that: the run is not out of contact
// from then on, and a short break hours later does not end it.
func TestAHostThatIsBackUnseenIsNotAway(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.ask(keyed("k", "sleep", "24h")).Run
		s.settle(time.Second)
		s.hosts["a"].Fail(dockertest.CallLook, false)
		s.down("a", true)
		s.settle(time.Millisecond)
		s.down("a", false)
		s.settle(time.Minute)
		if now := s.get(run.ID); !now.Unreachable.IsZero() {
			t.Errorf("its host answers, and it counts as away since %s", now.Unreachable)
		}
		s.settle(2 * time.Hour)
		s.down("a", true)
		s.settle(time.Second)
		s.down("a", false)
		s.settle(time.Minute)
		s.expectState(run.ID, runner.Running)
	})
}

// How the container of a lost run ended is known before it is removed, and not
// forgotten where the reply to that is lost.
func TestASuccessIsWrittenDownBeforeItsContainerGoes(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "90m")).Run
		s.settle(time.Second)
		s.down("a", true)
		s.expectEnd(first.ID, runner.Lost, problem.ContactLost)
		follower := s.ask(success(keyed("k", "sleep", "90m"))).Run
		s.settle(time.Hour)
		s.hosts["a"].Fail(dockertest.CallRemove, true)
		s.down("a", false)
		ended := s.expectEnd(follower.ID, runner.Succeeded, problem.AlreadySucceeded)
		s.settle(10 * time.Minute)
		if ended.SameAs != first.ID || s.started(follower.ID) != 0 || s.left() != 0 {
			t.Errorf("%+v, %d containers are left", ended, s.left())
		}
	})
}

// Nothing is owed to a container whose start had failed.
func TestAStopIsNotOwedToWhatNeverStarted(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.hosts["a"].Fail(dockertest.CallStart, true)
		for range 10_000 { // more than an hour of looks
			s.hosts["a"].Fail(dockertest.CallLook, false)
		}
		ask := keyed("k", "x")
		ask.Spec.Entrypoint = []string{"/nothing"}
		first := s.ask(ask).Run
		s.expectEnd(first.ID, runner.Lost, problem.ContactLost)
		s.hosts["a"].Calm()
		s.settle(10 * time.Minute)
		if run := s.get(first.ID); run.Owed || s.left() != 0 {
			t.Errorf("owed %t, %d containers are left: %s", run.Owed, s.left(), run.Detail)
		}
	})
}

// A reload gave the host another machine for a moment, on which nothing is to be
// stopped: the stop is sent again, and reaches the container.
func TestAStopThatAnotherMachineGotIsSentAgain(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		on := func(machine string) runner.Setup {
			return runner.Setup{Hosts: []runner.HostOptions{{Name: "a", Engine: s.hosts[machine], Slots: 2}}}
		}
		s.r.Reconfigure(on("a"))
		run := s.submit("sleep", "24h")
		s.settle(time.Second)
		s.r.Reconfigure(on("b"))
		if _, err := s.r.Cancel(context.Background(), run.ID); err != nil {
			t.Fatal(err)
		}
		s.settle(10 * time.Second)
		s.expectState(run.ID, runner.Canceling)
		s.r.Reconfigure(on("a"))
		s.settle(time.Minute)
		if now := s.get(run.ID); now.State != runner.Canceled || s.hosts["a"].Stopped(run.ID) != 1 {
			t.Errorf("it is %s, and was stopped %d times", now.State, s.hosts["a"].Stopped(run.ID))
		}
	})
}
