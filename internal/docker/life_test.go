package docker

import (
	"net/http"
	"testing"
)

// TestRestartRightAfterTheStart: the engine is restarted between the answer to a
// start and the wait, which then finds a container that has ended.
func TestRestartRightAfterTheStart(t *testing.T) {
	t.Parallel()
	for _, restarted := range []bool{false, true} {
		e := newEngine(t)
		lives := make(chan struct{}, 1)
		network := func(id string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				reply(http.StatusOK, `{"Id":"`+id+`"}`)(w, r)
				select {
				case lives <- struct{}{}:
				default:
				}
			}
		}
		later := "first"
		if restarted {
			later = "second"
		}
		e.on("GET /networks/bridge", sequence(network("first"), network(later)))
		e.on("GET /containers/c1/json", sequence(
			reply(http.StatusOK, `{"Id":"c1","Config":{},"State":{"Status":"created","StartedAt":"0001-01-01T00:00:00Z"}}`),
			reply(http.StatusOK, `{"Id":"c1","Config":{},"State":{"Status":"exited","ExitCode":137,"StartedAt":"2026-11-22T10:00:00Z","FinishedAt":"2026-11-22T10:00:01Z"}}`),
		))
		e.on("POST /containers/c1/start", func(w http.ResponseWriter, _ *http.Request) {
			<-lives // the life is read beside the start
			w.WriteHeader(http.StatusNoContent)
		})
		e.on("POST /containers/c1/wait", reply(http.StatusOK, `{"StatusCode":137}`))
		h := e.host()
		if err := h.Start(t.Context(), "c1"); err != nil {
			t.Fatal(err)
		}
		if exit, err := h.Wait(t.Context(), "c1"); err != nil || exit.Unwitnessed != restarted {
			t.Errorf("Wait = %+v, %v; want unwitnessed: %v", exit, err, restarted)
		}
	}
}
