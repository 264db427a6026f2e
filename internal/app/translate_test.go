package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/docker"
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
  - {name: "registry.example.com:5000", username: ci, password: s3cr3t, plain_http: true}
hosts:
  - {name: etl-1, endpoint: "unix:///run/1.sock", labels: {pool: etl}, limits: {pulls: 3, runs: 5}}
  - {name: web-1, endpoint: "unix:///run/2.sock", labels: {pool: web}}
  - {name: etl-2, endpoint: "unix:///run/3.sock", labels: {pool: etl}}
images:
  - {name: jobs, repository: registry.example.com:5000/etl/jobs, track: {tag: v1}, hosts: {pool: etl}}
  - {name: frozen, repository: registry.example.com:5000/etl/jobs, track: {digest: "`+digest+`"}}
`)
	access := registry.Access{Name: "registry.example.com:5000", Username: "ci", Password: "s3cr3t", PlainHTTP: true}
	if diff := cmp.Diff(registry.Options{Access: []registry.Access{access}, UserAgent: "prewarm/1.2"}, registryOptions(c, "1.2")); diff != "" {
		t.Errorf("registries (-want +got):\n%s", diff)
	}
	repo, err := registry.ParseRepository("registry.example.com:5000/etl/jobs")
	if err != nil {
		t.Fatal(err)
	}
	want := []warmer.Track{
		{ID: warmer.TrackID{Image: "jobs", Tag: "v1"}, Repository: repo, Hosts: []string{"etl-1", "etl-2"}},
		{ID: warmer.TrackID{Image: "frozen"}, Repository: repo, Digest: digest, Hosts: []string{"etl-1", "web-1", "etl-2"}},
	}
	same := cmp.Comparer(func(a, b registry.Repository) bool { return a == b })
	if diff := cmp.Diff(want, tracks(c), same); diff != "" {
		t.Errorf("tracks (-want +got):\n%s", diff)
	}
	engines := map[string]*docker.Host{"etl-1": new(docker.Host), "web-1": new(docker.Host), "etl-2": new(docker.Host)}
	warm, run := warmerHosts(c, engines), runnerHosts(c, engines)
	if len(warm) != 3 || warm[0].Name != "etl-1" || warm[0].Pulls != 3 || warm[1].Pulls != c.Hosts[1].Limits.Pulls {
		t.Errorf("hosts to warm: %+v", warm)
	}
	if len(run) != 3 || run[0].Name != "etl-1" || run[0].Slots != 5 || run[2].Slots != c.Hosts[2].Limits.Runs {
		t.Errorf("hosts to run on: %+v", run)
	}
	for i := range c.Hosts {
		if warm[i].Host != warmer.Host(engines[warm[i].Name]) || run[i].Engine != runner.Engine(engines[run[i].Name]) {
			t.Errorf("%s has the engine of another host", warm[i].Name)
		}
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
	case <-time.After(10 * time.Second):
		t.Fatal("still running")
	}
	s, err := store.Open(t.Context(), c.State.Path)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
}
