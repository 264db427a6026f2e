package docker

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestMakeVolume(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, labels string
		want         problem.Code
	}{
		{"made or there", `{"prewarm.instance":"inst","scope":"daily"}`, ""},
		{"another instance's", `{"prewarm.instance":"other"}`, problem.EngineAPI},
		{"nobody's", `null`, problem.EngineAPI},
		{"our marker", `{"prewarm.instance":"inst","prewarm.marker":"M"}`, problem.EngineAPI},
	} {
		e := newEngine(t)
		e.on("POST /volumes/create", func(w http.ResponseWriter, r *http.Request) {
			var asked struct {
				Name   string
				Labels map[string]string
			}
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
				t.Error(err)
			}
			want := map[string]string{"scope": "daily", labelInstance: "inst"}
			if diff := cmp.Diff(want, asked.Labels); diff != "" || asked.Name != "v1" {
				t.Errorf("%q with labels (-want +got):\n%s", asked.Name, diff)
			}
			reply(http.StatusCreated, `{"Name":"v1","Labels":`+c.labels+`}`)(w, r)
		})
		given := map[string]string{"scope": "daily", labelInstance: "mine"}
		wantCode(t, c.name, e.host().MakeVolume(t.Context(), "v1", given), c.want)
		if given[labelInstance] != "mine" {
			t.Error("the caller's labels were changed")
		}
	}
}

func TestRemoveVolume(t *testing.T) {
	t.Parallel()
	ours := reply(http.StatusOK, `{"Name":"v1","Labels":{"prewarm.instance":"inst"}}`)
	gone := fault(http.StatusNotFound, "no such volume")
	for _, c := range []struct {
		name         string
		look, remove http.HandlerFunc
		want         problem.Code
	}{
		{"removed", ours, reply(http.StatusNoContent, ""), ""},
		{"gone", gone, nil, ""},
		{"gone meanwhile", ours, gone, ""},
		{"in use", ours, fault(http.StatusConflict, "remove v1: volume is in use"), problem.VolumeInUse},
		{"refused", ours, fault(http.StatusInternalServerError, "no"), problem.EngineAPI},
		{"another instance's", reply(http.StatusOK, `{"Name":"v1","Labels":{"prewarm.instance":"other"}}`), nil, problem.EngineAPI},
		{"our marker", reply(http.StatusOK, `{"Name":"v1","Labels":{"prewarm.instance":"inst","prewarm.marker":"M"}}`), nil, problem.EngineAPI},
		{"out of sight", hangUp, nil, problem.HostUnreachable},
	} {
		e := newEngine(t)
		e.on("GET /volumes/v1", c.look)
		e.on("DELETE /volumes/v1", func(w http.ResponseWriter, r *http.Request) {
			if c.remove == nil || r.URL.Query().Has("force") {
				t.Errorf("%s: it was removed, query %v", c.name, r.URL.Query())
				return
			}
			c.remove(w, r)
		})
		wantCode(t, c.name, e.host().RemoveVolume(t.Context(), "v1"), c.want)
	}
}
