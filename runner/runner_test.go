package runner_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

func TestARunToItsEnd(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit("lines", "3", "1s")
		ended := s.expectEnd(run.ID, runner.Succeeded, "")
		if ended.ExitCode != 0 || !ended.Exited || ended.Host != "a" || ended.Pin != one || ended.ContainerID == "" {
			t.Errorf("ended as %+v", ended)
		}
		if got := s.log(run.ID); got != "line 1\nline 2\nline 3" {
			t.Errorf("log %q", got)
		}
		if !ended.Log.Complete || ended.Log.Lines != 3 || ended.Log.Gap != "" {
			t.Errorf("log %+v", ended.Log)
		}
		for _, at := range []time.Time{ended.Placed, ended.Started, ended.FirstLine, ended.Ended} {
			if at.IsZero() {
				t.Errorf("a time is missing: %+v", ended)
			}
		}
		s.settle(time.Second)
		if s.left() != 0 {
			t.Error("the container stays")
		}
	})
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		command []string
		state   runner.State
		reason  problem.Code
		code    int
		signal  int
	}{
		"success":       {[]string{"exit", "0"}, runner.Succeeded, "", 0, 0},
		"a code":        {[]string{"exit", "3"}, runner.Failed, problem.ExitCode, 3, 0},
		"255":           {[]string{"exit", "255"}, runner.Failed, problem.ExitCode, 255, 0},
		"a signal":      {[]string{"exit", "139"}, runner.Failed, problem.Signaled, 139, 11},
		"out of memory": {[]string{"oom"}, runner.Failed, problem.OutOfMemory, 137, 9},
	}
	inTime(t, func(s *scene) {
		for name, test := range tests {
			run := s.expectEnd(s.submit(test.command...).ID, test.state, test.reason)
			if run.ExitCode != test.code || run.Signal != test.signal || run.OOMKilled != (test.reason == problem.OutOfMemory) {
				t.Errorf("%s: %+v", name, run)
			}
		}
		ask := command()
		ask.Spec.Entrypoint = []string{"/nothing"}
		run := s.expectEnd(s.ask(ask).Run.ID, runner.Refused, problem.StartFailed)
		if run.Exited || !strings.Contains(run.Detail, "/nothing") {
			t.Errorf("%+v", run)
		}
	})
}

func TestNotWarmIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.images.set(one)
		_, err := s.r.Submit(context.Background(), command("exit"))
		if problem.CodeOf(err) != problem.ImageNotWarm || !strings.Contains(err.Error(), "a: pulling; b: pulling") {
			t.Errorf("got %v", err)
		}
		s.images.set(one, "a")
		s.refused(runner.Ask{Spec: runner.Spec{Image: "nope"}}, problem.ImageNotManaged)
	})
}

func TestWaitWarm(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.images.set(registry.Pin{})
		s.refused(command("exit"), problem.NoCurrent)
		waits := with(command("version"), func(t *runner.Terms) { t.WaitWarm = time.Minute })
		first, second := s.ask(waits).Run, s.ask(waits).Run
		s.settle(10 * time.Second)
		s.images.set(one, "b")
		if run := s.expectEnd(first.ID, runner.Succeeded, ""); run.Pin != one || run.Host != "b" {
			t.Errorf("%+v", run)
		}
		s.expectEnd(second.ID, runner.Succeeded, "")
		s.images.set(one)
		begun := time.Now()
		s.expectEnd(s.ask(waits).Run.ID, runner.Refused, problem.ImageNotWarm)
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("refused after %s", took)
		}
	})
}

func TestTheQueueIsBoundedAndServedByPriorityThenOrder(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		for range 4 {
			s.submit("sleep", "1m")
		}
		var order []string
		for i, priority := range []int{0, 5, 0, 5, -1} {
			ask := with(command("lines", "1"), func(t *runner.Terms) { t.Priority = priority })
			order = append(order, s.ask(ask).Run.ID)
			if run := s.expectState(order[i], runner.Queued); run.Waiting != "for room on a, b" {
				t.Errorf("waits %q", run.Waiting)
			}
		}
		s.refused(command("lines", "1"), problem.QueueFull)
		s.settle(2 * time.Minute)
		var started []time.Time
		for _, i := range []int{1, 3, 0, 2, 4} {
			started = append(started, s.expectState(order[i], runner.Succeeded).Placed)
		}
		for i := 1; i < len(started); i++ {
			if started[i].Before(started[i-1]) {
				t.Errorf("placed out of order: %v", started)
			}
		}
	})
}

