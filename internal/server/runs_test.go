package server_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

// alone serves runs without any images.
func alone(t testing.TB) *scene {
	t.Helper()
	r := newRuns()
	url, stop := serve(t, serverOf(r))
	return &scene{t: t, runs: r, url: url, client: clientOf(t, url), stop: stop}
}

func TestASubmitIsAnswered(t *testing.T) {
	t.Parallel()
	s := alone(t)
	submit := func() (*response, api.Submitted) {
		r := s.request(http.MethodPost, "/v1/runs", `{"image":"jobs","command":["ls"]}`, "Idempotency-Key", "once")
		var run api.Submitted
		r.into(&run)
		return r, run
	}
	r, run := submit()
	if r.status != http.StatusCreated || r.header.Get("Location") != "/v1/runs/run-01" || run.ID != "run-01" || run.Joined || run.Scope != "new" || run.State != "queued" {
		t.Errorf("%d %v %+v", r.status, r.header, run)
	}
	if r, run = submit(); r.status != http.StatusOK || r.header.Get("Location") != "/v1/runs/run-01" || !run.Joined || run.Scope != "existing" || !cmp.Equal(run.Differs, []string{"command"}) {
		t.Errorf("%d %v %+v", r.status, r.header, run)
	}
	p := s.request(http.MethodPost, "/v1/runs", `{"image":"jobs"}`, "Idempotency-Key", "a\tb").problem(http.StatusUnprocessableEntity, problem.InvalidRequest)
	if p.Detail != `idempotency-key: it has a control character (got "a\tb")` {
		t.Errorf("%+v", p)
	}
}

