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
		e.on("GET /containers/c1/json", inspected(config1, stateRunning, ourLabels))
		e.on("POST /containers/c1/stop", func(w http.ResponseWriter, r *http.Request) {
			if got := r.URL.Query().Get("t"); got != want {
				t.Errorf("grace %s: asked for %s s, want %s", grace, got, want)
			}
			w.WriteHeader(http.StatusNoContent)
		})
		if ran, err := e.host().Stop(t.Context(), "c1", grace); err != nil || !ran {
			t.Errorf("Stop = %v, %v; want that it ran", ran, err)
		}
	}
}

func TestStopOfWhatIsOver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		look http.HandlerFunc
		stop int
		ran  bool
		want problem.Code
	}{
		{"ended", inspected(config1, stateExited, ourLabels), 0, false, ""},
		{"never started", inspected(config1, stateCreated, ourLabels), 0, false, ""},
		{"gone", fault(404, "no such container"), 0, false, ""},
		{"out of sight", hangUp, 0, false, problem.HostUnreachable},
		{"ended just now", inspected(config1, stateRunning, ourLabels), http.StatusNotModified, true, ""},
		{"gone just now", inspected(config1, stateRunning, ourLabels), http.StatusNotFound, true, ""},
		{"paused", inspected(config1, `{"Status":"paused","Running":true,"Paused":true}`, ourLabels), http.StatusNoContent, true, ""},
		{"refused", inspected(config1, stateRunning, ourLabels), http.StatusInternalServerError, true, problem.EngineAPI},
	} {
		e := newEngine(t)
		e.on("GET /containers/c1/json", c.look)
		e.on("POST /containers/c1/stop", func(w http.ResponseWriter, r *http.Request) {
			if c.stop < 400 {
				w.WriteHeader(c.stop)
				return
			}
			fault(c.stop, "it says no")(w, r)
		})
		ran, err := e.host().Stop(t.Context(), "c1", 0)
		wantCode(t, c.name, err, c.want)
		if asked := e.count("POST ") == 1; ran != c.ran || asked != (c.stop != 0) {
			t.Errorf("%s: ran %v, asked %v", c.name, ran, asked)
		}
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
		reply(http.StatusOK, `[{"Id":"c1","State":"running","Created":1700000000,"Labels":{"prewarm.run":"r1"}},
			{"Id":"c2","State":"exited","Labels":{"prewarm.run":"r2"}},{"Id":"c3","State":"paused","Labels":{"prewarm.run":"r3"}},
			{"Id":"c4","State":"created","Labels":{"prewarm.run":"r4"}},{"Id":"c5","State":"created","Labels":{"prewarm.run":"r5"}},
			{"Id":"c6","State":"created","Labels":{"prewarm.run":"r6"}}]`)(w, r)
	})
	e.on("GET /containers/c4/json", inspected(config1, stateCreated, ourLabels))
	e.on("GET /containers/c5/json", inspected(config1, stateFailed, ourLabels))
	e.on("GET /containers/c6/json", fault(404, "no such container"))
	got, err := e.host().Owned(t.Context())
	then := time.Unix(0, 0).UTC()
	want := []runner.Owned{
		{ID: "c1", Run: "r1", Running: true, Created: time.Unix(1700000000, 0).UTC()},
		{ID: "c2", Run: "r2", Created: then},
		{ID: "c3", Run: "r3", Running: true, Created: then},
		{ID: "c4", Run: "r4", Fresh: true, Created: then},
		{ID: "c5", Run: "r5", Created: then},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Owned: %v (-want +got):\n%s", err, diff)
	}
}
