//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// crashBench is a server that is killed, and what it did before that.
type crashBench struct {
	*bench
	hosts []*fleet.Host
	since time.Time
	// starts are those that each engine told of, a line each. It can be asked later
	// for its last 256 events only, and other tests use it, too.
	starts map[*fleet.Host]*logBuffer
}

func newCrashBench(t *testing.T) *crashBench {
	t.Helper()
	b := &crashBench{bench: ready(t), hosts: shared.Hosts, since: time.Now(), starts: make(map[*fleet.Host]*logBuffer)}
	for _, h := range b.hosts {
		b.starts[h] = &logBuffer{}
		follow := exec.Command("docker", b.startEvents(h)...)
		follow.Stdout = b.starts[h]
		if err := follow.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = follow.Process.Kill()
			_ = follow.Wait() // it was killed
		})
	}
	return b
}

// startEvents asks a host's engine for the starts of containers: when, of which
// run, which container.
func (b *crashBench) startEvents(h *fleet.Host) []string {
	return []string{
		"-H", h.Socket, "events", "--since", b.since.Format(time.RFC3339Nano), "--filter", "event=start",
		"--format", `{{.TimeNano}} {{index .Actor.Attributes "prewarm.run"}} {{.ID}}`,
	}
}

// restart ends the server's life, in order, and begins one that ends at a point.
func (b *crashBench) restart(point string) {
	b.t.Helper()
	if err := b.Stop(); err != nil {
		b.t.Fatal(err)
	}
	b.serve(prewarmtest.DieAt(point))
	b.allWarm(b.current())
}

// died waits until the server has died at its point, and begins its next life.
func (b *crashBench) died(env ...string) {
	b.t.Helper()
	if err := b.AwaitDeath(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.serve(env...)
}

// lines is a piece of work that prints numbered lines.
func lines(key string, n int, every time.Duration) api.SubmitRun {
	return api.SubmitRun{
		Image: "jobs", Command: []string{"lines", fmt.Sprint(n), every.String()},
		Key: key, Join: "success", WaitWarm: api.Duration(time.Minute),
	}
}

// expectWhole wants every line of a run's log, once, in their order.
func (b *bench) expectWhole(run api.Run, n int) {
	b.t.Helper()
	var want, got []string
	for i := range n {
		want = append(want, fmt.Sprint("line ", i+1))
	}
	err := b.client().Logs(b.t.Context(), run.ID, 0, false, func(l api.LogLine) error {
		got = append(got, l.Text)
		return nil
	})
	if err != nil || !slices.Equal(got, want) || !run.Log.Complete {
		b.t.Errorf("%d lines, want %d, complete: %v (%s), %v:\n%s", len(got), n, run.Log.Complete, run.Log.Gap, err, strings.Join(got, "\n"))
	}
}

// expectOrdered wants at least so many lines of a run's log, in their order and
// none of them twice.
func (b *bench) expectOrdered(run api.Run, least int) {
	b.t.Helper()
	last, lines := 0, 0
	err := b.client().Logs(b.t.Context(), run.ID, 0, false, func(l api.LogLine) error {
		n, err := strconv.Atoi(strings.TrimPrefix(l.Text, "line "))
		if err == nil && n <= last {
			err = fmt.Errorf("line %d after line %d", n, last)
		}
		last, lines = n, lines+1
		return err
	})
	if err != nil || lines < least {
		b.t.Errorf("%d lines, want %d at least: %v", lines, least, err)
	}
}

// expectOnce wants one container of a run to have been started, as the engines
// tell.
func (b *crashBench) expectOnce(point string, run api.Run) {
	b.t.Helper()
	starts := make(map[string]bool)
	for _, h := range b.hosts {
		told := b.starts[h].String()
		told = told[:strings.LastIndex(told, "\n")+1] // a line comes in pieces
		// What was told last may not have been read yet.
		until := time.Now().Format(time.RFC3339Nano)
		told += docker(b.t, h, append(b.startEvents(h)[2:], "--until", until)...) + "\n"
		for line := range strings.Lines(told) {
			if strings.Contains(line, " "+run.ID+" ") {
				starts[line] = true
			}
		}
	}
	if len(starts) != 1 {
		b.t.Errorf("%s: containers of run %s were started, not one: %v", point, run.ID, starts)
	}
}

// expectNoneRuns waits until no container of ours runs. Ended ones that nobody
// was told of are removed by a look that is taken once in some minutes.
func (b *crashBench) expectNoneRuns() {
	b.t.Helper()
	for _, h := range b.hosts {
		await(b.t, "nothing runs any more on "+h.Name, func() bool { return !strings.Contains(b.containers(h), " Up ") })
	}
}

// Wherever the server is killed, and however often its caller asks, a piece of
// work is executed once, its outcome is the true one and its log is whole.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	b := newCrashBench(t)
	const n = 20
	for _, point := range []string{
		"submit.before", "submit.written", "run.creating", "run.created", "run.starting", "run.started",
		"run.exited", "log.swept", "run.ended",
	} {
		b.restart(point)
		ask := lines(point, n, 50*time.Millisecond)
		first, _ := b.client().Submit(t.Context(), ask, point) // its answer may get lost
		b.died()
		again, err := b.client().Submit(t.Context(), ask, point)
		if err != nil {
			t.Fatalf("%s: submit again: %v", point, err)
		}
		if first.ID != "" && first.ID != again.ID {
			t.Errorf("%s: the same call answered run %s, and then %s", point, first.ID, again.ID)
		}
		run := b.ended(again.ID)
		if run.State != "succeeded" || run.ExitCode == nil || *run.ExitCode != 0 {
			t.Errorf("%s: recorded %+v", point, run)
		}
		b.expectWhole(run, n)
		b.expectOnce(point, run)
		all, err := b.client().RunsBy(t.Context(), api.RunFilter{Key: point})
		if err != nil || len(all.Runs) != 1 {
			t.Errorf("%s: runs %+v %v", point, all.Runs, err)
		}
	}
	b.expectNoneRuns()
}

