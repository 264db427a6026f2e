package fleet

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// shellDaemon is a daemon that is a shell script; what it is asked by HTTP, a
// server of the test answers.
func shellDaemon(t *testing.T, script string, status int) daemon {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(s.Close)
	d := daemon{
		name: "etl-1",
		mark: mark(newID() + "/etl-1"),
		dir:  t.TempDir(),
		argv: []string{"/bin/sh", "-c", script},
		ping: s.URL,
		dial: dialTo("tcp", s.Listener.Addr().String()),
	}
	t.Cleanup(func() {
		if err := d.mark.killAll(killTimeout); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestADaemonIsStartedOnceAndStopped(t *testing.T) {
	t.Parallel()
	d := shellDaemon(t, "exec sleep 60", http.StatusOK)
	if err := d.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, err := d.process()
	if err != nil || !first.alive() {
		t.Fatalf("after start: %v, alive %v, %v", first, first.alive(), err)
	}
	if err := d.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again, err := d.process(); err != nil || again != first {
		t.Errorf("a second start made another process: %v, %v", again, err)
	}
	for range 2 {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	}
	if first.alive() {
		t.Error("it runs after stop")
	}
}

func TestAFailedStartShowsTheLog(t *testing.T) {
	t.Parallel()
	d := shellDaemon(t, "echo the reason; exit 1", http.StatusServiceUnavailable)
	err := d.start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "start etl-1") || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("got %v", err)
	}
}

func TestAStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	d := shellDaemon(t, "exec sleep 60", http.StatusServiceUnavailable)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := d.start(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "503") {
		t.Errorf("got %v, want the deadline and the last answer", err)
	}
}

func TestADaemonsEnvironmentIsItsOwn(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.example:3128")
	d := shellDaemon(t, "env; exit 1", http.StatusServiceUnavailable)
	err := d.start(t.Context())
	if err == nil || !strings.Contains(err.Error(), d.mark.environ()) || strings.Contains(err.Error(), "proxy.example") {
		t.Errorf("got %v, want the mark and no proxy", err)
	}
}
