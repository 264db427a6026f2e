package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// TestWaitGoesOn: waits break, engines vanish, and the outcome still comes.
func TestWaitGoesOn(t *testing.T) {
	t.Parallel()
	ended := reply(http.StatusOK, `{"StatusCode":0}`)
	e := newEngine(t)
	e.on("POST /containers/c1/wait", sequence(hangUp, fault(500, "busy"), reply(http.StatusOK, `{"Stat`), reply(http.StatusOK, "504 from a proxy"), ended))
	e.on("GET /networks/bridge", reply(http.StatusOK, `{"Id":"life1"}`))
	running := inspected(config1, stateRunning, ourLabels)
	e.on("GET /containers/c1/json", sequence(running, fault(500, "busy"), running, running, inspected(config1, stateExited, ourLabels)))
	got, err := e.host().Wait(t.Context(), "c1")
	at := time.Date(2025, 1, 2, 3, 4, 5, 5e8, time.UTC)
	want := runner.Exit{Code: 3, OOMKilled: true, Started: at, Finished: at}
	if err != nil || got != want {
		t.Errorf("Wait = %+v, %v; want %+v", got, err, want)
	}
	if n := e.count("POST /containers/c1/wait"); n != 5 {
		t.Errorf("waited %d times, want 5", n)
	}
}

// TestWaitAcrossARestart: what ended while the engine was restarted, or may have
// been, was not witnessed.
func TestWaitAcrossARestart(t *testing.T) {
	t.Parallel()
	life := func(id string) http.HandlerFunc { return reply(http.StatusOK, `{"Id":"`+id+`"}`) }
	ended := reply(http.StatusOK, `{"StatusCode":0}`)
	exited := inspected(config1, stateExited, ourLabels)
	// Each row needs its own: a sequence goes on from where it was.
	later := func() http.HandlerFunc { return sequence(inspected(config1, stateRunning, ourLabels), exited) }
	for _, c := range []struct {
		name               string
		waits, looks, life http.HandlerFunc
		want               bool
	}{
		{"one wait", ended, exited, life("a"), false},
		{"a broken wait in one life", sequence(hangUp, ended), later(), life("a"), false},
		{"a restart between two waits", sequence(hangUp, ended), later(), sequence(life("a"), life("b")), true},
		{"a restart hidden in one round", hangUp, exited, sequence(life("a"), life("b")), true},
		{"a wait that lied, and a restart", ended, exited, sequence(life("a"), life("b")), true},
		{"no network to tell by, one wait", ended, exited, fault(404, "no such network"), false},
		{"no network to tell by, a broken wait", hangUp, exited, fault(404, "no such network"), true},
	} {
		e := newEngine(t)
		e.on("POST /containers/c1/wait", c.waits)
		e.on("GET /networks/bridge", c.life)
		e.on("GET /containers/c1/json", c.looks)
		exit, err := e.host().Wait(t.Context(), "c1")
		if err != nil || exit.Unwitnessed != c.want {
			t.Errorf("%s: Wait = %+v, %v; want Unwitnessed %v", c.name, exit, err, c.want)
		}
	}
}

// TestWaitBelievesTheLook: the engine answers 0 for a container that is only
// created, or while it is being stopped.
func TestWaitBelievesTheLook(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		look http.HandlerFunc
		want problem.Code
	}{
		{"never started", inspected(config1, stateCreated, ourLabels), problem.StartFailed},
		{"could not be started", inspected(config1, stateFailed, ourLabels), problem.StartFailed},
		{"gone", fault(404, "no such container"), problem.ContainerLost},
	} {
		e := newEngine(t)
		e.on("POST /containers/c1/wait", reply(http.StatusOK, `{"StatusCode":0}`))
		e.on("GET /containers/c1/json", c.look)
		exit, err := e.host().Wait(t.Context(), "c1")
		wantCode(t, c.name, err, c.want)
		if exit != (runner.Exit{}) {
			t.Errorf("%s: got %+v beside the error", c.name, exit)
		}
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	waiting := make(chan struct{}, 1)
	e.on("POST /containers/c1/wait", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush() // the engine sends its header at once
		waiting <- struct{}{}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-waiting
		cancel()
	}()
	within(t, 5*time.Second, func() {
		if _, err := e.host().Wait(ctx, "c1"); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait = %v, want the context's error", err)
		}
	})
}

func TestConfirmTakesANewConnection(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /_ping", pong("1.41"))
	h := e.host()
	if err := h.Confirm(t.Context()); err != nil {
		t.Fatalf("Confirm: %v", err)
	}
	// The engine closes its socket and still answers on old connections.
	if _, err := h.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	silent := silence(t)
	h.open = endpoint{network: "unix", address: silent}.dial
	within(t, 3*time.Second, func() {
		wantCode(t, "Confirm of a silent engine", h.Confirm(t.Context()), problem.HostUnreachable)
	})
	h.open = endpoint{network: "unix", address: filepath.Join(filepath.Dir(silent), "none.sock")}.dial
	wantCode(t, "Confirm of a closed socket", h.Confirm(t.Context()), problem.HostUnreachable)
}

// silence is a socket that takes connections and says nothing, as systemd does
// for an engine that is stopped.
func silence(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(io.Discard, conn) // until the client leaves
				_ = conn.Close()
			}()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return path
}