// A server that dies in each of its lives gets there all the same.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	b := newCrashBench(t)
	b.restart("run.started")
	const n = 100
	run, err := b.client().Submit(t.Context(), lines("again", n, 50*time.Millisecond), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, point := range []string{"run.exited", "log.swept", "run.ended"} {
		b.died(prewarmtest.DieAt(point))
	}
	b.died()
	ended := b.ended(run.ID)
	if ended.State != "succeeded" {
		t.Errorf("recorded %+v", ended)
	}
	b.expectWhole(ended, n)
	b.expectOnce("all of them", ended)
	b.expectNoneRuns()
}

// A cancel that was answered, or that was on its way, is carried out by the next
// life; one that was not written down was not answered.
func TestKilledWhileStopping(t *testing.T) {
	t.Parallel()
	b := newCrashBench(t)
	for _, point := range []string{"stop.written", "stop.sending", "stop.sent"} {
		b.restart(point)
		run := b.running("sleep", "1h")
		_, _ = b.client().Cancel(t.Context(), run.ID) // its answer may get lost
		b.died()
		ended := b.ended(run.ID)
		if ended.State != "canceled" {
			t.Errorf("%s: recorded %+v", point, ended)
		}
		b.expectOnce(point, ended)
	}
	b.expectNoneRuns()
}

// An engine that is restarted with live-restore keeps its containers: their
// outcome is the true one. A line that the engine had in hand may be lost: so the
// log does not say that it is complete.
func TestAnEngineIsRestartedWithLiveRestore(t *testing.T) {
	t.Parallel()
	f, repo := ownFleet(t, fleet.HostOptions{LiveRestore: true}), repo(t)
	digest := pushTo(t, f.Registry, repo+":latest", fleet.ProgramImage("one"))
	b := &crashBench{bench: newBenchOn(t, f, "{name: jobs, repository: "+f.Registry.Addr+"/"+repo+", watch: '@every 1s'}"), hosts: f.Hosts, since: time.Now()}
	b.awaitCurrent(digest)
	const n = 200 // for long enough that the engine is back before the last
	h := f.Hosts[0]
	for name, end := range map[string]func() error{"stopped": h.Stop, "crashed": h.Crash} {
		b.since = time.Now()
		run := b.running("lines", fmt.Sprint(n), "100ms")
		if err := end(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // so that lines come which no engine reads
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ended := b.ended(run.ID)
		if ended.State != "succeeded" || ended.ExitCode == nil || *ended.ExitCode != 0 {
			t.Errorf("%s: recorded %+v", name, ended)
		}
		if ended.Log.Complete || !strings.Contains(ended.Log.Gap, "restarted") {
			t.Errorf("%s: the log is %+v", name, ended.Log)
		}
		b.expectOrdered(ended, n-2)
		b.awaitState(h.Name, "warm")
	}
}

// Where the spool's disk is full the engine keeps the lines until there is room.
func TestAFullDiskUnderTheSpool(t *testing.T) {
	t.Parallel()
	b := ready(t)
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	logs := filepath.Join(b.dir, "state", "logs")
	undo, err := prewarmtest.SmallDisk(logs, 2<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := undo(); err != nil {
			t.Error(err)
		}
	})
	b.serve()
	b.allWarm(b.current())
	const n = 400
	run := b.running("lines", fmt.Sprint(n), "25ms")
	full, err := prewarmtest.Fill(logs)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	if now, err := b.client().Run(t.Context(), run.ID); err != nil || now.Ended {
		t.Errorf("while the disk is full: %+v %v", now, err)
	}
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	ended := b.ended(run.ID)
	if ended.State != "succeeded" {
		t.Errorf("recorded %+v", ended)
	}
	b.expectWhole(ended, n)
}
