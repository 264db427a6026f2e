package server_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func TestACheckIsTold(t *testing.T) {
	t.Parallel()
	pin := dockertest.Pin(repository, 1)
	for name, c := range map[string]struct {
		checked runner.Checked
		want    string
	}{
		"nothing is known": {runner.Checked{}, `{"image":"","hosts":[],"warm":[],"problems":[]}`},
		"it would start": {
			runner.Checked{Target: runner.Target{Image: "jobs", Track: "jobs:1.4", Pin: pin}, Hosts: []string{"a", "b"}, Warm: []string{"b"}},
			`{"image":"jobs","tag":"1.4","pin":"` + pin.String() + `","hosts":["a","b"],"warm":["b"],"problems":[]}`,
		},
		"a digest is tracked, not a tag": {
			runner.Checked{Target: runner.Target{Image: "jobs", Track: "jobs"}}, `{"image":"jobs","hosts":[],"warm":[],"problems":[]}`,
		},
		"it would be refused": {
			runner.Checked{Problems: []error{problem.New(problem.ImageNotManaged, "none;\nnearest: jobs", "add it"), problem.New(problem.NoHost, "no", "wait")}},
			`{"image":"","hosts":[],"warm":[],"problems":[{"code":"image_not_managed","detail":"none;; nearest: jobs","mend":"add it"},{"code":"no_host","detail":"no","mend":"wait"}]}`,
		},
	} {
		s := alone(t)
		s.runs.checked = c.checked
		r := s.request(http.MethodPost, "/v1/runs/check", `{"image":"jobs","key":"k","command":["ls"],"wait_warm":"5m"}`)
		if diff := cmp.Diff(c.want+"\n", string(r.body)); r.status != http.StatusOK || diff != "" {
			t.Errorf("%s: %d (-want +got):\n%s", name, r.status, diff)
		}
		if ask := s.runs.ask(); ask.Terms.Key != "k" || !cmp.Equal(ask.Spec.Command, []string{"ls"}) || ask.Terms.WaitWarm == 0 {
			t.Errorf("%s: asked %+v", name, ask)
		}
	}
}

func TestACheckRefusesWhatIsNoSubmit(t *testing.T) {
	t.Parallel()
	s := alone(t)
	for _, body := range []string{`{}`, `{"image":"jobs","comand":["ls"]}`, `{"image":"jobs","epoch":1}`} {
		s.request(http.MethodPost, "/v1/runs/check", body).problem(http.StatusUnprocessableEntity, problem.InvalidRequest)
	}
	s.request(http.MethodGet, "/v1/runs/check", "").problem(http.StatusNotFound, problem.RunNotFound) // no run has that id
}

// A fault of ours is told as one, as the submit would.
func TestACheckThatFailsIsNoAnswer(t *testing.T) {
	t.Parallel()
	s := alone(t)
	s.runs.checked = runner.Checked{Problems: []error{errors.New("out of order")}}
	s.request(http.MethodPost, "/v1/runs/check", `{"image":"jobs"}`).problem(http.StatusInternalServerError, problem.Internal)
}

// What the caller's token says of its submits holds for the check, too, and
// nothing of it is in the audit log: nothing was done.
func TestACheckIsUnderTheLimitsOfTheToken(t *testing.T) {
	t.Parallel()
	ci := holder("ci", access.Run)
	ci.Namespace, ci.Images, ci.Meta = "etl", []string{"etl-*"}, map[string]string{"customer": "acme"}
	l := newLocked(t, access.Setup{Tokens: []access.Token{ci, holder("root", access.Admin)}})
	l.runs.checked = runner.Checked{Problems: []error{problem.New(problem.NoHost, "no", "wait")}}
	var got api.RunCheck
	l.as("ci", http.MethodPost, "/v1/runs/check", `{"image":"jobs","meta":{"customer":"other"}}`).into(&got)
	if len(got.Problems) != 2 || got.Problems[0].Code != "not_allowed" || got.Problems[1].Code != "no_host" {
		t.Errorf("%+v", got.Problems)
	}
	if ask := l.runs.ask(); ask.Terms.Namespace != "etl" || !cmp.Equal(ask.Images, []string{"etl-*"}) {
		t.Errorf("asked %+v", ask)
	}
	var calls api.Calls
	l.as("root", http.MethodGet, "/v1/audit", "").into(&calls)
	if len(calls.Calls) != 0 {
		t.Errorf("written down: %+v", calls.Calls)
	}
}
