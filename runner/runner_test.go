package runner_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

func TestARunToItsEnd(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit(0, "both", "3")
		if run.Pin != one || run.Image != "jobs" {
			t.Fatalf("answered %+v", run)
		}
		ended := s.expectEnd(run.ID, runner.Succeeded, "")
		if got := s.log(run.ID); strings.Count(got, "out ") != 3 || strings.Count(got, "err ") != 3 {
			t.Errorf("log:\n%s", got)
		}
		if !ended.Exited || ended.ExitCode != 0 || ended.Host == "" || ended.EngineMarker != "marker-"+ended.Host {
			t.Errorf("recorded %+v", ended)
		}
		for what, at := range map[string]time.Time{"submitted": ended.Submitted, "placed": ended.Placed, "started": ended.Started, "first line": ended.FirstLine, "ended": ended.Ended} {
			if at.IsZero() {
				t.Errorf("%s: no time", what)
			}
		}
		synctest.Wait()
		if s.left() != 0 {
			t.Error("the container was not removed")
		}
	})
}

func TestExitCodesAreTheContainers(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		for _, code := range []int{1, 42, 125, 255} {
			run := s.submit(0, "exit", fmt.Sprint(code))
			if ended := s.expectEnd(run.ID, runner.Failed, ""); ended.ExitCode != code || !ended.Exited {
				t.Errorf("exit %d recorded as %d", code, ended.ExitCode)
			}
		}
	})
}

func TestNotWarmIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.images.set(one)
		_, err := s.r.Submit(context.Background(), runner.Spec{Image: "jobs"}, 0)
		if problem.CodeOf(err) != problem.ImageNotWarm || !strings.Contains(err.Error(), "a: pulling; b: pulling") {
			t.Fatalf("got %v", err)
		}
		s.images.set(registry.Pin{})
		if _, err = s.r.Submit(context.Background(), runner.Spec{Image: "jobs"}, 0); problem.CodeOf(err) != problem.NoCurrent {
			t.Fatalf("got %v", err)
		}
		if _, err = s.r.Submit(context.Background(), runner.Spec{Image: "nope"}, time.Hour); problem.CodeOf(err) != problem.ImageNotManaged {
			t.Fatalf("got %v", err)
		}
		if len(s.store.runs) != 0 {
			t.Error("a refused submit was recorded as a run")
		}
	})
}

func TestWaitWarm(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.images.set(registry.Pin{}) // not even promoted
		run := s.submit(time.Minute, "print", "hello")
		s.settle(50 * time.Second)
		if got := s.get(run.ID); got.State != runner.Queued {
			t.Fatalf("run is %s", got.State)
		}
		s.images.set(one, "b")
		ended := s.expectEnd(run.ID, runner.Succeeded, "")
		if ended.Host != "b" || ended.Pin != one {
			t.Errorf("ran %s on %s", ended.Pin, ended.Host)
		}
	})
}

func TestWaitWarmEnds(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.images.set(one)
		begun := time.Now()
		run := s.submit(20 * time.Second)
		ended := s.expectEnd(run.ID, runner.Refused, problem.ImageNotWarm)
		if waited := ended.Ended.Sub(begun); waited != 20*time.Second {
			t.Errorf("refused after %s", waited)
		}
		if s.hosts["a"].Created(run.ID)+s.hosts["b"].Created(run.ID) != 0 {
			t.Error("a container was made")
		}
	})
}

func TestSlotsBoundRunsAndTheQueueIsServedInOrder(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		var runs []runner.Run
		for range 7 {
			runs = append(runs, s.submit(0, "sleep", "1m"))
			s.settle(time.Second)
		}
		for i, run := range runs {
			want := runner.Running
			if i >= 4 {
				want = runner.Queued
			}
			if got := s.get(run.ID).State; got != want {
				t.Errorf("run %d is %s, want %s", i, got, want)
			}
		}
		if use := s.r.InUse(); use["a"].InUse != 2 || use["b"].InUse != 2 {
			t.Errorf("slots in use: %v", use)
		}
		var placed time.Time
		for _, run := range runs {
			ended := s.expectEnd(run.ID, runner.Succeeded, "")
			if ended.Placed.Before(placed) {
				t.Error("a later submit was placed earlier")
			}
			placed = ended.Placed
		}
	})
}