func TestNothingThatWasNotWrittenDownIsAnswered(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.store.fail(errors.New("disk gone"))
		if _, err := s.r.Submit(context.Background(), command("exit")); err == nil {
			t.Error("a submit was answered that is not on disk")
		}
		s.store.fail(nil)
		run := s.submit("sleep", "1h")
		s.settle(time.Second)
		s.store.fail(errors.New("disk gone"))
		if _, err := s.r.Cancel(context.Background(), run.ID); err == nil {
			t.Error("a cancel was answered that is not on disk")
		}
		s.settle(time.Minute)
		s.expectState(run.ID, runner.Running)
		s.store.fail(nil)
		if _, err := s.r.Cancel(context.Background(), run.ID); err != nil {
			t.Error(err)
		}
		s.expectEnd(run.ID, runner.Canceled, problem.CancelAsked)
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit("sleep", "1h")
		s.settle(time.Second)
		if _, err := s.r.Cancel(context.Background(), run.ID); err != nil {
			t.Fatal(err)
		}
		ended := s.expectEnd(run.ID, runner.Canceled, problem.CancelAsked)
		if ended.ExitCode != 7 || s.log(run.ID) != "sleeping\nterminated" || !ended.Log.Complete {
			t.Errorf("%+v %q", ended, s.log(run.ID))
		}
		again, err := s.r.Cancel(context.Background(), run.ID)
		if err != nil || again.State != runner.Canceled {
			t.Errorf("%v %v", again.State, err)
		}
		if _, err := s.r.Cancel(context.Background(), "nope"); problem.CodeOf(err) != problem.RunNotFound {
			t.Error(err)
		}
		for range 4 {
			s.submit("sleep", "1h")
		}
		queued := s.submit("sleep", "1h")
		if _, err := s.r.Cancel(context.Background(), queued.ID); err != nil {
			t.Fatal(err)
		}
		if run := s.expectEnd(queued.ID, runner.Canceled, problem.CancelAsked); run.Exited || run.ContainerID != "" {
			t.Errorf("%+v", run)
		}
	})
}

// A container that ended before the stop was sent keeps its own outcome.
func TestACancelThatComesTooLate(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit("lines", "2", "1m")
		s.settle(time.Second)
		s.down("a", true)
		s.settle(2 * time.Minute) // it ends meanwhile
		if _, err := s.r.Cancel(context.Background(), run.ID); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Minute)
		if run := s.get(run.ID); run.Unreachable.IsZero() || run.State != runner.Canceling {
			t.Errorf("%+v", run)
		}
		s.down("a", false)
		ended := s.expectEnd(run.ID, runner.Succeeded, "")
		if s.log(run.ID) != "line 1\nline 2" || !ended.Log.Complete {
			t.Errorf("log %q %+v", s.log(run.ID), ended.Log)
		}
	})
}

func TestAnImageLostBeforeCreateIsPlacedElsewhere(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.hosts["a"].Forget(one)
		if run := s.expectEnd(s.submit("version").ID, runner.Succeeded, ""); run.Host != "b" {
			t.Errorf("on %s", run.Host)
		}
		if len(s.images.rechecked) == 0 || s.images.rechecked[0] != "a" {
			t.Errorf("rechecked %v", s.images.rechecked)
		}
	})
}

// What an engine says that is being stopped is held until it is back, and is
// believed only if it was not restarted.
func TestAStoppingEngineIsNotBelieved(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit("sleep", "1h")
		s.settle(time.Second)
		h := s.host(run.ID)
		h.SetStopping(true)
		s.settle(5 * time.Second)
		if run := s.get(run.ID); run.State != runner.Running || run.Unreachable.IsZero() {
			t.Errorf("%+v", run)
		}
		h.Restart()
		h.SetStopping(false)
		s.expectEnd(run.ID, runner.Interrupted, problem.EngineRestarted)

		held := s.submit("sleep", "30s")
		s.settle(time.Second)
		h = s.host(held.ID)
		h.SetStopping(true)
		s.settle(5 * time.Second)
		h.SetStopping(false) // the same life after all
		s.expectEnd(held.ID, runner.Succeeded, "")
	})
}

func TestARestartedEngine(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit("sleep", "1h")
		s.settle(time.Second)
		s.host(run.ID).Restart()
		ended := s.expectEnd(run.ID, runner.Interrupted, problem.EngineRestarted)
		if ended.Owed {
			t.Error("a stop is owed to a container that has ended")
		}
		for _, h := range s.hosts {
			h.SetLiveRestore(true)
		}
		survivor := s.submit("lines", "3", "1m")
		s.settle(time.Second)
		s.host(survivor.ID).Restart()
		survived := s.expectEnd(survivor.ID, runner.Succeeded, "")
		if s.log(survivor.ID) != "line 1\nline 2\nline 3" || !survived.Log.Complete {
			t.Errorf("log %q %+v", s.log(survivor.ID), survived.Log)
		}
	})
}

