package docker

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestStartOnlyWhatNeverStarted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state string
		want  problem.Code
	}{
		{stateCreated, ""},
		{stateRunning, problem.StartFailed},
		{stateExited, problem.StartFailed},
		{stateFailed, problem.StartFailed},
	} {
		e := newEngine(t)
		e.on("GET /containers/c1/json", inspected(config1, c.state, ourLabels))
		e.on("POST /containers/c1/start", reply(http.StatusNoContent, ""))
		wantCode(t, c.state, e.host().Start(t.Context(), "c1"), c.want)
		if started := e.count("POST /containers/c1/start") == 1; started != (c.want == "") {
			t.Errorf("%s: started %v", c.state, started)
		}
	}
}

func TestStartTellsTheMend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status              int
		message, says, mend string
		want                problem.Code
	}{
		{400, `OCI runtime create failed: exec: "/program": executable file not found in $PATH: unknown`, `the command "/program" is not in the image`, "sh -c", problem.StartFailed},
		{500, `exec: "/program": stat /program: no such file or directory: unknown`, `the command "/program" is not in the image`, "sh -c", problem.StartFailed},
		{400, `exec: "/program": permission denied: unknown`, "can't be executed", "x bit", problem.StartFailed},
		{500, "unable to find user joe: no matching entries in passwd file", "no such user", "numbers", problem.StartFailed},
		{404, "network nope not found", "no such network", "docker network create", problem.StartFailed},
		{500, "write /var/lib/docker/x: no space left on device", "disk is full", "free space", problem.NoSpace},
		{500, "something else", "something else", "engine names", problem.StartFailed},
	} {
		e := newEngine(t)
		e.on("GET /containers/c1/json", inspected(config1, stateCreated, ourLabels))
		e.on("POST /containers/c1/start", fault(c.status, c.message))
		err := e.host().Start(t.Context(), "c1")
		wantCode(t, c.message, err, c.want)
		if p := problem.From(err); !strings.Contains(p.Error(), c.says) || !strings.Contains(p.Mend, c.mend) {
			t.Errorf("%s: got %q, mend %q; want %q, %q", c.message, p.Error(), p.Mend, c.says, c.mend)
		}
	}
}

func TestStartLooksAfterALostReply(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		looks []http.HandlerFunc // the first is before the start
		want  problem.Code
	}{
		{"it runs", []http.HandlerFunc{inspected(config1, stateCreated, ourLabels), inspected(config1, stateRunning, ourLabels)}, ""},
		{"it ran", []http.HandlerFunc{inspected(config1, stateCreated, ourLabels), inspected(config1, stateExited, ourLabels)}, problem.HostUnreachable},
		{"it runs, said a little later", []http.HandlerFunc{inspected(config1, stateCreated, ourLabels), hangUp, inspected(config1, stateCreated, ourLabels), inspected(config1, stateRunning, ourLabels)}, ""},
		{"it could not be started", []http.HandlerFunc{inspected(config1, stateCreated, ourLabels), inspected(config1, stateFailed, ourLabels)}, problem.StartFailed},
		{"it is gone", []http.HandlerFunc{inspected(config1, stateCreated, ourLabels), fault(404, "no such container")}, problem.HostUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			e.on("GET /containers/c1/json", sequence(c.looks...))
			e.on("POST /containers/c1/start", hangUp)
			wantCode(t, "Start", e.host().Start(t.Context(), "c1"), c.want)
			if n := e.count("POST /containers/c1/start"); n != 1 {
				t.Errorf("the start was sent %d times, want once", n)
			}
		})
	}
}

// TestStartThatNeverArrived: the container stays fresh, and the caller is told
// that the engine did not answer.
func TestStartThatNeverArrived(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /containers/c1/json", inspected(config1, stateCreated, ourLabels))
	e.on("POST /containers/c1/start", sequence(hangUp, reply(http.StatusNoContent, "")))
	h := e.host()
	wantCode(t, "Start", h.Start(t.Context(), "c1"), problem.HostUnreachable)
	wantCode(t, "Start again", h.Start(t.Context(), "c1"), "")
}
