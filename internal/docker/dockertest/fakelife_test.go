package dockertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// lifeOf is the engine's life as a look tells it.
func lifeOf(t *testing.T, f *Fake, id string) string {
	t.Helper()
	look, err := f.Look(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return look.Life
}

func TestRestarts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		restore bool
		away    time.Duration // of a program that ends after a minute
		late    bool          // the wait begins only after the end
		want    runner.Exit
		lines   int // of one each 20 s
	}{
		{"killed with its engine", false, time.Second, false, runner.Exit{Code: exitKilled, Unwitnessed: true}, 1},
		{"survived", true, time.Second, false, runner.Exit{}, 4},
		{"survived, and found ended", true, time.Second, true, runner.Exit{}, 4},
		{"ended while the engine was away", true, time.Hour, false, runner.Exit{LogGap: "the engine was down when the container ended: what it printed then is lost"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, id := started(t, "lines", "4", "20s")
				f.SetLiveRestore(c.restore)
				life := lifeOf(t, f, id)
				time.Sleep(time.Second)
				if got := f.Running(); !slices.Equal(got, []string{"r"}) {
					t.Errorf("Running = %q", got)
				}
				f.Halt()
				_, err := f.Wait(t.Context(), id, life)
				wantCode(t, "Wait while it is away", err, problem.HostUnreachable)
				time.Sleep(c.away)
				f.Resume()
				if now := lifeOf(t, f, id); now == life || strings.HasSuffix(now, restores) != c.restore {
					t.Errorf("life %q, before %q", now, life)
				}
				if c.late {
					time.Sleep(time.Hour)
				}
				exit, err := f.Wait(t.Context(), id, life)
				exit.Started, exit.Finished = time.Time{}, time.Time{}
				if err != nil || exit != c.want {
					t.Errorf("Wait = %+v, %v; want %+v", exit, err, c.want)
				}
				n := 0
				if err := f.Logs(t.Context(), id, time.Time{}, false, func(runner.Line) error { n++; return nil }); err != nil || n != c.lines {
					t.Errorf("Logs: %v, %d lines; want %d", err, n, c.lines)
				}
			})
		})
	}
}

// TestRestartBreaksFollows: a reader has to come back, and a wait goes on.
func TestRestartBreaksFollows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, id := started(t, "lines", "3", "20s")
		f.SetLiveRestore(true)
		time.AfterFunc(time.Second, f.Restart)
		wantCode(t, "Logs", f.Logs(t.Context(), id, time.Time{}, true, func(runner.Line) error { return nil }), problem.HostUnreachable)
		if exit, err := f.Wait(t.Context(), id, "long ago"); err != nil || exit.Unwitnessed {
			t.Errorf("Wait = %+v, %v; want it witnessed, for it was seen running", exit, err)
		}
	})
}

func TestClockSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, id := started(t, "lines", "3", "10s")
		f.SetClockOffset(time.Hour)
		time.Sleep(15 * time.Second)
		f.SetClockOffset(-time.Hour)
		exit, err := f.Wait(t.Context(), id, "")
		if err != nil || exit.Finished.Before(exit.Started) {
			t.Errorf("Wait = %+v, %v", exit, err)
		}
		var times []time.Time
		if err := f.Logs(t.Context(), id, time.Time{}, false, func(l runner.Line) error { times = append(times, l.Time); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(times) != 3 || times[2].Sub(times[1]) != 10*time.Second-2*time.Hour {
			t.Errorf("lines at %v: want the last two hours back", times)
		}
	})
}

// TestFaults: a request or its reply is lost.
func TestFaults(t *testing.T) {
	t.Parallel()
	f, a, _ := stocked()
	if _, err := f.Keep(t.Context(), a, nil); err != nil {
		t.Fatal(err)
	}
	c := runner.Container{Name: "n", Run: "r", Pin: a, Spec: runner.Spec{Command: []string{"print", "x"}}}
	for _, after := range []bool{false, true} {
		f.Fail(CallCreate, after)
		_, err := f.Create(t.Context(), c)
		wantCode(t, "Create", err, problem.HostUnreachable)
		if made := f.Created("r") == 1; made != after {
			t.Errorf("after %v: made %v", after, made)
		}
	}
	made, err := f.Create(t.Context(), c)
	if err != nil || f.Created("r") != 1 {
		t.Fatalf("Create = %+v, %v; %d made", made, err, f.Created("r"))
	}
	f.Fail(CallStart, true)
	wantCode(t, "Start", f.Start(t.Context(), made.ID), problem.HostUnreachable)
	if f.Started("r") != 1 {
		t.Errorf("started %d times, want once", f.Started("r"))
	}
	f.Fail(CallRemove, false)
	f.Fail(CallWait, false)
	f.Calm()
	if _, err := f.Wait(t.Context(), made.ID, ""); err != nil {
		t.Errorf("Wait: %v", err)
	}
	if err := f.Remove(t.Context(), made.ID); err != nil {
		t.Errorf("Remove: %v", err)
	}
}

func TestRotateDropsTheOldest(t *testing.T) {
	t.Parallel()
	f, id := started(t, "lines", "5")
	if _, err := f.Wait(t.Context(), id, ""); err != nil {
		t.Fatal(err)
	}
	f.Rotate(id, 3)
	var got []string
	if err := f.Logs(t.Context(), id, time.Time{}, true, func(l runner.Line) error { got = append(got, l.Text); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []string{"line 4", "line 5"}) {
		t.Errorf("Logs = %q", got)
	}
}

func TestFilesOfATest(t *testing.T) {
	t.Parallel()
	f, a, _ := stocked()
	if _, err := f.Keep(t.Context(), a, nil); err != nil {
		t.Fatal(err)
	}
	f.Program("leave", func(_ context.Context, p *Process) int {
		p.WriteFile("/out/result.json", fmt.Append(nil, len(p.Args)))
		_, there := p.ReadFile("/out/other.json")
		if there {
			return 1
		}
		return 0
	})
	made, err := f.Create(t.Context(), runner.Container{Name: "n", Run: "r", Pin: a, Spec: runner.Spec{Command: []string{"leave", "a"}, Result: "/out/result.json"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Start(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	if exit, err := f.Wait(t.Context(), made.ID, made.Life); err != nil || exit.Code != 0 {
		t.Fatalf("Wait = %+v, %v", exit, err)
	}
	if got, err := f.Result(t.Context(), made.ID, "/out/result.json", 10); err != nil || string(got) != "1" {
		t.Errorf("Result = %q, %v", got, err)
	}
}
