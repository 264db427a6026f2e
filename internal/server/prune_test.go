package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/prune"
)

// pruner answers what a test wrote down, and remembers what it was asked.
type pruner struct {
	stubImages
	ask    warmer.PruneAsk
	pauses []string
	host   string
	image  string
	limit  int

	passes      []warmer.Pass
	stock       warmer.Stock
	explanation warmer.Explanation
}

func (p *pruner) Prune(_ context.Context, ask warmer.PruneAsk) ([]warmer.Pass, error) {
	p.ask = ask
	return p.passes, nil
}

func (p *pruner) Passes(_ context.Context, host string, limit int) ([]warmer.Pass, error) {
	p.host, p.limit = host, limit
	return p.passes, nil
}

func (p *pruner) Stock(_ context.Context, host string) (warmer.Stock, error) {
	p.host = host
	return p.stock, nil
}

func (p *pruner) Explain(_ context.Context, host, image string) (warmer.Explanation, error) {
	p.host, p.image = host, image
	return p.explanation, nil
}

func (p *pruner) Pause(_ context.Context, what warmer.Activity, host, who string) error {
	p.pauses = append(p.pauses, strings.Join([]string{string(what), host, who}, " "))
	return nil
}

// asking serves a pruner, and gives what calls it.
func asking(t *testing.T, p *pruner) func(method, path, body string) *response {
	t.Helper()
	url, _ := serve(t, server.Options{Images: p, Runs: stub{}})
	client := clientOf(t, url)
	return func(method, path, body string) *response {
		t.Helper()
		return call(t, client, method, url+path, body)
	}
}

var (
	pruneBegun = time.Date(2026, 11, 22, 3, 17, 0, 0, time.UTC)
	onePass    = warmer.Pass{
		ID: "1", Host: "a", Trigger: warmer.ByPerson, Who: "ada", Begun: pruneBegun, Ended: pruneBegun.Add(time.Second),
		Need: 700, Short: 100, Stays: 4, Predicted: 600, Freed: 500, Stopped: "an id is still there",
		Removals: []warmer.PassRemoval{
			{ID: "sha256:11", Names: []string{"r@sha256:11"}, Rule: prune.GoSuperseded, Why: "beyond the 2 that are kept", Predicted: 400, Outcome: warmer.WasRemoved},
			{ID: "sha256:22", Rule: prune.GoDangling, Why: "it has no tag", Predicted: 200, Outcome: warmer.NotGone, Detail: "still listed"},
		},
	}
)

