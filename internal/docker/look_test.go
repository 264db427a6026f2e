package docker

import (
	"net/http"
	"slices"
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func TestLook(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		look http.HandlerFunc
		want runner.Look
		code problem.Code
	}{
		{"created", inspected(config1, stateCreated, ourLabels), runner.Look{ID: "c1", Fresh: true, Life: "a"}, ""},
		{"running", inspected(config1, stateRunning, ourLabels), runner.Look{ID: "c1", Running: true, Life: "a"}, ""},
		{"paused", inspected(config1, `{"Status":"paused","Running":true,"StartedAt":"2025-01-02T03:04:05Z"}`, ourLabels), runner.Look{ID: "c1", Running: true, Life: "a"}, ""},
		{"ended", inspected(config1, stateExited, ourLabels), runner.Look{ID: "c1", Life: "a"}, ""},
		{"ended with an error", inspected(config1, `{"Status":"exited","Error":"oh","StartedAt":"2025-01-02T03:04:05Z"}`, ourLabels), runner.Look{ID: "c1", Life: "a"}, ""},
		{"could not be started", inspected(config1, stateFailed, ourLabels), runner.Look{ID: "c1", Failed: `exec: "/nope": stat /nope: no such file or directory: unknown`, Life: "a"}, ""},
		{"being removed", inspected(config1, `{"Status":"removing"}`, ourLabels), runner.Look{}, problem.ContainerLost},
		{"gone", fault(404, "no such container"), runner.Look{}, problem.ContainerLost},
		{"another instance's", inspected(config1, stateRunning, `{"prewarm.instance":"other"}`), runner.Look{}, problem.ContainerLost},
		{"out of sight", hangUp, runner.Look{}, problem.HostUnreachable},
	} {
		e := newEngine(t)
		e.on("GET /networks/bridge", reply(http.StatusOK, `{"Id":"a"}`))
		e.on("GET /containers/prewarm-r1/json", c.look)
		got, err := e.host().Look(t.Context(), "prewarm-r1")
		wantCode(t, c.name, err, c.code)
		if got != c.want {
			t.Errorf("%s: Look = %+v, want %+v", c.name, got, c.want)
		}
	}
}

// TestLookReadsTheLifeFirst: a restart between the two calls must not pass for
// the life in which the container was seen.
func TestLookReadsTheLifeFirst(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /networks/bridge", reply(http.StatusOK, `{"Id":"a"}`))
	e.on("GET /containers/c1/json", inspected(config1, stateRunning, ourLabels))
	if _, err := e.host().Look(t.Context(), "c1"); err != nil {
		t.Fatal(err)
	}
	if life, look := slices.Index(e.seen, "GET /networks/bridge"), slices.Index(e.seen, "GET /containers/c1/json"); life > look {
		t.Errorf("calls %q: the life was read after the look", e.seen)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /containers/c1/json", reply(http.StatusOK, `{"Id":"c1","State":{"Status":"running"},"Config":{"Env":["A=1","B=x=y","A=2","EMPTY="]}}`))
	got, err := e.host().Secrets(t.Context(), "c1", []string{"B", "NOSUCH", "A", "EMPTY"})
	if err != nil || !slices.Equal(got, []string{"x=y", "", "2", ""}) {
		t.Errorf("Secrets = %q, %v", got, err)
	}
	e.on("GET /containers/c2/json", fault(404, "no such container"))
	_, err = e.host().Secrets(t.Context(), "c2", []string{"A"})
	wantCode(t, "Secrets of a container that is gone", err, problem.ContainerLost)
}
