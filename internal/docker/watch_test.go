package docker

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /events", func(w http.ResponseWriter, r *http.Request) {
		const want = `{"event":{"delete":true,"prune":true,"untag":true},"type":{"image":true}}`
		if got := r.URL.Query().Get("filters"); got != want {
			t.Errorf("filters %s, want %s", got, want)
		}
		for range 3 {
			_, _ = io.WriteString(w, `{"Type":"image","Action":"untag"}`+"\n")
		}
		_ = http.NewResponseController(w).Flush()
	})
	lost := 0
	err := e.host().Watch(t.Context(), func() { lost++ })
	wantCode(t, "Watch of an engine that stops telling", err, problem.HostUnreachable)
	if lost != 3 {
		t.Errorf("told %d times, want 3", lost)
	}
}

func TestWatchOfAnEngineThatRefuses(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /events", fault(http.StatusForbidden, "not here"))
	wantCode(t, "Watch", e.host().Watch(t.Context(), func() {}), problem.EngineAPI)
}

func TestWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /events", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	within(t, 5*time.Second, func() {
		if err := e.host().Watch(ctx, func() {}); err != nil {
			t.Errorf("Watch = %v, want nil", err)
		}
	})
	e.stop()
	if err := e.host().Watch(ctx, func() {}); err != nil {
		t.Errorf("Watch of nobody = %v, want nil at the end of its context", err)
	}
}
