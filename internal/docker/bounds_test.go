package docker

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/warmer"
)

// An engine that a stranger has taken over can say what it likes; the server's
// memory is not its to fill.
func TestAnswersThatAreTooLong(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	pad := strings.Repeat("x", 1<<20)
	long := func(before, after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_, err := io.WriteString(w, before)
			for n := 0; n < maxAnswer+2<<20 && err == nil; n += len(pad) {
				_, err = io.WriteString(w, pad)
			}
			_, _ = io.WriteString(w, after)
		}
	}
	e.on("GET /images/{name...}", long(`{"Id":"`, `"}`))
	e.on("GET /events", long(`{"Type":"image","Action":"`, `"}`+"\n"))
	e.on("POST /images/create", long(`{"id":"l1","status":"`, `"}`+"\n"))
	h := e.host()
	_, err := h.imageInspect(t.Context(), "x")
	wantCode(t, "inspect", err, problem.EngineAPI)
	wantCode(t, "Watch", h.Watch(t.Context(), func(warmer.Happening) {}), problem.EngineAPI)
	wantCode(t, "pull", h.pull(t.Context(), pinA(t), func(warmer.Progress) {}), problem.EngineAPI)
}

// A stream is as long as it takes.
func TestStreamsOfManyMessages(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("POST /images/create", func(w http.ResponseWriter, _ *http.Request) {
		for n := range 30_000 {
			_, _ = fmt.Fprintf(w, `{"id":"l1","status":"Downloading","progressDetail":{"current":%d,"total":40000}}`+"\r\n", n+1)
		}
	})
	n := 0
	if err := e.host().pull(t.Context(), pinA(t), func(warmer.Progress) { n++ }); err != nil || n != 30_000 {
		t.Errorf("%d messages, %v", n, err)
	}
}

func TestLayersThatAreTooMany(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	for n := range 2 * maxLayers {
		_, _ = fmt.Fprintf(&said, `{"id":"l%d","status":"Pulling fs layer"}`+"\n", n)
	}
	_, _ = fmt.Fprintf(&said, `{"id":%q,"status":"Pulling fs layer"}`+"\n", strings.Repeat("x", 2*maxLayerID))
	var last warmer.Progress
	if err := followPull(strings.NewReader(said.String()), func(p warmer.Progress, _ bool) { last = p }); err != nil || last.Layers != maxLayers {
		t.Errorf("%+v, %v", last, err)
	}
}