func TestAContainerThatSomebodyRemoved(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit("sleep", "1h")
		s.settle(time.Second)
		s.host(run.ID).Wipe()
		s.expectEnd(run.ID, runner.Interrupted, problem.ContainerLost)
		run = s.submit("sleep", "1h")
		s.settle(time.Second)
		host := s.get(run.ID).Host
		s.images.change(func() { s.images.markers[host] = "another" })
		s.hosts[host].Wipe()
		if ended := s.expectEnd(run.ID, runner.Lost, problem.EngineReplaced); ended.Owed {
			t.Error("a stop is owed to an engine that is not there")
		}
	})
}

func TestACutConnectionLosesNeitherLinesNorOutcome(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit("lines", "100", "1s")
		for range 8 {
			s.settle(7 * time.Second)
			s.down("a", true)
			s.settle(1 * time.Second)
			s.down("a", false)
		}
		ended := s.expectEnd(run.ID, runner.Succeeded, "")
		var want []string
		for i := range 100 {
			want = append(want, fmt.Sprint("line ", i+1))
		}
		if got := s.log(run.ID); got != strings.Join(want, "\n") || !ended.Log.Complete {
			t.Errorf("log %q %+v", got, ended.Log)
		}
	})
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		limited := func(words ...string) runner.Ask {
			return with(command(words...), func(t *runner.Terms) { t.Limit = 10 * time.Second })
		}
		begun := time.Now()
		run := s.expectEnd(s.ask(limited("sleep", "1h")).Run.ID, runner.TimedOut, problem.DeadlinePassed)
		if took := time.Since(begun); took != 10*time.Second || run.ExitCode != 7 {
			t.Errorf("after %s: %+v", took, run)
		}
		s.expectEnd(s.ask(limited("lines", "1")).Run.ID, runner.Succeeded, "")
		for range 4 {
			s.submit("sleep", "1h")
		}
		if run := s.expectEnd(s.ask(limited("lines", "1")).Run.ID, runner.TimedOut, problem.DeadlinePassed); run.ContainerID != "" {
			t.Errorf("%+v", run)
		}
	})
}

func TestADeadlineThatPassedWhileTheServerWasDown(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		limit := func(t *runner.Terms) { t.Limit = time.Minute }
		runs := s.ask(with(command("sleep", "1h"), limit)).Run
		ended := s.ask(with(command("lines", "2", "30s"), limit)).Run
		s.settle(time.Second)
		s.stop()
		time.Sleep(time.Hour / 2)
		s.start()
		s.expectEnd(runs.ID, runner.TimedOut, problem.DeadlinePassed)
		s.expectEnd(ended.ID, runner.Succeeded, "")
	})
}

func TestKeepalive(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		patience := func(action runner.KeepaliveAction) func(*runner.Terms) {
			return func(t *runner.Terms) { t.Keepalive, t.KeepaliveAction = time.Minute, action }
		}
		reported := s.ask(with(command("sleep", "10m"), patience(runner.KeepaliveReport))).Run
		stopped := s.ask(with(command("sleep", "10m"), patience(runner.KeepaliveStop))).Run
		cared := s.ask(with(command("sleep", "10m"), patience(runner.KeepaliveStop))).Run
		following, leave := context.WithCancel(context.Background())
		defer leave()
		over := make(chan struct{})
		go func() {
			defer close(over)
			_ = s.r.CopyLog(following, cared.ID, 0, true, func([]byte) error { return nil })
		}()
		for range 10 { // who looks on is not the caller
			s.settle(30 * time.Second)
			for _, run := range []runner.Run{reported, stopped} {
				if looked, err := s.r.Look(context.Background(), run.ID); err != nil || looked.ID != run.ID {
					t.Errorf("%+v, %v", looked, err)
				}
				s.entries(run.ID)
			}
		}
		all, err := s.r.List(context.Background(), runner.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range all {
			want, unattended := runner.Running, run.ID == reported.ID
			if run.ID == stopped.ID {
				want = runner.Canceled
			}
			if run.State != want || run.Unattended.IsZero() == unattended {
				t.Errorf("%+v", run)
			}
		}
		s.expectEnd(stopped.ID, runner.Canceled, problem.CallerSilent)
		s.expectEnd(reported.ID, runner.Succeeded, "")
		s.expectEnd(cared.ID, runner.Succeeded, "")
		<-over
	})
}

