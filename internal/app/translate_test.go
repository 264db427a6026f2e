package app

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prewarm.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestTranslate(t *testing.T) {
	t.Parallel()
	c := load(t, `
registries:
  - {name: "registry.example.com:5000", username: ci, password: s3cr3t, plain_http: true, pulls: 4, mirror: "cache.internal:5000", rate: 7/s}
limits: {pulls: 16, rate: 20/s}
hosts:
  - {name: etl-1, endpoint: "unix:///run/1.sock", labels: {pool: etl}, limits: {pulls: 3, runs: 5}}
  - {name: web-1, endpoint: "unix:///run/2.sock", labels: {pool: web}}
  - {name: etl-2, endpoint: "unix:///run/3.sock", labels: {pool: etl}}
images:
  - {name: jobs, repository: registry.example.com:5000/etl/jobs, track: {tag: v1}, hosts: {pool: etl}, retag: true, keep: 4, cooldown: 10m, approve: manual,
     promote: {when: 80%, straggler: 5m}, verify: {command: [cosign, verify, '{{.Pin}}'], timeout: 30s}}
  - {name: frozen, repository: registry.example.com:5000/etl/jobs, track: {digest: "`+digest+`"}}
prune: {protect: [etl/*], hosts: [{labels: {pool: web}, protect: [node]}]}
`)
	access := registry.Access{Name: "registry.example.com:5000", Username: "ci", Password: "s3cr3t", PlainHTTP: true, Rate: 7}
	if diff := cmp.Diff(registry.Options{Access: []registry.Access{access}, UserAgent: "prewarm/1.2", Rate: 20}, registryOptions(c, "1.2")); diff != "" {
		t.Errorf("registries (-want +got):\n%s", diff)
	}
	repo, err := registry.ParseRepository("registry.example.com:5000/etl/jobs")
	if err != nil {
		t.Fatal(err)
	}
	made := newEngines("test", registry.New(registry.Options{}), nil, slog.New(slog.DiscardHandler))
	if err := made.use(c.Hosts); err != nil {
		t.Fatal(err)
	}
	got := setup(c, made)
	jobs, frozen := got.Entries[0], got.Entries[1]
	if jobs.Image != "jobs" || jobs.Tag != "v1" || jobs.Digest != "" || jobs.Repository != repo || !slices.Equal(jobs.Hosts, []string{"etl-1", "etl-2"}) {
		t.Errorf("an entry with a tag: %+v", jobs)
	}
	wantPolicy := warmer.Policy{
		Promote:  warmer.Promotion{Percent: 80, Straggler: 5 * time.Minute},
		Cooldown: 10 * time.Minute, Approve: true, Retag: true, Keep: 4,
		Verify: &warmer.Verification{Command: []string{"cosign", "verify", "{{.Pin}}"}, Timeout: 30 * time.Second},
	}
	if diff := cmp.Diff(wantPolicy, jobs.Policy); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	if frozen.Tag != "" || frozen.Digest != digest || !slices.Equal(frozen.Hosts, []string{"etl-1", "web-1", "etl-2"}) || frozen.Policy.Promote.Percent != warmer.All {
		t.Errorf("an entry with a digest: %+v", frozen)
	}
	if rules := got.Registries["registry.example.com:5000"]; rules != (warmer.RegistryRules{Pulls: 4, Seed: true}) || got.Pulls != 16 {
		t.Errorf("limits: %+v, %d", rules, got.Pulls)
	}
	run := runnerSetup(c, made).Hosts
	if len(got.Hosts) != 3 || got.Hosts[0].Name != "etl-1" || got.Hosts[0].Pulls != 3 || got.Hosts[1].Pulls != c.Hosts[1].Limits.Pulls {
		t.Errorf("hosts to warm: %+v", got.Hosts)
	}
	if len(run) != 3 || run[0].Name != "etl-1" || run[0].Slots != 5 || run[2].Slots != c.Hosts[2].Limits.Runs {
		t.Errorf("hosts to run on: %+v", run)
	}
	for i, want := range []string{"[docker.io/etl/*]", "[docker.io/etl/* docker.io/library/node]"} {
		if protect := fmt.Sprint(got.Hosts[i].Prune.Policy.Protect); protect != want {
			t.Errorf("%s protects %s, want %s", got.Hosts[i].Name, protect, want)
		}
	}
	for i, h := range got.Hosts {
		if h.Host != warmer.Host(made.byName[h.Name].Host) || run[i].Engine != runner.Engine(made.byName[run[i].Name].Host) {
			t.Errorf("%s has the engine of another host", h.Name)
		}
	}
}

// A reload keeps the client of a host whose entry reaches the same engine.
func TestEnginesSurviveAReload(t *testing.T) {
	t.Parallel()
	host := func(name, socket string, runs int) config.Host {
		return config.Host{Name: name, Endpoint: "unix://" + socket, Limits: config.Limits{Pulls: 1, Runs: runs}}
	}
	e := newEngines("test", registry.New(registry.Options{}), nil, slog.New(slog.DiscardHandler))
	defer e.close()
	if err := e.use([]config.Host{host("a", "/run/a.sock", 1), host("b", "/run/b.sock", 1), host("c", "/run/c.sock", 1)}); err != nil {
		t.Fatal(err)
	}
	before := e.byName
	if err := e.use([]config.Host{host("a", "/run/a.sock", 8), host("b", "/run/other.sock", 1)}); err != nil {
		t.Fatal(err)
	}
	if e.byName["a"].Host != before["a"].Host {
		t.Error("a lost its client")
	}
	if e.byName["b"].Host == before["b"].Host || len(e.byName) != 2 {
		t.Errorf("%d hosts", len(e.byName))
	}
	if err := e.use([]config.Host{host("a", "/run/a.sock", 8), {Name: "bad", Endpoint: "tcp://10.0.0.1:2375"}}); err == nil || len(e.byName) != 2 {
		t.Errorf("an engine that is refused changed what was there: %v", err)
	}
}

// One part that fails ends the others, and what is open is given back.
func TestAPartThatFailsEndsAll(t *testing.T) {
	t.Parallel()
	c := load(t, "server: {listen: 127.0.0.1:0}\nstate: {path: state}\n")
	a, err := New(t.Context(), Options{Config: c, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_ = a.listener.Close()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(t.Context()) }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(time.Minute):
		t.Fatal("still running")
	}
	s, err := store.Open(t.Context(), c.State.Path)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
}
