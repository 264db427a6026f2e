package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// TestWaitGoesOn: waits break while the engine answers, and the outcome still
// comes.
func TestWaitGoesOn(t *testing.T) {
	t.Parallel()
	ended := reply(http.StatusOK, `{"StatusCode":0}`)
	e := newEngine(t)
	e.on("POST /containers/c1/wait", sequence(hangUp, fault(500, "busy"), reply(http.StatusOK, `{"Stat`), reply(http.StatusOK, "504 from a proxy"), ended))
	e.on("GET /networks/bridge", reply(http.StatusOK, `{"Id":"life1"}`))
	running := inspected(config1, stateRunning, ourLabels)
	// Two looks for each of four broken waits: one behind it, one before the next.
	e.on("GET /containers/c1/json", sequence(running, running, running, running, running, running, running, running, running, inspected(config1, stateExited, ourLabels)))
	got, err := e.host().Wait(t.Context(), "c1", "life1")
	at := time.Date(2025, 1, 2, 3, 4, 5, 5e8, time.UTC)
	want := runner.Exit{Code: 3, OOMKilled: true, Started: at, Finished: at}
	if err != nil || got != want {
		t.Errorf("Wait = %+v, %v; want %+v", got, err, want)
	}
	if n := e.count("POST /containers/c1/wait"); n != 5 {
		t.Errorf("waited %d times, want 5", n)
	}
}

// TestWaitEndsWithTheEngine: no answer is for the caller to bear.
func TestWaitEndsWithTheEngine(t *testing.T) {
	t.Parallel()
	running := inspected(config1, stateRunning, ourLabels)
	for name, looks := range map[string]http.HandlerFunc{
		"before the wait": hangUp, "after a broken wait": sequence(running, hangUp), "before the next": sequence(running, running, hangUp),
	} {
		e := newEngine(t)
		e.on("GET /networks/bridge", reply(http.StatusOK, `{"Id":"life1"}`))
		e.on("POST /containers/c1/wait", hangUp)
		e.on("GET /containers/c1/json", looks)
		_, err := e.host().Wait(t.Context(), "c1", "life1")
		wantCode(t, name, err, problem.HostUnreachable)
	}
}

// TestWaitAcrossARestart: what ended while the engine was restarted, or may have
// been, was not witnessed.
func TestWaitAcrossARestart(t *testing.T) {
	t.Parallel()
	life := func(id string) http.HandlerFunc { return reply(http.StatusOK, `{"Id":"`+id+`"}`) }
	ended := reply(http.StatusOK, `{"StatusCode":0}`)
	exited := inspected(config1, stateExited, ourLabels)
	running := inspected(config1, stateRunning, ourLabels)
	// Each row needs its own: a sequence goes on from where it was.
	after := func(looks int) http.HandlerFunc {
		return sequence(append(slices.Repeat([]http.HandlerFunc{running}, looks), exited)...)
	}
	for _, c := range []struct {
		name               string
		given              string
		waits, looks, life http.HandlerFunc
		want               bool
	}{
		{"one wait", "a", ended, after(1), life("a"), false},
		{"ended before", "a", ended, exited, life("a"), false},
		{"ended before, in another life", "a", ended, exited, life("b"), true},
		{"a restart between the look and its end", "a", ended, exited, sequence(life("a"), life("b")), true},
		{"a broken wait in one life", "a", sequence(hangUp, ended), after(3), life("a"), false},
		{"it survived, and ended in its new life", "a", ended, after(1), life("b"), false},
		{"a restart behind a broken wait", "a", sequence(hangUp, ended), after(1), sequence(life("a"), life("b")), true},
		{"a restart between two waits", "a", sequence(hangUp, ended), after(2), sequence(life("a"), life("a"), life("b")), true},
		{"a wait that lied, and a restart", "a", ended, after(1), sequence(life("a"), life("b")), true},
		{"no network to tell by, one wait", "", ended, after(1), fault(404, "no such network"), false},
		{"no network to tell by, a broken wait", "", hangUp, after(1), fault(404, "no such network"), true},
		{"no network to tell by, ended before", "", ended, exited, fault(404, "no such network"), true},
		{"not known before, seen running", "", ended, after(1), life("a"), false},
		{"not known before, ended before", "", ended, exited, life("a"), true},
		{"not known before, a broken wait and a restart", "", hangUp, after(1), sequence(life("a"), life("b")), true},
		{"known before, no network now", "a", ended, exited, fault(404, "no such network"), true},
	} {
		e := newEngine(t)
		e.on("POST /containers/c1/wait", c.waits)
		e.on("GET /networks/bridge", c.life)
		e.on("GET /containers/c1/json", c.looks)
		e.on("GET /events", reply(http.StatusOK, "")) // it has forgotten, or never saw it
		exit, err := e.host().Wait(t.Context(), "c1", c.given)
		if err != nil || exit.Unwitnessed != c.want || exit.LogGap != "" {
			t.Errorf("%s: Wait = %+v, %v; want Unwitnessed %v", c.name, exit, err, c.want)
		}
	}
}