func TestAFullQueueRefuses(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		for range 4 + 5 {
			s.submit(0, "sleep", "1m")
		}
		_, err := s.r.Submit(context.Background(), runner.Spec{Image: "jobs"}, 0)
		if problem.CodeOf(err) != problem.QueueFull || problem.From(err).RetryAfter == 0 {
			t.Fatalf("got %v", err)
		}
		s.settle(10 * time.Minute)
	})
}

func TestNothingThatWasNotWrittenDownIsAnswered(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.store.fail(errors.New("disk full"))
		if _, err := s.r.Submit(context.Background(), runner.Spec{Image: "jobs"}, 0); err == nil {
			t.Fatal("answered without a record")
		}
		if s.left() != 0 {
			t.Fatal("a container was made")
		}
		if files, err := os.ReadDir(s.dir); err != nil || len(files) != 0 {
			t.Fatalf("left %v %v", files, err)
		}
		s.store.fail(nil)
		run := s.submit(0, "sleep", "10s")
		s.settle(time.Second)
		s.store.fail(errors.New("disk full"))
		s.settle(time.Minute)
		if got := s.get(run.ID); got.State.Ended() {
			t.Fatalf("told %s without a record", got.State)
		}
		s.store.fail(nil)
		s.expectEnd(run.ID, runner.Succeeded, "")
	})
}

func TestAnImageLostBeforeCreateIsPlacedElsewhere(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.hosts["a"].Forget(one)
		run := s.submit(0, "print", "hello")
		ended := s.expectEnd(run.ID, runner.Succeeded, "")
		if ended.Host != "b" {
			t.Errorf("ran on %s", ended.Host)
		}
		if len(s.images.rechecked) != 1 || s.images.rechecked[0] != "a" {
			t.Errorf("rechecked %v", s.images.rechecked)
		}
	})
}

func TestAnImageLostEverywhereIsRefused(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.hosts["a"].Forget(one)
		s.hosts["b"].Forget(one)
		run := s.submit(0, "print", "hello")
		s.expectEnd(run.ID, runner.Refused, problem.ImageNotWarm)
	})
}

func TestACommandThatIsNotThere(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run, err := s.r.Submit(context.Background(), runner.Spec{Image: "jobs", Entrypoint: []string{"/nope"}}, 0)
		if err != nil {
			t.Fatal(err)
		}
		ended := s.expectEnd(run.ID, runner.Refused, problem.StartFailed)
		if ended.Exited || !strings.Contains(ended.Detail, "/nope") {
			t.Errorf("recorded %+v", ended)
		}
		synctest.Wait()
		if s.left() != 0 {
			t.Error("its container was not removed")
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit(0, "sleep", "1h")
		s.settle(time.Second)
		if _, err := s.r.Cancel(context.Background(), run.ID); err != nil {
			t.Fatal(err)
		}
		ended := s.expectEnd(run.ID, runner.Canceled, "")
		if !ended.Exited || ended.ExitCode != 7 || !strings.Contains(s.log(run.ID), "terminated") {
			t.Errorf("recorded %+v, log %q", ended, s.log(run.ID))
		}
		if again, err := s.r.Cancel(context.Background(), run.ID); err != nil || again.State != runner.Canceled {
			t.Errorf("a second cancel: %v %v", again.State, err)
		}
		synctest.Wait()
		if s.left() != 0 {
			t.Error("the container was not removed")
		}
	})
}

func TestCancelOfAProgramThatIgnoresTheSignalKills(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		for _, h := range s.hosts {
			h.Program("deaf", func(ctx context.Context, _ *dockertest.Process) int { <-ctx.Done(); return 0 })
		}
		run := s.submit(0, "deaf")
		s.settle(time.Second)
		begun := time.Now()
		if _, err := s.r.Cancel(context.Background(), run.ID); err != nil {
			t.Fatal(err)
		}
		if ended := s.expectEnd(run.ID, runner.Canceled, ""); ended.ExitCode != 137 || time.Since(begun) < 10*time.Second {
			t.Errorf("code %d after %s", ended.ExitCode, time.Since(begun))
		}
	})
}

