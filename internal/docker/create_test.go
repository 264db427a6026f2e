package docker

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func containerOf(t *testing.T, s runner.Spec) runner.Container {
	t.Helper()
	s.Image = "jobs"
	return runner.Container{Name: "prewarm-r1", Run: "r1", Pin: pinA(t), Spec: s, Env: s.Env}
}

// warmEngine holds the image of containerOf.
func warmEngine(t *testing.T) *engine {
	t.Helper()
	e := newEngine(t)
	s := e.store()
	s.pulled.Store(true)
	return e
}

// container answers an inspect.
func inspected(image, state, labels string) http.HandlerFunc {
	return reply(http.StatusOK, fmt.Sprintf(
		`{"Id":"c1","Name":"/prewarm-r1","Path":"/program","Image":%q,"State":%s,"Config":{"Image":"jobs@x","Labels":%s}}`, image, state, labels))
}

const (
	stateCreated = `{"Status":"created","StartedAt":"0001-01-01T00:00:00Z","FinishedAt":"0001-01-01T00:00:00Z"}`
	stateRunning = `{"Status":"running","Running":true,"StartedAt":"2025-01-02T03:04:05.000000006Z","FinishedAt":"0001-01-01T00:00:00Z"}`
	stateExited  = `{"Status":"exited","ExitCode":3,"OOMKilled":true,"StartedAt":"2025-01-02T03:04:05.5Z","FinishedAt":"2025-01-02T03:04:05.4Z"}`
	stateFailed  = `{"Status":"created","ExitCode":127,"Error":"exec: \"/nope\": stat /nope: no such file or directory: unknown","StartedAt":"0001-01-01T00:00:00Z"}`
	ourLabels    = `{"prewarm.instance":"inst","prewarm.run":"r1","prewarm.digest":"` + digestA + `"}`
)

func TestCreateAsksForThis(t *testing.T) {
	t.Parallel()
	e := warmEngine(t)
	var asked map[string]any
	e.on("POST /containers/create", func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("name"); got != "prewarm-r1" {
			t.Errorf("name %q", got)
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		reply(http.StatusCreated, `{"Id":"c1"}`)(w, r)
	})
	e.on("GET /containers/c1/json", inspected(config1, stateCreated, ourLabels))
	e.on("GET /networks/bridge", reply(http.StatusOK, `{"Id":"life1"}`))
	made, err := e.host().Create(t.Context(), containerOf(t, runner.Spec{
		Entrypoint: []string{"node"}, Env: []string{"A=1"}, Network: "none", User: "1000", Workdir: "/w", Memory: 1 << 30, NanoCPUs: 1.5e9,
	}))
	if want := (runner.Created{ID: "c1", Life: "life1", Version: "20.10.24"}); err != nil || made != want {
		t.Fatalf("Create = %+v, %v; want %+v", made, err, want)
	}
	host, ok := asked["HostConfig"].(map[string]any)
	if !ok {
		t.Fatalf("no HostConfig in %v", asked)
	}
	pick := func(from map[string]any, names ...string) map[string]any {
		got := map[string]any{}
		for _, n := range names {
			got[n] = from[n]
		}
		return got
	}
	want := map[string]any{
		"Image": "reg.test/etl/jobs@" + digestA, "Entrypoint": []any{"node"}, "Cmd": nil, "Env": []any{"A=1"},
		"User": "1000", "WorkingDir": "/w", "Tty": false,
		"Labels": map[string]any{"prewarm.instance": "inst", "prewarm.run": "r1", "prewarm.image": "jobs", "prewarm.digest": digestA},
	}
	if diff := cmp.Diff(want, pick(asked, "Image", "Entrypoint", "Cmd", "Env", "User", "WorkingDir", "Tty", "Labels")); diff != "" {
		t.Errorf("Config (-want +got):\n%s", diff)
	}
	want = map[string]any{
		"AutoRemove": false, "NetworkMode": "none", "Memory": 1073741824.0, "NanoCpus": 1.5e9,
		"RestartPolicy": map[string]any{"Name": "no", "MaximumRetryCount": 0.0},
		"LogConfig":     map[string]any{"Type": "json-file", "Config": map[string]any{"max-size": "4g", "max-file": "2", "mode": "blocking"}},
	}
	if diff := cmp.Diff(want, pick(host, "AutoRemove", "NetworkMode", "Memory", "NanoCpus", "RestartPolicy", "LogConfig")); diff != "" {
		t.Errorf("HostConfig (-want +got):\n%s", diff)
	}
}

func TestCreateFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status  int
		message string
		want    problem.Code
	}{
		{http.StatusNotFound, "No such image: jobs@sha256:aa", problem.ImageLost},
		{http.StatusNotFound, "content digest sha256:aa: not found", problem.ImageLost},
		{http.StatusInternalServerError, "content digest sha256:aa: not found", problem.ImageLost},
		{http.StatusInternalServerError, "parent snapshot sha256:aa does not exist: not found", problem.ImageLost},
		{http.StatusInternalServerError, "mkdir /var/lib/docker/overlay2/x: no space left on device", problem.NoSpace},
		{http.StatusBadRequest, "Minimum memory limit allowed is 6MB", problem.StartFailed},
		{http.StatusNotFound, "network nope not found", problem.StartFailed},
		{http.StatusInternalServerError, "something else", problem.EngineAPI},
	} {
		e := warmEngine(t)
		e.on("POST /containers/create", fault(c.status, c.message))
		h := e.host()
		_, err := h.Create(t.Context(), containerOf(t, runner.Spec{}))
		wantCode(t, c.message, err, c.want)
		if _, known := h.current().imageID(pinA(t)); known == (c.want == problem.ImageLost) {
			t.Errorf("%s: the image is remembered as verified: %v", c.message, known)
		}
	}
}

