//go:build e2e

package docker

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// launch keeps the program and starts it with a command.
func launch(t *testing.T, h *Host, s runner.Spec) string {
	t.Helper()
	if _, err := h.Keep(t.Context(), shared.good, nil); err != nil {
		t.Fatal(err)
	}
	if s.Network == "" {
		s.Network = "none"
	}
	made, err := h.Create(t.Context(), runner.Container{Name: "prewarm-e2e", Run: "e2e", Pin: shared.good, Spec: s, Env: s.Env})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// follow reads a log to the container's end.
func follow(t *testing.T, h *Host, id string) (lines []string) {
	t.Helper()
	err := h.Logs(t.Context(), id, time.Time{}, true, func(l runner.Line) error {
		lines = append(lines, l.Text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestOverTCP(t *testing.T) {
	o := options(shared.fleet.Hosts[2].TCP)
	o.Insecure = true
	h := newHost(t, o)
	clearEngine(t, h)
	id := launch(t, h, runner.Spec{Command: []string{"print", "over tcp"}, Network: "bridge"})
	if got := follow(t, h, id); !slices.Equal(got, []string{"over tcp"}) {
		t.Errorf("log %q", got)
	}
	if exit, err := h.Wait(t.Context(), id, ""); err != nil || exit.Code != 0 {
		t.Errorf("Wait = %+v, %v", exit, err)
	}
	if err := h.Confirm(t.Context()); err != nil {
		t.Errorf("Confirm: %v", err)
	}
}

func TestOutOfMemory(t *testing.T) {
	h := shared.host(t, shared.fleet.Hosts[0].Socket)
	id := launch(t, h, runner.Spec{Command: []string{"oom"}, Memory: 32 << 20})
	exit, err := h.Wait(t.Context(), id, "")
	if err != nil || exit.Code != 137 || !exit.OOMKilled {
		t.Errorf("Wait = %+v, %v; want 137 by want of memory", exit, err)
	}
}

func TestUnknownNetwork(t *testing.T) {
	h := shared.host(t, shared.fleet.Hosts[0].Socket)
	if _, err := h.Keep(t.Context(), shared.good, nil); err != nil {
		t.Fatal(err)
	}
	c := runner.Container{Name: "prewarm-e2e", Run: "e2e", Pin: shared.good, Spec: runner.Spec{Network: "nosuchnetwork"}}
	made, err := h.Create(t.Context(), c)
	if err == nil { // 20.10 looks for the network at the start only
		err = h.Start(t.Context(), made.ID)
	}
	wantCode(t, "a network that is not there", err, problem.StartFailed)
	if p := problem.From(err); p.Mend == "" {
		t.Errorf("%v has no mend", err)
	}
}

// TestEntrypointDropsTheCommand: given an entrypoint alone, the engine must not
// run it with the image's command.
func TestEntrypointDropsTheCommand(t *testing.T) {
	h := shared.host(t, shared.fleet.Hosts[0].Socket)
	api := engineAPI(t, h)
	id := launch(t, h, runner.Spec{Command: []string{"exit", "0"}})
	if _, err := h.Wait(t.Context(), id, ""); err != nil {
		t.Fatal(err)
	}
	// The container's command becomes its image's.
	made, err := api.ContainerCommit(t.Context(), id, container.CommitOptions{Reference: "prewarm.test/with-command:v1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		spec runner.Spec
		want []string
	}{
		{runner.Spec{}, []string{"exit", "0"}},
		{runner.Spec{Command: []string{"version"}}, []string{"version"}},
		{runner.Spec{Entrypoint: []string{"/program"}}, nil},
		{runner.Spec{Entrypoint: []string{"/program"}, Command: []string{"env"}}, []string{"env"}},
	} {
		of := runner.Container{Pin: shared.good, Spec: c.spec}
		asked := config("contract", of)
		asked.Image = made.ID
		created, err := api.ContainerCreate(t.Context(), asked, hostConfig(of), nil, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		seen, err := api.ContainerInspect(t.Context(), created.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(seen.Config.Cmd, c.want) {
			t.Errorf("%+v runs with command %q, want %q", c.spec, seen.Config.Cmd, c.want)
		}
	}
}

// TestFirehose: what a program prints as fast as it can arrives whole. A log that
// is followed may end clean before its end, where the program ends while the
// engine waits for more of it: see countComplete of the contract suite.
func TestFirehose(t *testing.T) {
	const n = 200_000
	h := shared.host(t, shared.fleet.Hosts[0].Socket)
	id := launch(t, h, runner.Spec{Command: []string{"lines", "200000"}})
	read := func(follow bool) (got int) {
		if err := h.Logs(t.Context(), id, time.Time{}, follow, func(runner.Line) error { got++; return nil }); err != nil {
			t.Errorf("follow %v, after %d lines: %v", follow, got, err)
		}
		return got
	}
	if got := read(true); got < n {
		t.Logf("followed %d of %d lines", got, n)
	}
	if _, err := h.Wait(t.Context(), id, ""); err != nil {
		t.Fatal(err)
	}
	if got := read(false); got != n {
		t.Errorf("read %d lines, want %d", got, n)
	}
}

// TestStoppedEngine ends the engine under a run. Whatever it says of the run
// while it goes down, Confirm tells that it is not to be believed; what comes
// back is talked to anew, and has not witnessed the run's end.
func TestStoppedEngine(t *testing.T) {
	engine := shared.fleet.Hosts[0]
	h := shared.host(t, engine.Socket)
	before, err := h.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id := launch(t, h, runner.Spec{Command: []string{"sleep", "1m"}})
	look, err := h.Look(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() {
		_, err := h.Wait(t.Context(), id, look.Life)
		waited <- errors.Join(err, h.Confirm(t.Context()))
	}()
	if err := engine.Stop(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "Inspect", func() error { _, _, err := h.Inspect(t.Context(), shared.good); return err }(), problem.HostUnreachable)
	wantCode(t, "Wait and Confirm", <-waited, problem.HostUnreachable)
	if err := engine.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := h.Probe(t.Context())
	after.Disk, after.ClockOffset = before.Disk, before.ClockOffset // these move
	if err != nil || after != before {
		t.Errorf("Probe after the restart = %+v, %v; want %+v", after, err, before)
	}
	exit, err := h.Wait(t.Context(), id, look.Life)
	t.Logf("the restarted engine says: %+v, %v", exit, err)
	if err != nil || !exit.Unwitnessed {
		t.Errorf("Wait after the restart = %+v, %v; want it unwitnessed", exit, err)
	}
}