// A stop that does not get through is sent again, and what the program printed
// on the way out is read before its container goes.
func TestCancelOverABrokenConnectionKeepsTheLog(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit(0, "sleep", "1h")
		s.settle(time.Second)
		for _, h := range s.hosts {
			h.SetDown(true)
		}
		if _, err := s.r.Cancel(context.Background(), run.ID); err != nil {
			t.Fatal(err)
		}
		s.settle(2 * time.Second)
		for _, h := range s.hosts {
			h.SetDown(false)
		}
		ended := s.expectEnd(run.ID, runner.Canceled, "")
		if got := s.log(run.ID); got != "sleeping\nterminated" || ended.Detail != "" {
			t.Errorf("log %q, detail %q", got, ended.Detail)
		}
		s.settle(time.Minute)
		if s.left() != 0 {
			t.Error("the container was not removed")
		}
	})
}

func TestCancelOfAQueuedRun(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.images.set(one)
		run := s.submit(time.Hour, "print", "hello")
		if _, err := s.r.Cancel(context.Background(), run.ID); err != nil {
			t.Fatal(err)
		}
		if ended := s.expectEnd(run.ID, runner.Canceled, ""); ended.Exited {
			t.Error("something was executed")
		}
		s.images.set(one, "a")
		s.settle(time.Minute)
		if s.hosts["a"].Created(run.ID) != 0 {
			t.Error("a container was made after the cancel")
		}
	})
}

// Whenever the cancel comes, the container never outlives the run, and no
// outcome is made up.
func TestCancelAtAnyMoment(t *testing.T) {
	t.Parallel()
	for after := range 8 {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			t.Parallel()
			inTime(t, func(s *scene) {
				run := s.submit(0, "sleep", "5ms")
				time.Sleep(time.Duration(after) * time.Millisecond)
				if _, err := s.r.Cancel(context.Background(), run.ID); err != nil {
					t.Fatal(err)
				}
				ended := s.end(run.ID)
				if ended.State != runner.Canceled && (ended.State != runner.Succeeded || ended.ExitCode != 0) {
					t.Errorf("recorded %+v", ended)
				}
				s.settle(time.Minute)
				if s.left() != 0 {
					t.Error("a container was left")
				}
			})
		})
	}
}

// An engine that is being stopped says that its containers ended well.
func TestAStoppingEngineIsNotBelieved(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit(0, "sleep", "1h")
		s.settle(time.Second)
		for _, h := range s.hosts {
			h.SetStopping(true)
		}
		ended := s.expectEnd(run.ID, runner.Interrupted, problem.HostUnreachable)
		if ended.Exited {
			t.Errorf("recorded an exit code: %+v", ended)
		}
		for _, h := range s.hosts {
			h.SetStopping(false)
		}
		s.settle(time.Minute) // its container is stopped once the engine is back
		if s.left() != 0 {
			t.Error("a container was left")
		}
	})
}

// A killed engine ends its containers when it comes back, and calls it an exit.
func TestARestartedEngineIsNotBelieved(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit(0, "sleep", "1h")
		s.settle(time.Second)
		for _, h := range s.hosts {
			h.Restart()
		}
		if ended := s.expectEnd(run.ID, runner.Interrupted, problem.EngineRestarted); ended.Exited {
			t.Errorf("recorded an exit code: %+v", ended)
		}
	})
}

func TestAContainerThatSomebodyRemoved(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit(0, "sleep", "1h")
		s.settle(time.Second)
		for _, h := range s.hosts {
			h.Wipe()
		}
		s.expectEnd(run.ID, runner.Interrupted, problem.ContainerLost)
	})
}

