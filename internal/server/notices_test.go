package server_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
)

// teller is who tells people, as a test says.
type teller struct {
	all   []server.Notice
	asked []any
	err   error
}

func (t *teller) Notices(_ context.Context, route string, limit int) ([]server.Notice, error) {
	t.asked = append(t.asked, route, limit)
	return t.all, t.err
}

func (t *teller) TryRoute(_ context.Context, route, kind string, send bool) ([]server.NoticeSample, error) {
	t.asked = append(t.asked, route, kind, send)
	if t.err != nil {
		return nil, t.err
	}
	return []server.NoticeSample{{Kind: "run_failed", Title: "a title", Text: "a text", Sent: send}}, nil
}

func askingTeller(t *testing.T, o server.Notices) func(method, path, body string) *response {
	t.Helper()
	url, _ := serve(t, server.Options{Images: &pruner{}, Runs: stub{}, Notices: o})
	client := clientOf(t, url)
	return func(method, path, body string) *response {
		t.Helper()
		return call(t, client, method, url+path, body)
	}
}

func TestNoticesAreListed(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 7, 0, 0, 0, time.UTC)
	later := at.Add(time.Hour)
	told := &teller{all: []server.Notice{
		{ID: "2", Route: "r", Title: "t", Kinds: []string{"host_down"}, Events: 3, State: "failed", Tries: 2, Error: "no", Made: at, Due: later},
		{ID: "1", Route: "r", State: "sent", Tries: 1, Made: at, Due: at, Done: later},
	}}
	ask := askingTeller(t, told)
	var got api.Notices
	ask(http.MethodGet, "/v1/notices", "").into(&got)
	want := api.Notices{Notices: []api.Notice{
		{ID: "2", Route: "r", Title: "t", Kinds: []string{"host_down"}, Events: 3, State: "failed", Tries: 2, Error: "no", MadeAt: at, DueAt: &later},
		{ID: "1", Route: "r", Kinds: []string{}, State: "sent", Tries: 1, MadeAt: at, DoneAt: &later},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ask(http.MethodGet, "/v1/notices?route=data-eng&limit=3", "").into(&got)
	if diff := cmp.Diff([]any{"", 50, "data-eng", 3}, told.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	ask(http.MethodGet, "/v1/notices?limit=0", "").problem(http.StatusUnprocessableEntity, problem.InvalidRequest)
}

func TestRoutesAreTried(t *testing.T) {
	t.Parallel()
	told := &teller{}
	ask := askingTeller(t, told)
	var got api.NoticeSamples
	ask(http.MethodPost, "/v1/notify-tests/data-eng", `{"kind": "run_failed", "send": true}`).into(&got)
	want := api.NoticeSamples{Route: "data-eng", Samples: []api.NoticeSample{{Kind: "run_failed", Title: "a title", Text: "a text", Sent: true}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ask(http.MethodPost, "/v1/notify-tests/data-eng", "").into(&got)
	if diff := cmp.Diff([]any{"data-eng", "run_failed", true, "data-eng", "", false}, told.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	told.err = problem.New(problem.NoticeFailed, "no", "")
	ask(http.MethodPost, "/v1/notify-tests/data-eng", `{"send": true}`).problem(http.StatusBadGateway, problem.NoticeFailed)
}

// A server without routes says so.
func TestNobodyIsTold(t *testing.T) {
	t.Parallel()
	ask := askingTeller(t, nil)
	var got api.Notices
	ask(http.MethodGet, "/v1/notices", "").into(&got)
	if got.Notices == nil || len(got.Notices) != 0 {
		t.Errorf("got %+v", got)
	}
	ask(http.MethodPost, "/v1/notify-tests/data-eng", "").problem(http.StatusNotFound, problem.RouteNotFound)
}
