package dockertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// started is a fake with a running container of one program.
func started(t *testing.T, command ...string) (f *Fake, id string) {
	t.Helper()
	f, a, _ := stocked()
	f.Program("until-stopped", func(ctx context.Context, p *Process) int {
		fmt.Fprintln(p.Stdout, p.Args)
		select {
		case <-p.Stopped:
			return 9
		case <-ctx.Done():
			return exitKilled
		}
	})
	f.Program("stubborn", func(ctx context.Context, _ *Process) int {
		<-ctx.Done()
		return exitKilled
	})
	if _, err := f.Keep(t.Context(), a, nil); err != nil {
		t.Fatal(err)
	}
	made, err := f.Create(t.Context(), runner.Container{Name: "n", Run: "r", Pin: a, Spec: runner.Spec{Command: command}})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Start(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	return f, made.ID
}

func TestProgramsOfATest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, id := started(t, "until-stopped", "a", "b")
		time.Sleep(time.Hour)
		if _, err := f.Stop(t.Context(), id, time.Minute); err != nil {
			t.Error(err)
		}
		exit, err := f.Wait(t.Context(), id, "")
		if err != nil || exit.Code != 9 || exit.Finished.Sub(exit.Started) != time.Hour {
			t.Errorf("Wait = %+v, %v; want 9 after an hour", exit, err)
		}
		if f.Created("r") != 1 || f.Started("r") != 1 || f.Stopped("r") != 1 {
			t.Errorf("created %d, started %d, stopped %d; want one each", f.Created("r"), f.Started("r"), f.Stopped("r"))
		}
	})
}

func TestStopKillsAfterGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, id := started(t, "stubborn")
		begin := time.Now()
		if _, err := f.Stop(t.Context(), id, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("Stop took %s, want the grace", took)
		}
		if exit, err := f.Wait(t.Context(), id, ""); err != nil || exit.Code != exitKilled {
			t.Errorf("Wait = %+v, %v; want %d", exit, err, exitKilled)
		}
	})
}

// TestOutageDuringARun: the program runs on, logs and waits break and are taken
// up again.
func TestOutageDuringARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, id := started(t, "lines", "3", "1s")
		time.AfterFunc(1500*time.Millisecond, func() { f.SetDown(true) })
		time.AfterFunc(time.Minute, func() { f.SetDown(false) })
		n := 0
		count := func(runner.Line) error { n++; return nil }
		wantCode(t, "Logs", f.Logs(t.Context(), id, time.Time{}, true, count), problem.HostUnreachable)
		if n != 2 {
			t.Errorf("%d lines before the outage, want 2", n)
		}
		_, err := f.Wait(t.Context(), id, "")
		wantCode(t, "Wait", err, problem.HostUnreachable)
		time.Sleep(time.Minute)
		if exit, err := f.Wait(t.Context(), id, ""); err != nil || exit.Code != 0 {
			t.Errorf("Wait = %+v, %v", exit, err)
		}
		n = 0
		if err := f.Logs(t.Context(), id, time.Time{}, true, count); err != nil || n != 3 {
			t.Errorf("Logs after the outage: %v, %d lines; want 3", err, n)
		}
	})
}

// TestStoppingEngineLies as a real one does.
func TestStoppingEngineLies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, id := started(t, "stubborn")
		time.AfterFunc(time.Second, func() { f.SetStopping(true) })
		if err := f.Logs(t.Context(), id, time.Time{}, true, func(runner.Line) error { return nil }); err != nil {
			t.Errorf("Logs: %v; want a clean end", err)
		}
		if exit, err := f.Wait(t.Context(), id, ""); err != nil || exit.Code != 0 {
			t.Errorf("Wait = %+v, %v; want the lie", exit, err)
		}
		wantCode(t, "Confirm", f.Confirm(t.Context()), problem.HostUnreachable)
		f.Wipe()
	})
}

func TestWipeTakesContainers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, id := started(t, "stubborn")
		time.AfterFunc(time.Second, f.Wipe)
		_, err := f.Wait(t.Context(), id, "")
		wantCode(t, "Wait", err, problem.ContainerLost)
		if owned, err := f.Owned(t.Context()); err != nil || len(owned) != 0 {
			t.Errorf("Owned = %v, %v", owned, err)
		}
	})
}

func TestBuiltinPrograms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		command []string
		want    runner.Exit
	}{
		{[]string{"oom"}, runner.Exit{Code: exitKilled, OOMKilled: true}},
		{[]string{"nosuchverb"}, runner.Exit{Code: exitUsage}},
		{[]string{"exit", "3"}, runner.Exit{Code: 3}},
		{nil, runner.Exit{}},
	} {
		f, id := started(t, c.command...)
		got, err := f.Wait(t.Context(), id, "")
		got.Started, got.Finished = time.Time{}, time.Time{}
		if err != nil || got != c.want {
			t.Errorf("%q: %+v, %v; want %+v", c.command, got, err, c.want)
		}
	}
}

func TestCancelledWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, id := started(t, "stubborn")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.Wait(ctx, id, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait = %v, want the context's error", err)
		}
		f.Wipe()
	})
}