func TestACutConnectionLosesNeitherLinesNorOutcome(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit(0, "lines", "120", "1s")
		for range 10 {
			s.settle(7 * time.Second)
			for _, h := range s.hosts {
				h.SetDown(true)
			}
			s.settle(3 * time.Second)
			for _, h := range s.hosts {
				h.SetDown(false)
			}
		}
		s.expectEnd(run.ID, runner.Succeeded, "")
		var want []string
		for n := 1; n <= 120; n++ {
			want = append(want, fmt.Sprint("line ", n))
		}
		if got := s.log(run.ID); got != strings.Join(want, "\n") {
			t.Errorf("log:\n%s", got)
		}
	})
}

func TestAStartMarksWhatWasLeft(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		running := s.submit(0, "sleep", "1h")
		s.images.set(one)
		queued := s.submit(time.Hour)
		s.settle(time.Second)
		s.hosts["b"].SetDown(true)
		s.stop()
		s.start()
		for run, detail := range map[*runner.Run]string{&running: "how far it got is not known", &queued: "nothing was executed"} {
			ended := s.expectEnd(run.ID, runner.Interrupted, problem.Stopping)
			if ended.Exited || !strings.Contains(ended.Detail, detail) {
				t.Errorf("recorded %+v, want %q", ended, detail)
			}
			if run == &running && (ended.Host == "" || ended.EngineMarker == "") {
				t.Errorf("where it ran is not recorded: %+v", ended)
			}
		}
		s.settle(time.Minute)
		s.hosts["b"].SetDown(false)
		s.settle(time.Minute)
		if s.left() != 0 {
			t.Error("a container of the earlier life was left")
		}
	})
}

func TestASweepSparesRunsOfThisLife(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.stop()
		s.hosts["a"].SetDown(true)
		s.hosts["b"].SetDown(true)
		s.start()
		s.settle(4 * time.Second)
		s.hosts["a"].SetDown(false)
		s.hosts["b"].SetDown(false)
		run := s.submit(0, "sleep", "1m") // before the sweep got through
		s.expectEnd(run.ID, runner.Succeeded, "")
	})
}

func TestReadersGetTheRest(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit(0, "lines", "10", "1s")
		s.settle(4500 * time.Millisecond)
		type reader struct {
			after int64
			got   []int64
			done  chan error
		}
		readers := []*reader{{after: 0}, {after: 2}, {after: 7}, {after: 10}}
		for _, r := range readers {
			r.done = make(chan error, 1)
			go func() {
				r.done <- s.r.Logs(context.Background(), run.ID, r.after, true, func(e runner.Entry) error {
					r.got = append(r.got, e.Seq)
					return nil
				})
			}()
		}
		s.expectEnd(run.ID, runner.Succeeded, "")
		for _, r := range readers {
			if err := <-r.done; err != nil {
				t.Error(err)
			}
			if len(r.got) != int(10-r.after) || len(r.got) > 0 && r.got[0] != r.after+1 {
				t.Errorf("after %d: got %v", r.after, r.got)
			}
		}
	})
}

func TestAStopTellsFollowers(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit(0, "sleep", "1h")
		told := make(chan error, 2)
		go func() {
			told <- s.r.Logs(context.Background(), run.ID, 0, true, func(runner.Entry) error { return nil })
		}()
		go func() {
			_, err := s.r.Wait(context.Background(), run.ID)
			told <- err
		}()
		s.settle(time.Second)
		s.stop()
		for range 2 {
			if err := <-told; problem.CodeOf(err) != problem.Stopping {
				t.Errorf("told %v", err)
			}
		}
		if _, err := s.r.Submit(context.Background(), runner.Spec{Image: "jobs"}, 0); problem.CodeOf(err) != problem.Stopping {
			t.Errorf("a submit: %v", err)
		}
		s.start()
		s.settle(time.Minute) // the container of the earlier life ends
	})
}

func TestAReaderThatFailsEndsOnlyItself(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit(0, "lines", "5", "1s")
		err := s.r.Logs(context.Background(), run.ID, 0, true, func(runner.Entry) error { return io.ErrClosedPipe })
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("got %v", err)
		}
		s.expectEnd(run.ID, runner.Succeeded, "")
	})
}