func TestTheTimeOfAnOutageIsNotTheCallers(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.ask(with(command("sleep", "30m"), func(t *runner.Terms) { t.Keepalive, t.KeepaliveAction = 2*time.Minute, runner.KeepaliveStop })).Run
		s.settle(time.Minute)
		s.down("a", true)
		s.settle(10 * time.Minute)
		s.down("a", false)
		s.settle(time.Minute)
		s.stop()
		time.Sleep(10 * time.Minute)
		s.start()
		s.settle(time.Minute)
		s.expectState(run.ID, runner.Running)
	})
}

func TestFresh(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.images.change(func() { s.images.fresh = two })
		fresh := with(command("version"), func(t *runner.Terms) { t.Fresh, t.WaitWarm = true, time.Minute })
		run := s.ask(fresh).Run
		if run.Pin != two {
			t.Errorf("pinned to %s", run.Pin)
		}
		s.settle(time.Second)
		s.images.set(two, "a")
		s.expectEnd(run.ID, runner.Succeeded, "")
	})
}

func TestGroups(t *testing.T) {
	t.Parallel()
	setup := runner.Setup{Images: map[string]runner.ImageOptions{"jobs": {Concurrent: 3}}}
	inTimeWith(t, setup, func(s *scene) {
		grouped := with(command("sleep", "1m"), func(t *runner.Terms) { t.Group = "import" })
		first, second := s.ask(grouped).Run, s.ask(grouped).Run
		s.settle(time.Second)
		s.expectState(first.ID, runner.Running)
		if run := s.expectState(second.ID, runner.Queued); !strings.Contains(run.Waiting, "import") {
			t.Errorf("waits %q", run.Waiting)
		}
		other, another, third := s.submit("sleep", "1m"), s.submit("sleep", "1m"), s.submit("sleep", "1m")
		s.settle(time.Second)
		s.expectState(other.ID, runner.Running)
		s.expectState(another.ID, runner.Running)
		s.expectState(third.ID, runner.Queued)
		s.expectEnd(second.ID, runner.Succeeded, "")
		s.expectEnd(third.ID, runner.Succeeded, "")
	})
}

func TestPlacement(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		on := func(change func(*runner.Ask)) runner.Ask {
			ask := command("sleep", "1m")
			change(&ask)
			return ask
		}
		if run := s.ask(on(func(a *runner.Ask) { a.Terms.Hosts = []string{"b"} })).Run; s.end(run.ID).Host != "b" {
			t.Error("not on the named host")
		}
		if run := s.ask(on(func(a *runner.Ask) { a.Terms.HostLabels = map[string]string{"name": "b"} })).Run; s.end(run.ID).Host != "b" {
			t.Error("not on the labelled host")
		}
		s.refused(on(func(a *runner.Ask) { a.Terms.Hosts = []string{"nope"} }), problem.NoHost)
		s.refused(on(func(a *runner.Ask) { a.Spec.Memory = 5 << 30 }), problem.NoHost)
		s.refused(on(func(a *runner.Ask) { a.Spec.Platform = "linux/riscv64" }), problem.NoHost)
		s.refused(on(func(a *runner.Ask) { a.Spec.Privileged = true }), problem.NotAllowed)
		// A large run is not overtaken for ever by small ones.
		small := on(func(a *runner.Ask) { a.Spec.Memory = 1 << 30 })
		large := on(func(a *runner.Ask) { a.Spec.Memory = 4 << 30 })
		s.ask(small)
		s.ask(small)
		s.settle(30 * time.Second)
		waits := s.ask(large).Run
		late := s.ask(small).Run
		s.settle(time.Second)
		s.expectState(waits.ID, runner.Queued)
		s.expectState(late.ID, runner.Queued)
		s.settle(30 * time.Second)
		s.expectState(waits.ID, runner.Running)
		s.end(late.ID)
	})
}

func TestReadersGetTheRest(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit("lines", "5", "1s")
		s.settle(1500 * time.Millisecond)
		var got strings.Builder
		if err := s.r.CopyLog(context.Background(), run.ID, 1, true, func(chunk []byte) error { got.Write(chunk); return nil }); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(got.String(), "\n"); n != 4 || !strings.HasPrefix(got.String(), `{"seq":2,`) {
			t.Errorf("%d lines: %s", n, got.String())
		}
		if run := s.get(run.ID); !run.State.Ended() {
			t.Error("the log ended before the outcome was there")
		}
		all := s.entries(run.ID)
		for i := 1; i < len(all); i++ {
			if all[i].Time.Sub(all[i-1].Time) < time.Microsecond || all[i].EngineTime.IsZero() {
				t.Errorf("times of %+v", all)
			}
		}
	})
}