// Every field that a run can have, told.
func TestARunIsToldWhole(t *testing.T) {
	t.Parallel()
	s := alone(t)
	at := func(seconds int64) time.Time { return time.Unix(1_700_000_000+seconds, 0).UTC() }
	since := func(seconds int64) *time.Time { t := at(seconds); return &t }
	pin, code := dockertest.Pin(repository, 1), 137
	s.runs.add(runner.Run{
		ID: "1", Asked: runner.Spec{Image: "jobs:latest"}, Spec: runner.Spec{Image: "jobs:latest", Command: []string{"ls"}, Env: []string{"A=b"}},
		Terms: runner.Terms{
			Key: "k", Epoch: 2, Scope: "s", Group: "g", Priority: 3, Meta: map[string]string{"owner": "ada"}, Limit: time.Hour,
			Try: 1, Tries: 2, SkipExitCodes: []int{99},
		},
		Image: "jobs", Pin: pin, After: "0", SameAs: "00", Rejected: true, Host: "a", EngineVersion: "29.1", ContainerID: "c",
		State: runner.Failed, Reason: problem.OutOfMemory, Detail: "killed", Stop: runner.Stop{Why: runner.StopCancel, At: at(9)}, Owed: true,
		Unreachable: at(7), Unattended: at(8), Waiting: "a slot", ExitCode: code, Exited: true, Signal: 9, OOMKilled: true, Result: []byte(`{"rows":[1]}`),
		Log:       runner.LogState{Lines: 1, Bytes: 2, Complete: true, Gap: "cut", Removed: true},
		Submitted: at(0), Placed: at(1), Started: at(3), FirstLine: at(4), Ended: at(10),
	})
	var got api.Run
	s.request(http.MethodGet, "/v1/runs/1", "").into(&got)
	want := api.Run{
		ID: "1", State: "failed", Ended: true, Image: "jobs", Asked: "jobs:latest", Pin: pin.String(), Command: []string{"ls"},
		Key: "k", Epoch: 2, PinScope: "s", Group: "g", Priority: 3, Meta: map[string]string{"owner": "ada"}, Try: 1, Tries: 2, Skips: []int{99}, After: "0", SameAs: "00", Rejected: true,
		Waiting: "a slot", Host: "a", Engine: "29.1", Container: "c", ExitCode: &code, Signal: 9, OOMKilled: true, Reason: "out_of_memory", Detail: "killed",
		Result: []byte(`{"rows":[1]}`), Stop: "cancel", StopOwed: true, Unreachable: since(7), Unattended: since(8), Deadline: since(3600),
		Log:         api.RunLog{Lines: 1, Bytes: 2, Complete: true, Gap: "cut", Removed: true},
		SubmittedAt: at(0), PlacedAt: since(1), StartedAt: since(3), FirstLineAt: since(4), EndedAt: since(10),
		QueueSeconds: 1, StartSeconds: 2, RunSeconds: 7,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTimings(t *testing.T) {
	t.Parallel()
	s := alone(t)
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	for _, c := range []struct {
		run                runner.Run
		queue, start, run2 float64 // at least, and less than a minute more
	}{
		{runner.Run{ID: "queued", State: runner.Queued, Submitted: ago(time.Hour)}, 3600, 0, 0},
		{runner.Run{ID: "placed", State: runner.Placed, Submitted: ago(time.Hour), Placed: ago(2 * time.Minute)}, 3480, 120, 0},
		{runner.Run{ID: "running", State: runner.Running, Submitted: ago(time.Hour), Placed: ago(time.Hour), Started: ago(time.Hour)}, 0, 0, 3600},
		{runner.Run{ID: "refused", State: runner.Refused, Submitted: ago(time.Hour), Ended: ago(time.Hour - time.Minute)}, 60, 0, 0},
		{runner.Run{ID: "clock", State: runner.Queued, Submitted: time.Now().Add(time.Hour)}, 0, 0, 0}, // set back meanwhile
	} {
		s.runs.add(c.run)
		var got api.Run
		s.request(http.MethodGet, "/v1/runs/"+c.run.ID, "").into(&got)
		for i, pair := range [][2]float64{{c.queue, got.QueueSeconds}, {c.start, got.StartSeconds}, {c.run2, got.RunSeconds}} {
			if pair[1] < pair[0] || pair[1] > pair[0]+60 || pair[0] == 0 && pair[1] > 1 {
				t.Errorf("%s: timing %d is %g s, want %g", c.run.ID, i, pair[1], pair[0])
			}
		}
	}
}

func TestRunsArePagedAndFiltered(t *testing.T) {
	t.Parallel()
	s := alone(t)
	for n := range 5 {
		s.runs.add(runner.Run{ID: fmt.Sprintf("run-%d", n), Image: "jobs", State: runner.Running, Submitted: time.Now()})
	}
	var seen []string
	pages, before := 0, ""
	for {
		var page api.Runs
		s.request(http.MethodGet, "/v1/runs?limit=2&before="+before, "").into(&page)
		for _, run := range page.Runs {
			seen = append(seen, run.ID)
		}
		pages++
		if before = page.Next; before == "" {
			break
		}
	}
	if want := []string{"run-4", "run-3", "run-2", "run-1", "run-0"}; !cmp.Equal(seen, want) || pages != 3 {
		t.Errorf("%d pages: %q", pages, seen)
	}
	s.request(http.MethodGet, "/v1/runs?state=running&state=timed_out&active=true&image=jobs&host=a&key=etl%2Fx%3D1&scope=etl%2Fy&limit=7&before=run-9", "").into(new(api.Runs))
	want := runner.Filter{
		Limit: 8, Before: "run-9", States: []runner.State{runner.Running, runner.TimedOut}, Active: true, Image: "jobs", Host: "a", Key: "etl/x=1", Scope: "etl/y",
	}
	if diff := cmp.Diff(want, s.runs.filter); diff != "" {
		t.Errorf("filter (-want +got):\n%s", diff)
	}
	var none api.Runs
	s.request(http.MethodGet, "/v1/runs?before=run-0", "").into(&none)
	if none.Runs == nil || len(none.Runs) != 0 || none.Next != "" {
		t.Errorf("%+v", none)
	}
}

func TestAWaitEndsWithTheRunOrItsTime(t *testing.T) {
	t.Parallel()
	s := alone(t)
	s.runs.add(runner.Run{ID: "1", State: runner.Running, Submitted: time.Now()})
	var run api.Run
	begun := time.Now()
	s.request(http.MethodGet, "/v1/runs/1/wait?timeout=1", "").into(&run)
	if took := time.Since(begun); run.Ended || took < time.Second || took > 20*time.Second {
		t.Errorf("a wait of a second took %s and answered %s", took, run.State)
	}
	time.AfterFunc(50*time.Millisecond, func() { s.runs.end("1", runner.Succeeded) })
	s.request(http.MethodGet, "/v1/runs/1/wait", "").into(&run)
	if !run.Ended || run.State != "succeeded" {
		t.Errorf("%+v", run)
	}
}

func TestWhatCanBeDoneToARun(t *testing.T) {
	t.Parallel()
	s := alone(t)
	s.runs.add(runner.Run{ID: "1", State: runner.Running, Submitted: time.Now()})
	do := func(verb string, status int) (run api.Run) {
		t.Helper()
		r := s.request(http.MethodPost, "/v1/runs/1/"+verb, "")
		if r.into(&run); r.status != status {
			t.Errorf("%s: status %d", verb, r.status)
		}
		return run
	}
	for range 2 { // once more is no mistake
		if run := do("cancel", http.StatusAccepted); run.State != "canceling" || run.Stop != "cancel" {
			t.Errorf("%+v", run)
		}
	}
	s.runs.end("1", runner.Succeeded)
	if run := do("reject", http.StatusOK); !run.Rejected {
		t.Errorf("%+v", run)
	}
	if p := s.request(http.MethodPost, "/v1/runs/1/release", "").problem(http.StatusConflict, problem.NotReleasable); p.Mend == "" {
		t.Errorf("%+v", p)
	}
	s.runs.add(runner.Run{ID: "2", State: runner.Lost, Owed: true, Submitted: time.Now()})
	var lost api.Run
	s.request(http.MethodPost, "/v1/runs/2/release", "").into(&lost)
	if lost.ID != "2" {
		t.Errorf("%+v", lost)
	}
}

func TestAFullQueueSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	full := problem.New(problem.QueueFull, "1000 runs wait already", "submit again later")
	full.RetryAfter = 10 * time.Second
	url, _ := serve(t, over(stub{err: full}))
	r := call(t, clientOf(t, url), http.MethodPost, url+"/v1/runs", `{"image":"jobs"}`)
	if p := r.problem(http.StatusTooManyRequests, problem.QueueFull); p.RetryAfter != 10 || r.header.Get("Retry-After") != "10" {
		t.Errorf("%+v %v", p, r.header)
	}
}

// Names that are no segment of a path as they are.
func TestScopesMayBeCalledAnything(t *testing.T) {
	t.Parallel()
	s := alone(t)
	pin := dockertest.Pin(repository, 1)
	for _, name := range []string{
		"etl/manual__2026-11-22T00:00:00+00:00", "a/b/c", "//", "/a", "..", ".", "a//b", "a/../b", "%2F", "100 %", "?x=1#y", "é 😀", "a;b,c", "trailing/", "repin", "x/repin",
	} {
		s.runs.scopes = []runner.Scope{{
			Namespace: "default", Name: name, Host: "a", Volume: "prewarm-v", Keep: true, Created: time.Unix(1, 0), Used: time.Unix(2, 0),
			Pins: []runner.ScopePin{{Track: "jobs", Image: "jobs", Pin: pin, Since: time.Unix(1, 0)}},
		}}
		got, err := s.client.Scope(t.Context(), name)
		if err != nil || got.Name != name || !got.Live || got.Host != "a" || got.Volume != "prewarm-v" || !got.Kept || len(got.Pins) != 1 || got.Pins[0].Pin != pin.String() || got.Pins[0].Image != "jobs" {
			t.Errorf("%q: %+v %v", name, got, err)
		}
		moved, err := s.client.Repin(t.Context(), name, "jobs")
		if err != nil || moved.Scope.Name != name || moved.New != pin.String() || moved.Old != pin.String() {
			t.Errorf("%q: %+v %v", name, moved, err)
		}
		over, err := s.client.EndScope(t.Context(), name)
		if err != nil || over.Name != name || over.Live || over.Ended == nil {
			t.Errorf("%q: %+v %v", name, over, err)
		}
	}
	all, err := s.client.Scopes(t.Context())
	if err != nil || len(all.Scopes) != 1 {
		t.Errorf("%+v %v", all, err)
	}
	_, err = s.client.Repin(t.Context(), "repin", "jobs")
	if problem.CodeOf(err) != problem.ScopeNotFound {
		t.Errorf("%v", err)
	}
	s.runs.scopes = nil
	if r := s.request(http.MethodGet, "/v1/scopes", ""); string(r.body) != "{\"scopes\":[]}\n" {
		t.Errorf("%s", r.body)
	}
}

func TestAScopeOfAnotherImage(t *testing.T) {
	t.Parallel()
	s := alone(t)
	s.runs.scopes = []runner.Scope{{Name: "s", Pins: []runner.ScopePin{{Pin: registry.Pin{}}}}}
	_, err := s.client.Repin(t.Context(), "s", "nope")
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != problem.ImageNotManaged {
		t.Errorf("%v", err)
	}
}