func TestAPassIsToldWhole(t *testing.T) {
	t.Parallel()
	p := &pruner{passes: []warmer.Pass{onePass, {ID: "0", Host: "b", DryRun: true, Trigger: warmer.BySchedule, Begun: pruneBegun}}}
	var got api.Passes
	asking(t, p)(http.MethodPost, "/v1/prune", `{"hosts":["a","b"],"image":"jobs","free_bytes":700,"by":"ada"}`).into(&got)
	if want := (warmer.PruneAsk{Hosts: []string{"a", "b"}, Image: "jobs", Free: 700, Who: "ada"}); !cmp.Equal(want, p.ask) {
		t.Errorf("asked %+v", p.ask)
	}
	ended := pruneBegun.Add(time.Second)
	want := api.Passes{Passes: []api.Pass{
		{
			ID: "1", Host: "a", Trigger: "person", By: "ada", BegunAt: pruneBegun, EndedAt: &ended,
			NeedBytes: 700, ShortBytes: 100, Stays: 4, PredictedBytes: 600, FreedBytes: 500, Stopped: "an id is still there",
			Removals: []api.PassRemoval{
				{ID: "sha256:11", Names: []string{"r@sha256:11"}, Rule: "superseded", Why: "beyond the 2 that are kept", PredictedBytes: 400, Outcome: "removed"},
				{ID: "sha256:22", Names: []string{}, Rule: "dangling", Why: "it has no tag", PredictedBytes: 200, Outcome: "not_gone", Detail: "still listed"},
			},
		},
		{ID: "0", Host: "b", DryRun: true, Trigger: "schedule", BegunAt: pruneBegun, Removals: []api.PassRemoval{}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A dry run is asked for in one way; any other must not be taken for the real
// thing.
func TestADryRunIsNeverTakenForAnother(t *testing.T) {
	t.Parallel()
	p := &pruner{}
	ask := asking(t, p)
	for path, want := range map[string]bool{"/v1/prune": false, "/v1/prune?dry_run=0": false, "/v1/prune?dry_run=1": true, "/v1/prune?dry_run=true": true} {
		p.ask = warmer.PruneAsk{}
		r := ask(http.MethodPost, path, "")
		r.into(new(api.Passes))
		if !cmp.Equal(p.ask, warmer.PruneAsk{DryRun: want}) || strings.Contains(string(r.body), "null") {
			t.Errorf("%s: asked %+v, answered %s", path, p.ask, r.body)
		}
	}
	p.ask = warmer.PruneAsk{Who: "nobody"}
	for path, body := range map[string]string{
		"/v1/prune": `{"dry_run":true}`, "/v1/prune?dry-run=1": "", "/v1/prune?dry_run=please": "{}", "/v1/prune?dry_run=1": `{"free_bytes":-1}`,
	} {
		ask(http.MethodPost, path, body).problem(http.StatusUnprocessableEntity, problem.InvalidRequest)
	}
	if p.ask.Who != "nobody" {
		t.Errorf("asked %+v", p.ask)
	}
}

func TestPassesAreListed(t *testing.T) {
	t.Parallel()
	p := &pruner{passes: []warmer.Pass{onePass}}
	ask := asking(t, p)
	var got api.Passes
	ask(http.MethodGet, "/v1/prunes", "").into(&got)
	if len(got.Passes) != 1 || p.host != "" || p.limit != 50 {
		t.Errorf("asked %q %d, got %+v", p.host, p.limit, got)
	}
	ask(http.MethodGet, "/v1/prunes?host=a&limit=7", "").into(&got)
	if p.host != "a" || p.limit != 7 {
		t.Errorf("asked %q %d", p.host, p.limit)
	}
	for _, query := range []string{"?limit=0", "?limit=1001", "?hosts=a"} {
		ask(http.MethodGet, "/v1/prunes"+query, "").problem(http.StatusUnprocessableEntity, problem.InvalidRequest)
	}
}

func someStock() warmer.Stock {
	pin := dockertest.Pin(repository, 1)
	return warmer.Stock{
		Host: "a", At: pruneBegun, Disk: warmer.Disk{Free: 30, Total: 100}, High: 85, Low: 70, Bytes: 60, Ours: 40,
		Images: []warmer.StockImage{
			{
				Listed: warmer.Listed{
					ID: "sha256:11", Pins: []registry.Pin{pin}, Tags: []string{"r:v1"}, Digests: []string{pin.String()}, Built: pruneBegun.Add(-time.Hour), Bytes: 40, Exact: true,
					Containers: []warmer.ContainerOf{{ID: "c1", Name: "job", Running: true, Ours: true, Used: pruneBegun}, {ID: "c2"}},
				},
				Seen: pruneBegun, Used: pruneBegun.Add(time.Minute), UsedKnown: true, Alone: 30, AloneExact: true,
				Verdict: prune.Verdict{Rule: prune.IsCurrent, Why: "it is current of jobs:latest"},
			},
			{
				Listed: warmer.Listed{ID: "sha256:22", Bytes: 20}, Seen: pruneBegun, Used: pruneBegun, Alone: 10,
				Verdict: prune.Verdict{Goes: true, Rule: prune.GoDangling, Why: "it has no tag", Frees: 10, Drops: []registry.Pin{pin}, Names: []string{"r@sha256:33"}},
			},
		},
	}
}

func TestTheImagesOfAHost(t *testing.T) {
	t.Parallel()
	p := &pruner{stock: someStock()}
	var got api.Stock
	asking(t, p)(http.MethodGet, "/v1/hosts/a/images", "").into(&got)
	built, used, none := pruneBegun.Add(-time.Hour), pruneBegun.Add(time.Minute), []string{}
	pin := dockertest.Pin(repository, 1).String()
	want := api.Stock{
		Host: "a", At: pruneBegun, Disk: &api.Disk{Free: 30, Total: 100}, HighBytes: 85, LowBytes: 70, Bytes: 60, OursBytes: 40,
		Images: []api.StockImage{
			{
				ID: "sha256:11", Pins: []string{pin}, Tags: []string{"r:v1"}, Digests: []string{pin}, BuiltAt: &built, SeenAt: pruneBegun, UsedAt: &used,
				Bytes: 40, AloneBytes: 30, AloneExact: true, LayersExact: true,
				Containers: []api.StockContainer{{ID: "c1", Name: "job", Running: true, Ours: true, UsedAt: &pruneBegun}, {ID: "c2"}},
				Verdict:    api.PruneVerdict{Rule: "current", Why: "it is current of jobs:latest"},
			},
			{
				ID: "sha256:22", Pins: none, Tags: none, Digests: none, SeenAt: pruneBegun, Bytes: 20, AloneBytes: 10, Containers: []api.StockContainer{},
				Verdict: api.PruneVerdict{Goes: true, Rule: "dangling", Why: "it has no tag", FreesBytes: 10, Drops: []string{pin}, Names: []string{"r@sha256:33"}},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || p.host != "a" {
		t.Errorf("asked of %q (-want +got):\n%s", p.host, diff)
	}
}

func TestAHostOfWhichLittleIsKnown(t *testing.T) {
	t.Parallel()
	r := asking(t, &pruner{})(http.MethodGet, "/v1/hosts/a/images", "")
	var got api.Stock
	r.into(&got)
	if got.Disk != nil || got.Images == nil || strings.Contains(string(r.body), "high_bytes") {
		t.Errorf("%s", r.body)
	}
}

func TestAnExplanation(t *testing.T) {
	t.Parallel()
	pin := dockertest.Pin(repository, 1)
	p := &pruner{explanation: warmer.Explanation{
		Host: "a", Images: someStock().Images[:1],
		Log: []warmer.LogEntry{{At: pruneBegun, What: "pulled", Pin: pin}, {At: pruneBegun, What: "the host was drained"}},
	}}
	ask := asking(t, p)
	var got api.Explanation
	ask(http.MethodGet, "/v1/explain?host=a&image=jobs:latest", "").into(&got)
	if p.host != "a" || p.image != "jobs:latest" || got.Image != "jobs:latest" || len(got.Images) != 1 || got.Images[0].ID != "sha256:11" || got.Absent != "" {
		t.Errorf("asked %q %q, got %+v", p.host, p.image, got)
	}
	if want := []api.Occurrence{{At: pruneBegun, What: "pulled", Pin: pin.String()}, {At: pruneBegun, What: "the host was drained"}}; !cmp.Equal(want, got.Log) {
		t.Errorf("%+v", got.Log)
	}
	p.explanation = warmer.Explanation{Host: "a", Absent: "its pull failed"}
	r := ask(http.MethodGet, "/v1/explain?host=a&image=jobs", "")
	got = api.Explanation{}
	r.into(&got)
	if got.Absent != "its pull failed" || got.Images == nil || got.Log == nil {
		t.Errorf("%s", r.body)
	}
	for _, query := range []string{"", "?host=a", "?image=jobs", "?host=&image=jobs", "?host=a&image="} {
		ask(http.MethodGet, "/v1/explain"+query, "").problem(http.StatusUnprocessableEntity, problem.InvalidRequest)
	}
}

func TestPruningCanBePaused(t *testing.T) {
	t.Parallel()
	p := &pruner{}
	ask := asking(t, p)
	ask(http.MethodPost, "/v1/pause", `{"what":"pruning","by":"ada"}`).into(new(api.Pauses))
	ask(http.MethodPost, "/v1/pause", `{"what":"pruning","host":"a"}`).into(new(api.Pauses))
	if want := []string{"pruning  ada", "pruning a "}; !cmp.Equal(want, p.pauses) {
		t.Errorf("%q", p.pauses)
	}
}
