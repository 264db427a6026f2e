package docker

import (
	"net/http"
	"sync"
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestNegotiatesOnceForAll(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /containers/abc/json", fault(http.StatusNotFound, "no such container"))
	h := e.host()
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			_, err := h.inspect(t.Context(), "abc")
			wantCode(t, "inspect", err, problem.EngineAPI)
		})
	}
	calls.Wait()
	if n := e.count("HEAD /_ping"); n != 1 {
		t.Errorf("pinged %d times, want once", n)
	}
	if got := engineAPI(t, h).ClientVersion(); got != "1.41" {
		t.Errorf("speaks %s, want 1.41", got)
	}
}

// TestNegotiatesAnewAfterAnOutage: what comes back may be upgraded.
func TestNegotiatesAnewAfterAnOutage(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /containers/abc/json", fault(http.StatusNotFound, "no such container"))
	h := e.host()
	if got := engineAPI(t, h).ClientVersion(); got != "1.41" {
		t.Fatalf("speaks %s, want 1.41", got)
	}
	e.stop()
	_, err := h.inspect(t.Context(), "abc")
	wantCode(t, "inspect of a stopped engine", err, problem.HostUnreachable)
	e.mux = http.NewServeMux()
	e.on("HEAD /_ping", pong("1.44"))
	e.start()
	if got := engineAPI(t, h).ClientVersion(); got != "1.44" {
		t.Errorf("speaks %s after the upgrade, want 1.44", got)
	}
}

// TestProbeSeesASilentUpgrade: the engine changed between two calls, and no
// call failed.
func TestProbeSeesASilentUpgrade(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	h := e.host()
	before := engineAPI(t, h)
	mux := http.NewServeMux()
	mux.HandleFunc("HEAD /_ping", pong("1.45"))
	e.mu.Lock()
	e.mux = mux
	e.mu.Unlock()
	if _, err := h.Probe(t.Context()); err == nil {
		t.Fatal("an engine without /info was probed")
	}
	if after := engineAPI(t, h); after == before || after.ClientVersion() != "1.45" {
		t.Errorf("speaks %s after the upgrade, want 1.45", after.ClientVersion())
	}
}

func TestWhatAnswersIsNoEngine(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.mux = http.NewServeMux()
	e.on("/_ping", reply(http.StatusOK, "<html>"))
	_, err := e.host().Probe(t.Context())
	wantCode(t, "Probe of a web server", err, problem.EngineAPI)
}

// TestEnvironmentIsNotObeyed can't be parallel: it sets the environment.
func TestEnvironmentIsNotObeyed(t *testing.T) {
	t.Setenv("DOCKER_API_VERSION", "1.30")
	t.Setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	e := newEngine(t)
	h := e.host()
	if got := engineAPI(t, h).ClientVersion(); got != "1.41" {
		t.Errorf("speaks %s, want 1.41 whatever the environment says", got)
	}
	if h.transport.Proxy != nil {
		t.Error("the transport asks for a proxy")
	}
}
