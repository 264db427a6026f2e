//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

func (b *bench) stateDir() string { return filepath.Join(b.dir, "state") }

// startRun submits a run, and waits until it prints where it is to.
func (b *bench) startRun(r api.SubmitRun, prints bool) (run api.Run) {
	b.t.Helper()
	submitted, err := b.client().Submit(b.t.Context(), r, "")
	if err != nil {
		b.t.Fatal(err)
	}
	if run = submitted.Run; !prints {
		return run
	}
	await(b.t, "the run's first line", func() bool {
		run, err = b.client().Run(b.t.Context(), submitted.ID)
		return err == nil && run.FirstLineAt != nil
	})
	return run
}

// restore runs prewarm restore, which may die at a point.
func (b *bench) restore(file, point string, flags ...string) result {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"restore", file, "--config", b.configFile()}, flags...)...)
	cmd.Env = append(os.Environ(), prewarmtest.DieAt(point))
	return finish(b.t, cmd)
}

// A backup that is made while tags move and programs print is a state: restored,
// it has every run, every line that the run had printed by then, and no run twice.
func TestBackupAndRestore(t *testing.T) {
	b := ready(t)
	ended, _ := b.submit(lines("done", 500, time.Millisecond))
	ended = b.ended(ended.ID)
	under := b.startRun(lines("under way", 1000, 10*time.Millisecond), true)
	file := filepath.Join(b.dir, "backup.tar")
	next := push(t, repo(t)+":latest", fleet.ProgramImage("two")) // it is warmed meanwhile
	b.mustCLI("backup", file)
	b.allWarm(next)
	if r := b.cli("backup", file); r.code != 1 || !strings.Contains(r.stderr, "exists already") {
		t.Errorf("an existing file: %s", r)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if r := b.restore(file, "", "--force"); r.code != 1 || !strings.Contains(r.stderr, "another prewarm serve uses the state") {
		t.Errorf("restored under a server: %s", r)
	}
	after, _ := b.submit(lines("after", 5, time.Millisecond))
	b.ended(after.ID)
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}

	cut := filepath.Join(b.dir, "cut.tar")
	whole, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(cut, whole[:len(whole)-3000], 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r := b.restore(cut, "", "--force"); r.code != 1 || !strings.Contains(r.stderr, "not a whole one") {
		t.Errorf("a backup that was cut short: %s", r)
	}
	if r := b.restore(file, ""); r.code != 1 || !strings.Contains(r.stderr, "a state is there already") {
		t.Errorf("over a state: %s", r)
	}
	if r := b.restore(file, "", "--force"); r.code != 0 {
		t.Fatal(r)
	}
	b.serve()
	b.awaitLogged("all hosts were looked at since the state was restored")
	run, err := b.client().Run(t.Context(), ended.ID)
	if err != nil {
		t.Fatal(err)
	}
	b.expectWhole(run, 500)
	b.expectWhole(b.ended(under.ID), 1000) // its container went on, and its log is taken up
	if _, err := b.client().Run(t.Context(), after.ID); err == nil {
		t.Error("a run of after the backup is known")
	}
	b.allWarm(next)
	again, _ := b.submit(lines("done", 500, time.Millisecond))
	if again.ID != ended.ID {
		t.Error("a key of before the backup is forgotten")
	}
	anew, _ := b.submit(lines("after", 5, time.Millisecond))
	b.expectWhole(b.ended(anew.ID), 5)
}

// What runs since the backup is left alone, and nothing is begun beside it.
func TestNothingIsExecutedBesideWhatARestoreForgot(t *testing.T) {
	b := ready(t)
	file := filepath.Join(b.dir, "backup.tar")
	b.mustCLI("backup", file)
	first := b.startRun(api.SubmitRun{Image: "jobs", Command: []string{"sleep", "1h"}, Key: "work", Join: "success"}, true)
	host := first.Host
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	if r := b.restore(file, "", "--force"); r.code != 0 {
		t.Fatal(r)
	}
	b.serve()
	retry := b.startRun(lines("work", 100, time.Millisecond), false)
	await(t, "it is told what is waited for", func() bool {
		run, err := b.client().Run(t.Context(), retry.ID)
		return err == nil && strings.Contains(run.Waiting, "containers that the state does not know on "+host)
	})
	label := "label=prewarm.run=" + first.ID
	if ids := docker(t, b.host(shared, host), "ps", "-q", "--filter", label); ids == "" {
		t.Error("the container of the forgotten run was stopped")
	}
	docker(t, b.host(shared, host), "kill", "--signal", "TERM", "prewarm-"+first.ID)
	run := b.ended(retry.ID)
	b.expectWhole(run, 100)
	finished := docker(t, b.host(shared, host), "inspect", "--format", "{{.State.FinishedAt}} {{.State.ExitCode}}", "prewarm-"+first.ID)
	at, code, _ := strings.Cut(finished, " ")
	end, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || code != "7" || run.StartedAt == nil || run.StartedAt.Before(end) {
		t.Errorf("the forgotten run ended at %s; the retry began at %v (%v)", finished, run.StartedAt, err)
	}
}

// A restore that is killed leaves the old state or the new one, and the next
// server finds out which.
func TestARestoreThatIsKilled(t *testing.T) {
	b := ready(t)
	old, _ := b.submit(lines("old", 20, time.Millisecond))
	b.ended(old.ID)
	file := filepath.Join(b.dir, "backup.tar")
	b.mustCLI("backup", file)
	for n, c := range []struct {
		point string
		fresh bool // the restore was decided on
	}{
		{"restore-file", false},
		{"restore-file:3", false},
		{"restore-written", false},
		{"restore-decided", true},
		{"restore-aside", true},
		{"restore-aside:2", true},
		{"restore-move", true},
		{"restore-move:2", true},
		{"restore-moved", true},
	} {
		late, _ := b.submit(lines(fmt.Sprint("late ", n), 3, time.Millisecond))
		late = b.ended(late.ID)
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		if r := b.restore(file, c.point, "--force"); r.code != -1 {
			t.Fatalf("%s: it was not killed: %s", c.point, r)
		}
		b.serve()
		run, err := b.client().Run(t.Context(), old.ID)
		if err != nil {
			t.Fatalf("%s: %v", c.point, err)
		}
		b.expectWhole(run, 20)
		run, err = b.client().Run(t.Context(), late.ID)
		if (err != nil) != c.fresh {
			t.Errorf("%s: the run of after the backup: %v", c.point, err)
		}
		if err == nil {
			b.expectWhole(run, 3)
		}
		left, err := filepath.Glob(filepath.Join(b.stateDir(), "restore.*"))
		if err != nil || len(left) > 0 {
			t.Errorf("%s: left %q %v", c.point, left, err)
		}
	}
}

// A state that is lost is begun anew: what is warm on the hosts is found, and
// containers of the old instance are nobody's.
func TestALostState(t *testing.T) {
	b := ready(t)
	digest := b.current()
	run := b.startRun(lines("work", 600, 100*time.Millisecond), true)
	h := b.host(shared, run.Host)
	t.Cleanup(func() { _ = exec.Command("docker", "-H", h.Socket, "rm", "-f", "prewarm-"+run.ID).Run() })
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(b.stateDir()); err != nil {
		t.Fatal(err)
	}
	pulls := len(pullEvents(t, h))
	b.serve()
	b.allWarm(digest)
	if now := len(pullEvents(t, h)); now != pulls {
		t.Errorf("%d pulls, %d before", now, pulls)
	}
	if _, err := b.client().Run(t.Context(), run.ID); err == nil {
		t.Error("the run is still known")
	}
	if ids := docker(t, h, "ps", "-q", "--filter", "label=prewarm.run="+run.ID); ids == "" {
		t.Error("a container of another instance was touched")
	}
	anew, _ := b.submit(lines("new", 3, time.Millisecond))
	b.expectWhole(b.ended(anew.ID), 3)
}

// pullEvents are the pulls of the test's own images that an engine tells of: the
// engine is that of other tests, too.
func pullEvents(t *testing.T, h *fleet.Host) []string {
	t.Helper()
	now := time.Now() // docker would make whole seconds of 0s, and leave out what was in the last one
	until := fmt.Sprintf("%d.%09d", now.Unix(), now.Nanosecond())
	out := docker(t, h, "events", "--since", "1h", "--until", until, "--filter", "event=pull", "--format", "{{.ID}}")
	return slices.DeleteFunc(strings.Fields(out), func(id string) bool { return !strings.Contains(id, "/"+repo(t)) })
}
