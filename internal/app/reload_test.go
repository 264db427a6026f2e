package app_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/internal/notice"
)

// reloading is an App whose configuration file can be written again.
type reloading struct {
	*running
	t    *testing.T
	path string
	app  *app.App

	mu      sync.Mutex
	details []string // of the refusals that people are to be told of
}

func startReloading(t *testing.T, text string) *reloading {
	t.Helper()
	r := &reloading{t: t, path: filepath.Join(t.TempDir(), "prewarm.yaml")}
	r.write(text)
	c, err := config.Load(r.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &log{}
	r.app, err = app.New(t.Context(), app.Options{Config: c, Watcher: config.NewWatcher(c), Version: "test", Logger: slog.New(slog.NewTextHandler(l, nil))})
	if err != nil {
		t.Fatal(err)
	}
	app.Listen(r.app, func(e notice.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.details = append(r.details, e.Detail)
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.app.Run(ctx) }()
	transport := &http.Transport{}
	r.running = &running{addr: r.app.Addr().String(), log: l, client: &api.Client{URL: "http://" + r.app.Addr().String(), HTTP: http.Client{Transport: transport}}}
	t.Cleanup(func() {
		cancel()
		transport.CloseIdleConnections()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *reloading) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.details)
}

func (r *reloading) write(text string) {
	r.t.Helper()
	text = "server: {listen: 127.0.0.1:0}\nstate: {path: state}\n" + text
	if err := os.WriteFile(r.path+".new", []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(r.path+".new", r.path); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reloading) images() string {
	images, err := r.client.Images(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for _, i := range images.Images {
		names = append(names, i.Name)
	}
	return strings.Join(names, " ")
}

const gone = "hosts:\n  - {name: gone, endpoint: \"unix:///nowhere/docker.sock\"}\n"

func TestAChangedFileTakesEffectByItself(t *testing.T) {
	t.Parallel()
	var ready atomic.Bool
	ready.Store(true)
	address, digest, _ := registryOf(t, &ready, http.StatusOK)
	registries := fmt.Sprintf("registries:\n  - {name: %q, plain_http: true}\n", address)
	jobs := fmt.Sprintf("  - {name: jobs, repository: %q, watch: '@every 1s'}\n", address+"/etl/jobs")
	other := fmt.Sprintf("  - {name: other, repository: %q, watch: '@every 1s'}\n", address+"/etl/other")
	r := startReloading(t, registries+gone+"images:\n"+jobs)
	seen := func(image string) bool {
		i, err := r.client.Image(r.t.Context(), image)
		return err == nil && len(i.Tracks) == 1 && len(i.Tracks[0].Coming) == 1 && i.Tracks[0].Coming[0].Digest == digest
	}
	await(t, "jobs was looked at", func() bool { return seen("jobs") })

	r.write(registries + gone + "images:\n" + jobs + other)
	await(t, "the new image was looked at", func() bool { return seen("other") })
	if !seen("jobs") {
		t.Error("jobs lost its rollout")
	}

	r.write(registries + gone + "images:\n" + other)
	await(t, "jobs is gone", func() bool { return r.images() == "other" })

	r.write(registries + "hosts: nonsense\n")
	await(t, "the nonsense was refused", func() bool { return strings.Contains(r.log.String(), "refused") })
	told, err := r.client.Configuration(t.Context())
	if err != nil || told.Reloads != 2 || told.Refused != 1 || told.RefusedAt == nil || !strings.Contains(told.Error, "hosts") {
		t.Errorf("%+v %v", told, err)
	}
	if r.images() != "other" {
		t.Errorf("a refused configuration took effect: %s", r.images())
	}
	for _, want := range []string{"images: added other", "images: removed jobs"} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log does not tell %q:\n%s", want, r.log)
		}
	}
}

func TestReloadWithoutAChange(t *testing.T) {
	t.Parallel()
	r := startReloading(t, gone)
	r.app.Reload()
	await(t, "it says so", func() bool { return strings.Contains(r.log.String(), "nothing changed") })
}

// Who has mended the receiver of notices has them tried again at once.
func TestAReloadWithoutAChangeTriesNoticesAgain(t *testing.T) {
	t.Parallel()
	var mended atomic.Bool
	var taken, refused atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if mended.Load() {
			taken.Add(1)
			return
		}
		refused.Add(1)
		w.WriteHeader(http.StatusUnauthorized) // tried again after an hour
	}))
	t.Cleanup(receiver.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := gone + fmt.Sprintf("notify:\n  - {name: hook, on: [config_refused], webhook: {url: %q, secret_file: %q}}\n", receiver.URL, secret)
	r := startReloading(t, good)
	r.write("hosts: nonsense\n")
	await(t, "it was refused", func() bool { return refused.Load() == 1 })
	mended.Store(true)
	r.write(good)
	await(t, "it was taken", func() bool { return taken.Load() == 1 })
	if !strings.Contains(r.log.String(), "nothing changed") {
		t.Error("the configuration changed")
	}
}

// Hosts and secrets change under the same names.
func TestHostsComeAndGo(t *testing.T) {
	t.Parallel()
	r := startReloading(t, gone)
	hosts := func() string {
		all, err := r.client.Hosts(r.t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		for _, h := range all.Hosts {
			fmt.Fprintf(&b, "%s:%d%v%v%v ", strings.ReplaceAll(h.Endpoint, "unix:///nowhere/", ""), h.Runs, h.Aliases, h.Binds, h.Labels)
		}
		return b.String()
	}
	await(t, "one host", func() bool { return hosts() == "docker.sock:8[][]map[] " })
	r.write("hosts:\n  - {name: gone, endpoint: \"unix:///nowhere/docker.sock\", limits: {runs: 3}, aliases: [etl-1], binds: [/srv], labels: {a: b}}\n  - {name: new, endpoint: \"unix:///nowhere/new.sock\"}\n")
	await(t, "two hosts", func() bool { return hosts() == "docker.sock:3[etl-1][/srv]map[a:b] new.sock:8[][]map[] " })
	r.write("hosts:\n  - {name: new, endpoint: \"unix:///nowhere/new.sock\"}\n")
	await(t, "the first is gone", func() bool { return hosts() == "new.sock:8[][]map[] " })
}

// The same mistake, read again and again, is told once; after a good configuration
// it is news.
func TestARefusedConfigurationIsToldOnce(t *testing.T) {
	t.Parallel()
	r := startReloading(t, gone)
	refusals := func() int {
		told, err := r.client.Configuration(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		return told.Refused
	}
	for range 3 {
		before := refusals()
		r.write("hosts: nonsense\n")
		r.app.Reload()
		await(t, "it was refused", func() bool { return refusals() > before })
	}
	if told := r.told(); len(told) != 1 || !strings.Contains(told[0], "hosts") {
		t.Errorf("told %q", told)
	}
	r.write(gone)
	await(t, "it is in force again", func() bool {
		told, err := r.client.Configuration(r.t.Context())
		return err == nil && told.Error == ""
	})
	r.write("hosts: nonsense\n")
	await(t, "it was told anew", func() bool { return len(r.told()) == 2 })
}
