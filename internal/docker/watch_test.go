package docker

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/warmer"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /events", func(w http.ResponseWriter, r *http.Request) {
		const want = `{"event":{"delete":true,"prune":true,"start":true,"untag":true},"type":{"container":true,"image":true}}`
		if got := r.URL.Query().Get("filters"); got != want {
			t.Errorf("filters %s, want %s", got, want)
		}
		for _, m := range []string{
			`{"Type":"image","Action":"untag","time":1700000000,"timeNano":1700000000000000001}`,
			`{"Type":"image","Action":"delete","time":1700000000}`,
			`{"Type":"image","Action":"prune"}`,
			`{"Type":"container","Action":"prune"}`, // of containers
			`{"Type":"container","Action":"start","Actor":{"ID":"c1"}}`,
			`{"Type":"container","Action":"start","Actor":{"ID":"c1","Attributes":{"image":"node:22"}},"time":1700000001}`,
		} {
			_, _ = io.WriteString(w, m+"\n")
		}
		_ = http.NewResponseController(w).Flush()
	})
	var told []warmer.Happening
	err := e.host().Watch(t.Context(), func(h warmer.Happening) { told = append(told, h) })
	wantCode(t, "Watch of an engine that stops telling", err, problem.HostUnreachable)
	want := []warmer.Happening{
		{Removed: true, At: time.Unix(1700000000, 1).UTC()},
		{Removed: true, At: time.Unix(1700000000, 0).UTC()},
		{Removed: true, At: time.Unix(0, 0).UTC()},
		{Used: "node:22", At: time.Unix(1700000001, 0).UTC()},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestWatchOfAnEngineThatRefuses(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /events", fault(http.StatusForbidden, "not here"))
	wantCode(t, "Watch", e.host().Watch(t.Context(), func(warmer.Happening) {}), problem.EngineAPI)
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
		if err := e.host().Watch(ctx, func(warmer.Happening) {}); err != nil {
			t.Errorf("Watch = %v, want nil", err)
		}
	})
	e.stop()
	if err := e.host().Watch(ctx, func(warmer.Happening) {}); err != nil {
		t.Errorf("Watch of nobody = %v, want nil at the end of its context", err)
	}
}
