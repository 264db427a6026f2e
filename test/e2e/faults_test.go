//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
)

// ownFleet is for tests that stop engines or cut networks, which would break
// the other tests.
func ownFleet(t *testing.T, hosts ...fleet.HostOptions) *fleet.Fleet {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	f, err := fleet.Up(ctx, fleet.Options{Each: hosts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Down(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestEnginesAndNetworksThatFail(t *testing.T) {
	t.Parallel()
	f, repo := ownFleet(t, fleet.HostOptions{}, fleet.HostOptions{}), repo(t)
	digest, err := f.Registry.Push(t.Context(), repo+":latest", fleet.ProgramImage("one"))
	if err != nil {
		t.Fatal(err)
	}
	b := newBenchOn(t, f, "{name: jobs, repository: "+f.Registry.Addr+"/"+repo+", watch: '@every 1s'}")
	b.awaitCurrent(digest)

	t.Run("an engine that is stopped under a run is not believed", func(t *testing.T) {
		run := b.running("sleep", "1h")
		if err := b.host(f, run.Host).Stop(); err != nil { // SIGTERMs the job, which exits 7
			t.Fatal(err)
		}
		b.awaitState(run.Host, "unreachable")
		await(t, "the run is known to be out of reach", func() bool {
			held, err := b.client().Run(t.Context(), run.ID)
			if err != nil || held.Ended {
				t.Fatalf("before it is back: %+v %v", held, err)
			}
			return held.Unreachable != nil
		})
		if out := b.mustCLI("run", "jobs", "--", "version"); out != "one\n" {
			t.Errorf("on the other host: %q", out)
		}
		if err := b.host(f, run.Host).Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if ended := b.ended(run.ID); ended.State != "interrupted" || ended.Reason != "engine_restarted" {
			t.Errorf("recorded %+v", ended)
		}
		b.awaitState(run.Host, "warm")
	})
	t.Run("a network that is cut under a run loses nothing", func(t *testing.T) {
		run := b.running("lines", "40", "250ms")
		if err := b.host(f, run.Host).Cut(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		if err := b.host(f, run.Host).Mend(); err != nil {
			t.Fatal(err)
		}
		if ended := b.ended(run.ID); ended.State != "succeeded" {
			t.Errorf("recorded %+v", ended)
		}
		var lines []string
		err := b.client().Logs(t.Context(), run.ID, 0, false, func(l api.LogLine) error {
			lines = append(lines, l.Text)
			return nil
		})
		if err != nil || len(lines) != 40 || lines[0] != "line 1" || lines[39] != "line 40" {
			t.Errorf("%v, %d lines:\n%s", err, len(lines), strings.Join(lines, "\n"))
		}
	})
	t.Run("an engine that was killed under a run is not believed when back", func(t *testing.T) {
		run := b.running("sleep", "1h")
		if err := b.host(f, run.Host).Kill(); err != nil {
			t.Fatal(err)
		}
		if err := b.host(f, run.Host).Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if ended := b.ended(run.ID); ended.State != "interrupted" || ended.ExitCode != nil {
			t.Errorf("recorded %+v", ended)
		}
		b.awaitState(run.Host, "warm")
	})
	t.Run("a host that lost power comes back warm", func(t *testing.T) {
		h := f.Hosts[0]
		if err := h.Kill(); err != nil {
			t.Fatal(err)
		}
		second, err := f.Registry.Push(t.Context(), repo+":latest", fleet.ProgramImage("two"))
		if err != nil {
			t.Fatal(err)
		}
		b.awaitCurrent(second)
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.awaitState(h.Name, "warm")
	})
	t.Run("a registry that is down changes nothing", func(t *testing.T) {
		before := b.current()
		if err := f.Registry.Stop(); err != nil {
			t.Fatal(err)
		}
		b.cli("check", "jobs").expect(t, 1, f.Registry.Addr, "refuses the connection")
		if out := b.mustCLI("run", "jobs", "--", "version"); out != "two\n" || b.current() != before {
			t.Errorf("ran %q on %s", out, b.current())
		}
		if err := f.Registry.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Not at once where it was away for so long that it is left alone.
		await(t, "a look succeeds", func() bool { return b.cli("check", "jobs").code == 0 })
	})
}

func (b *bench) host(f *fleet.Fleet, name string) *fleet.Host {
	b.t.Helper()
	for _, h := range f.Hosts {
		if h.Name == name {
			return h
		}
	}
	b.t.Fatalf("no host %q", name)
	return nil
}

// running submits a run and waits until its container prints.
func (b *bench) running(command ...string) api.Run {
	b.t.Helper()
	submitted, err := b.client().Submit(b.t.Context(), api.SubmitRun{Image: "jobs", Command: command}, "")
	if err != nil {
		b.t.Fatal(err)
	}
	run := submitted.Run
	await(b.t, "the run's first line", func() bool {
		run, err = b.client().Run(b.t.Context(), submitted.ID)
		return err == nil && run.FirstLineAt != nil
	})
	return run
}

func (b *bench) ended(id string) (run api.Run) {
	b.t.Helper()
	await(b.t, "the run's end", func() bool {
		var err error
		run, err = b.client().Run(b.t.Context(), id)
		return err == nil && run.Ended
	})
	return run
}

// awaitState waits until the current digest stands like that on a host.
func (b *bench) awaitState(host, state string) {
	b.t.Helper()
	await(b.t, host+" is "+state, func() bool {
		image, err := b.client().Image(b.t.Context(), "jobs")
		if err != nil {
			return false
		}
		for _, h := range image.Tracks[0].Current.Hosts {
			if h.Host == host {
				return h.State == state
			}
		}
		return false
	})
}
