package server_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/prune"
)

func TestWhoActedIsTheCallerAndWhatItSaysOfItself(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 4)
	l := newLocked(t, access.Setup{Tokens: []access.Token{holder("root", access.Admin)}}, func(o *server.Options) { o.Images = listening{asked: asked} })
	for body, want := range map[string]string{`{"by":"ada@laptop"}`: "root (ada@laptop)", "": "root"} {
		l.as("root", http.MethodPost, "/v1/hosts/a/drain", body).into(new(api.Host))
		if got := <-asked; got != want {
			t.Errorf("%s was done by %q, want %q", body, got, want)
		}
	}
}

// listening passes on who asked for a pause, and shows a host with images that
// runs of somebody want.
type listening struct {
	stubImages
	asked chan string
}

func (l listening) Pause(_ context.Context, _ warmer.Activity, _, who string) error {
	l.asked <- who
	return nil
}

func (listening) Stock(context.Context, string) (warmer.Stock, error) {
	image := func(rule prune.Rule, why string) warmer.StockImage {
		return warmer.StockImage{Verdict: prune.Verdict{Rule: rule, Why: why}}
	}
	used := image(prune.InUse, "in use by container prewarm-secret-run")
	used.Listed.Containers = []warmer.ContainerOf{{ID: "1", Name: "prewarm-secret-run", Ours: true}, {ID: "2", Name: "theirs"}}
	return warmer.Stock{Images: []warmer.StockImage{
		used, image(prune.IsLeased, "leased by run secret-run"), image(prune.InScope, "held by the pin scope secret-dag"), image(prune.IsKept, "kept for a rollback"),
	}}, nil
}

func (listening) Passes(context.Context, string, int) ([]warmer.Pass, error) {
	return []warmer.Pass{{Removals: []warmer.PassRemoval{
		{Outcome: warmer.WasClaimed, Detail: "run secret-run came to want it"},
		{Outcome: warmer.WasInUse, Detail: "container prewarm-secret-run uses it"},
	}}}, nil
}

func (l listening) Explain(ctx context.Context, host, _ string) (warmer.Explanation, error) {
	stock, err := l.Stock(ctx, host)
	return warmer.Explanation{Host: host, Images: stock.Images, Log: []warmer.LogEntry{
		{What: "container prewarm-secret-run runs on it"},
		{What: "container theirs runs on it"},
		{What: "prune pass (manual): claimed, unused for a week run secret-run came to want it"},
		{What: "prune pass (manual): in_use, unused for a week container prewarm-secret-run uses it"},
	}}, err
}

func (listening) Hosts() []warmer.HostStatus { return []warmer.HostStatus{{Name: "a"}} }

// What a caller compares its own address of an engine with.
func TestHostsTellHowTheyAreCalled(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each(), func(o *server.Options) {
		o.Images = listening{}
		o.Setup.Hosts = map[string]server.HostSetup{
			"a": {Endpoint: "tcp://10.0.0.11:2376", Aliases: []string{"etl-1:2376"}, Labels: map[string]string{"pool": "etl"}, Binds: []string{"/srv/data"}},
			"b": {Endpoint: "unix:///b"},
		}
	})
	var got struct{ Hosts []map[string]any }
	l.as("read", http.MethodGet, "/v1/hosts", "").into(&got)
	want := map[string]any{
		"endpoint": "tcp://10.0.0.11:2376", "aliases": []any{"etl-1:2376"}, "labels": map[string]any{"pool": "etl"}, "binds": []any{"/srv/data"},
	}
	if len(got.Hosts) != 1 {
		t.Fatalf("got %v", got.Hosts)
	}
	for key, value := range want {
		if diff := cmp.Diff(value, got.Hosts[0][key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}

// Names of runs and scopes that want an image may be those of another namespace.
func TestWhatHoldsAnImageHidesWhose(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each(), func(o *server.Options) { o.Images = listening{} })
	l.runs.hosts = map[string]runner.HostUse{"a": {Unclaimed: []string{"secret"}}}
	for _, path := range []string{"/v1/hosts/a/images", "/v1/prunes", "/v1/hosts", "/v1/explain?host=a&image=jobs"} {
		if r := l.as("admin", http.MethodGet, path, ""); !bytes.Contains(r.body, []byte("secret")) {
			t.Errorf("%s: hidden from an admin: %s", path, r.body)
		}
		r := l.as("read", http.MethodGet, path, "")
		if r.status != http.StatusOK || bytes.Contains(r.body, []byte("secret")) {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
		if path == "/v1/hosts/a/images" && (!bytes.Contains(r.body, []byte("theirs")) || !bytes.Contains(r.body, []byte("kept for a rollback"))) {
			t.Errorf("hidden for no reason: %s", r.body)
		}
	}
}