// TestExitWithoutAnAnswerBehindIt: an engine that tells an exit and is gone may
// have been going down, and is back by the time that anybody asks.
func TestExitWithoutAnAnswerBehindIt(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /networks/bridge", sequence(reply(http.StatusOK, `{"Id":"a"}`), hangUp))
	e.on("GET /containers/c1/json", inspected(config1, stateExited, ourLabels))
	exit, err := e.host().Wait(t.Context(), "c1", "a")
	wantCode(t, "Wait", err, problem.HostUnreachable)
	if exit != (runner.Exit{}) {
		t.Errorf("got %+v beside the error", exit)
	}
}

// TestEndThatTheEngineSaw: its event proves that the engine was there, where
// nothing else tells.
func TestEndThatTheEngineSaw(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /networks/bridge", fault(http.StatusNotFound, "no such network"))
	e.on("GET /containers/c1/json", inspected(config1, stateExited, ourLabels))
	e.on("GET /events", func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("filters"); got != `{"container":{"c1":true},"event":{"die":true}}` || r.URL.Query().Get("since") == "" {
			t.Errorf("asked for %v", r.URL.Query())
		}
		reply(http.StatusOK, `{"Type":"container","Action":"die","Actor":{"ID":"c1"}}`)(w, r)
	})
	exit, err := e.host().Wait(t.Context(), "c1", "")
	if err != nil || exit.Unwitnessed {
		t.Errorf("Wait = %+v, %v; want it witnessed", exit, err)
	}
}

// TestWaitUnderLiveRestore: containers outlive the engine. Whether it was there
// at the end decides what their log is worth, and a code that it made up.
func TestWaitUnderLiveRestore(t *testing.T) {
	t.Parallel()
	ended := reply(http.StatusOK, `{"StatusCode":0}`)
	running := inspected(config1, stateRunning, ourLabels)
	exited := func(code int) http.HandlerFunc {
		return inspected(config1, fmt.Sprintf(`{"Status":"exited","ExitCode":%d,"StartedAt":"2025-01-02T03:04:05Z","FinishedAt":"2025-01-02T03:04:06Z"}`, code), ourLabels)
	}
	died := reply(http.StatusOK, `{"Type":"container","Action":"die","Actor":{"ID":"c1"}}`)
	silent := func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	for _, c := range []struct {
		name                        string
		given                       string
		waits, looks, events        http.HandlerFunc
		wantUnwitnessed, wantLogGap bool
	}{
		{"waited for", "a" + restores, ended, sequence(running, exited(3)), died, false, false},
		{"waited for, and the engine does not remember the start", "a" + restores, ended, sequence(running, exited(3)), silent, false, true},
		{"waited for, and the code is 255", "a" + restores, ended, sequence(running, exited(255)), died, false, false},
		{"ended before, and the engine saw it", "a" + restores, ended, exited(255), died, false, false},
		{"ended before, and the engine tells nothing", "a" + restores, ended, exited(3), silent, false, true},
		{"ended before with 255", "a" + restores, ended, exited(255), silent, true, true},
		{"in another life, and the engine saw it", "b" + restores, ended, exited(3), died, false, false},
		{"in another life", "b" + restores, ended, exited(0), silent, false, true},
		{"behind a broken wait", "a" + restores, hangUp, sequence(running, exited(3)), silent, false, true},
		{"live-restore switched on in that life", "a", ended, exited(0), died, false, false},
		{"live-restore switched on in that life, and the engine tells nothing", "a", ended, exited(0), silent, false, true},
		{"live-restore since then only", "b", ended, exited(3), died, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngineOf(t, `{"ServerVersion":"29.0","OSType":"linux","Architecture":"x86_64","LiveRestoreEnabled":true}`)
			e.on("POST /containers/c1/wait", c.waits)
			e.on("GET /networks/bridge", reply(http.StatusOK, `{"Id":"a"}`))
			e.on("GET /containers/c1/json", c.looks)
			e.on("GET /events", c.events)
			exit, err := e.host().Wait(t.Context(), "c1", c.given)
			if err != nil || exit.Unwitnessed != c.wantUnwitnessed || (exit.LogGap != "") != c.wantLogGap {
				t.Errorf("Wait = %+v, %v; want Unwitnessed %v, a gap %v", exit, err, c.wantUnwitnessed, c.wantLogGap)
			}
		})
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
		exit, err := e.host().Wait(t.Context(), "c1", "")
		wantCode(t, c.name, err, c.want)
		if exit != (runner.Exit{}) {
			t.Errorf("%s: got %+v beside the error", c.name, exit)
		}
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /containers/c1/json", inspected(config1, stateRunning, ourLabels))
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
		if _, err := e.host().Wait(ctx, "c1", ""); !errors.Is(err, context.Canceled) {
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
	within(t, 8*time.Second, func() {
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