// TestCreateComparesTheImage: between the check and the create someone put
// another image in its place.
func TestCreateComparesTheImage(t *testing.T) {
	t.Parallel()
	e := warmEngine(t)
	e.on("POST /containers/create", reply(http.StatusCreated, `{"Id":"c1"}`))
	e.on("GET /containers/c1/json", inspected(config2, stateCreated, ourLabels))
	e.on("DELETE /containers/c1", reply(http.StatusNoContent, ""))
	_, err := e.host().Create(t.Context(), containerOf(t, runner.Spec{}))
	wantCode(t, "Create", err, problem.ImageLost)
	if n := e.count("DELETE /containers/c1"); n != 1 {
		t.Errorf("the container was removed %d times, want once", n)
	}
}

func TestCreateAdoptsItsOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, state, labels string
		want                problem.Code // empty: adopted
	}{
		{"created", stateCreated, ourLabels, ""},
		{"running", stateRunning, ourLabels, problem.EngineAPI},
		{"ended", stateExited, ourLabels, problem.EngineAPI},
		{"start failed", stateFailed, ourLabels, problem.EngineAPI},
		{"another run's", stateCreated, `{"prewarm.instance":"inst","prewarm.run":"r2","prewarm.digest":"` + digestA + `"}`, problem.EngineAPI},
		{"another instance's", stateCreated, `{"prewarm.instance":"other","prewarm.run":"r1","prewarm.digest":"` + digestA + `"}`, problem.EngineAPI},
		{"another digest's", stateCreated, `{"prewarm.instance":"inst","prewarm.run":"r1","prewarm.digest":"` + digestB + `"}`, problem.EngineAPI},
		{"a stranger's", stateCreated, `null`, problem.EngineAPI},
	} {
		e := warmEngine(t)
		e.on("POST /containers/create", fault(http.StatusConflict, `Conflict. The container name "/prewarm-r1" is already in use`))
		e.on("GET /containers/prewarm-r1/json", inspected(config1, c.state, c.labels))
		e.on("GET /containers/c1/json", inspected(config1, c.state, c.labels))
		made, err := e.host().Create(t.Context(), containerOf(t, runner.Spec{}))
		wantCode(t, c.name, err, c.want)
		if (made.ID == "c1") != (c.want == "") {
			t.Errorf("%s: got %+v", c.name, made)
		}
	}
}

// TestCreateWithoutALife: an engine without a default network makes containers
// all the same.
func TestCreateWithoutALife(t *testing.T) {
	t.Parallel()
	e := warmEngine(t)
	e.on("POST /containers/create", reply(http.StatusCreated, `{"Id":"c1"}`))
	e.on("GET /containers/c1/json", inspected(config1, stateCreated, ourLabels))
	e.on("GET /networks/bridge", fault(http.StatusNotFound, "no such network"))
	made, err := e.host().Create(t.Context(), containerOf(t, runner.Spec{}))
	if want := (runner.Created{ID: "c1", Version: "20.10.24"}); err != nil || made != want {
		t.Errorf("Create = %+v, %v; want %+v", made, err, want)
	}
}

// TestCreateWithoutAnAnswerAboutTheLife: the container stays, and the next call
// gives it.
func TestCreateWithoutAnAnswerAboutTheLife(t *testing.T) {
	t.Parallel()
	e := warmEngine(t)
	e.on("POST /containers/create", sequence(reply(http.StatusCreated, `{"Id":"c1"}`), fault(http.StatusConflict, "the name is in use")))
	e.on("GET /containers/c1/json", inspected(config1, stateCreated, ourLabels))
	e.on("GET /containers/prewarm-r1/json", inspected(config1, stateCreated, ourLabels))
	var answers atomic.Bool // the client itself asks again where a pooled connection breaks
	e.on("GET /networks/bridge", func(w http.ResponseWriter, r *http.Request) {
		if !answers.Load() {
			hangUp(w, r)
			return
		}
		reply(http.StatusOK, `{"Id":"life1"}`)(w, r)
	})
	h := e.host()
	_, err := h.Create(t.Context(), containerOf(t, runner.Spec{}))
	wantCode(t, "Create", err, problem.HostUnreachable)
	answers.Store(true)
	made, err := h.Create(t.Context(), containerOf(t, runner.Spec{}))
	if err != nil || made.ID != "c1" || made.Life != "life1" {
		t.Errorf("Create again = %+v, %v", made, err)
	}
}

// TestWarmStartIsShort: what a run waits for is three round trips.
func TestWarmStartIsShort(t *testing.T) {
	t.Parallel()
	e := warmEngine(t)
	e.on("POST /containers/create", reply(http.StatusCreated, `{"Id":"c1"}`))
	e.on("GET /containers/c1/json", inspected(config1, stateCreated, ourLabels))
	e.on("POST /containers/c1/start", reply(http.StatusNoContent, ""))
	h := e.host()
	if _, ok, err := h.Inspect(t.Context(), pinA(t)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	e.on("GET /networks/bridge", reply(http.StatusOK, `{"Id":"life1"}`))
	before := e.count("") - e.count("GET /info")
	made, err := h.Create(t.Context(), containerOf(t, runner.Spec{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	// The engine's life is read beside the create.
	if n := e.count("") - e.count("GET /networks/") - e.count("GET /info") - before; n != 3 {
		t.Errorf("create and start took %d calls, want 3: %q", n, e.seen)
	}
}
