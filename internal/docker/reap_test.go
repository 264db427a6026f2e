package docker

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func TestStopRoundsGraceUp(t *testing.T) {
	t.Parallel()
	for grace, want := range map[time.Duration]string{
		0: "0", -time.Second: "0", time.Millisecond: "1", time.Second: "1", 1500 * time.Millisecond: "2", time.Minute: "60",
	} {
		e := newEngine(t)
		e.on("POST /containers/c1/stop", func(w http.ResponseWriter, r *http.Request) {
			if got := r.URL.Query().Get("t"); got != want {
				t.Errorf("grace %s: asked for %s s, want %s", grace, got, want)
			}
			w.WriteHeader(http.StatusNoContent)
		})
		if err := e.host().Stop(t.Context(), "c1", grace); err != nil {
			t.Errorf("Stop: %v", err)
		}
	}
}

func TestStopOfWhatIsOver(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]problem.Code{
		http.StatusNotModified: "", http.StatusNotFound: "", http.StatusInternalServerError: problem.EngineAPI,
	} {
		e := newEngine(t)
		e.on("POST /containers/c1/stop", func(w http.ResponseWriter, r *http.Request) {
			if status == http.StatusNotModified {
				w.WriteHeader(status)
				return
			}
			fault(status, "it says no")(w, r)
		})
		wantCode(t, http.StatusText(status), e.host().Stop(t.Context(), "c1", 0), want)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	removing := `{"Status":"removing"}`
	for _, c := range []struct {
		name         string
		remove, look http.HandlerFunc
		want         problem.Code
	}{
		{"removed", reply(204, ""), nil, ""},
		{"gone", fault(404, "no such container"), nil, ""},
		{"being removed", fault(409, "removal of container c1 is already in progress"), inspected(config1, removing, ourLabels), ""},
		{"gone meanwhile", fault(409, "removal of container c1 is already in progress"), fault(404, "no such container"), ""},
		{"running", fault(409, "You cannot remove a running container"), inspected(config1, stateRunning, ourLabels), problem.EngineAPI},
	} {
		e := newEngine(t)
		e.on("DELETE /containers/c1", func(w http.ResponseWriter, r *http.Request) {
			if q := r.URL.Query(); q.Get("v") != "1" || q.Has("force") {
				t.Errorf("%s: asked for %v, want volumes and no force", c.name, q)
			}
			c.remove(w, r)
		})
		if c.look != nil {
			e.on("GET /containers/c1/json", c.look)
		}
		wantCode(t, c.name, e.host().Remove(t.Context(), "c1"), c.want)
	}
}

func TestOwned(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /containers/json", func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Label map[string]bool }
		if err := json.Unmarshal([]byte(r.URL.Query().Get("filters")), &asked); err != nil {
			t.Error(err)
		}
		if !asked.Label["prewarm.instance=inst"] || r.URL.Query().Get("all") != "1" {
			t.Errorf("asked for %v", r.URL.Query())
		}
		reply(http.StatusOK, `[{"Id":"c1","State":"running","Labels":{"prewarm.run":"r1"}},
			{"Id":"c2","State":"exited","Labels":{"prewarm.run":"r2"}},{"Id":"c3","State":"paused","Labels":{"prewarm.run":"r3"}}]`)(w, r)
	})
	got, err := e.host().Owned(t.Context())
	want := []runner.Owned{{ID: "c1", Run: "r1", Running: true}, {ID: "c2", Run: "r2"}, {ID: "c3", Run: "r3", Running: true}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Owned: %v (-want +got):\n%s", err, diff)
	}
}
