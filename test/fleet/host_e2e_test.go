//go:build e2e

package fleet

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAHostIsStoppedKilledAndStarted(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 2})
	h := f.Hosts[0]
	pin := push(t, f.Registry, "etl/jobs:v1", ProgramImage("v1"))
	for _, end := range []struct {
		name string
		end  func() error
		code string // with which the container ended
	}{
		{"stop", h.Stop, "7"}, // it had its SIGTERM
		{"kill", h.Kill, "255"},
	} {
		id := mustDocker(t, h.Socket, "run", "--detach", pin, "sleep", "1h")
		if err := end.end(); err != nil {
			t.Fatalf("%s: %v", end.name, err)
		}
		if left, err := h.engine.mark.processes(); err != nil || len(left) > 0 {
			t.Errorf("%s: processes are left: %v %v", end.name, left, err)
		}
		if out, err := docker(t, h.TCP, "ps"); err == nil {
			t.Errorf("%s: the engine still answers: %s", end.name, out)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatalf("start after %s: %v", end.name, err)
		}
		if got := mustDocker(t, h.Socket, "inspect", "--format", "{{.State.ExitCode}}", id); got != end.code {
			t.Errorf("%s: the container ended with %s, want %s", end.name, got, end.code)
		}
		if got := mustDocker(t, h.TCP, "run", "--rm", pin, "version"); got != "v1" {
			t.Errorf("after %s: got %q", end.name, got)
		}
		mustDocker(t, f.Hosts[1].TCP, "version") // the other host noticed nothing
	}
}

func TestACutHostAnswersOnItsSocketOnly(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 2})
	h := f.Hosts[0]
	if err := h.Cut(); err != nil {
		t.Fatal(err)
	}
	if err := pingTCP(t, h, time.Second); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("ping of a cut host: %v, want silence", err)
	}
	mustDocker(t, h.Socket, "version")
	if err := pingTCP(t, f.Hosts[1], pingTimeout); err != nil {
		t.Errorf("the other host: %v", err)
	}
	if err := h.Mend(); err != nil {
		t.Fatal(err)
	}
	if err := pingTCP(t, h, pingTimeout); err != nil {
		t.Errorf("ping of a mended host: %v", err)
	}
}

// pingTCP asks a host's engine over the network.
func pingTCP(t *testing.T, h *Host, patience time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return ping(ctx, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "http"+strings.TrimPrefix(h.TCP, "tcp")+"/_ping")
}

func TestAFailedStartShowsTheEnginesLog(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 1})
	h := f.Hosts[0]
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	config := engineConfig(h, bridgeAddr(f.state.Subnet))
	config["bip"] = "nonsense"
	if err := writeJSON(h.engine.dir+"/daemon.json", config); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("start with a broken configuration: %v, want the engine's own words", err)
	}
}
