package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/prewarm/prewarm/internal/schedule"
	"github.com/prewarm/prewarm/registry"
)

// comparers make cmp see through what it can't: Secret would look like any
// other, and Repository has no exported fields.
func comparers() cmp.Options {
	return cmp.Options{
		cmp.Comparer(func(a, b registry.Repository) bool { return a == b }),
		cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() }),
		cmpopts.EquateEmpty(),
	}
}

// write makes a configuration file in a folder of its own.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prewarm.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustLoad(t *testing.T, path string, environ ...string) *Config {
	t.Helper()
	config, err := Load(path, environ)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func mustRepository(t *testing.T, s string) registry.Repository {
	t.Helper()
	repo, err := registry.ParseRepository(s)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

func mustSchedule(t *testing.T, s string) schedule.Spec {
	t.Helper()
	spec, err := schedule.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestLoadFull(t *testing.T) {
	t.Parallel()
	folder, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Server: Server{Listen: "127.0.0.1:9000"},
		State:  State{Path: filepath.Join(folder, "state")},
		Registries: []Registry{
			{Name: "registry.example.com:5000", Username: "ci", Password: "s3cr3t", PlainHTTP: true},
			{Name: "docker.io", Username: "robot", Password: "from-a-file", PasswordFile: filepath.Join(folder, "secrets/password")},
		},
		Hosts: []Host{
			{Name: "etl-1", Endpoint: "unix:///var/run/docker.sock", Labels: map[string]string{"pool": "etl", "rack": "1.10"}, Limits: Limits{Pulls: 3, Runs: 8}},
			{Name: "etl-2", Endpoint: "tcp://10.0.0.2:2375", Insecure: true, Labels: map[string]string{"pool": "etl"}, Limits: Limits{Pulls: 2, Runs: 8}},
			{Name: "web-1", Endpoint: "tcp://[fd00::3]:2375", Insecure: true, Labels: map[string]string{"pool": "web"}, Limits: Limits{Pulls: 2, Runs: 8}},
		},
		Images: []Image{
			{
				Name: "node-jobs", Repository: mustRepository(t, "registry.example.com/etl/node-jobs"), Track: Track{Tag: "1.10"},
				Hosts: map[string]string{"pool": "etl"}, Watch: mustSchedule(t, "CRON_TZ=Europe/Berlin */5 6-22 * * *"),
			},
			{
				Name: "frozen", Repository: mustRepository(t, "node"),
				Track: Track{Digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
			},
			{Name: "plain", Repository: mustRepository(t, "docker.io/library/node"), Track: Track{Tag: "latest"}, Watch: mustSchedule(t, "@every 1m")},
		},
	}
	if diff := cmp.Diff(want, mustLoad(t, "testdata/full.yaml"), comparers()); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestLoadWithoutAFileIsDefault(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(Default(), mustLoad(t, ""), comparers()); diff != "" {
		t.Errorf("Load(\"\") differs from Default() (-want +got):\n%s", diff)
	}
	want := &Config{Server: Server{Listen: "127.0.0.1:8470"}, State: State{Path: "/var/lib/prewarm"}}
	if diff := cmp.Diff(want, Default(), comparers()); diff != "" {
		t.Errorf("Default() (-want +got):\n%s", diff)
	}
}

func TestLoadAccepts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"the shortest":          "hosts: [{name: local, endpoint: unix:///var/run/docker.sock}]\nimages: [{name: node, repository: node}]",
		"JSON":                  `{"server": {"listen": "127.0.0.1:8470"}}`,
		"a byte order mark":     "\ufeffstate: {path: a}",
		"a start marker":        "---\nstate: {path: a}\n",
		"a key left empty":      "server:\nhosts:\nimages: ~\n",
		"a port of the system":  "server: {listen: 127.0.0.1:0}",
		"IPv6 loopback":         "server: {listen: '[::1]:8470'}",
		"localhost":             "server: {listen: localhost:8470}",
		"a quoted number":       "hosts: [{name: a, endpoint: unix:///a, limits: {pulls: '3'}}]",
		"a spelt-out true":      "hosts: [{name: a, endpoint: 'tcp://a:1', insecure: True}]",
		"two tags of one image": "hosts: [{name: a, endpoint: unix:///a}]\nimages: [{name: a, repository: node}, {name: b, repository: node, track: {tag: '22'}}]",
		"an empty selector":     "hosts: [{name: a, endpoint: unix:///a}]\nimages: [{name: a, repository: node, hosts: {}}]",
		"a plain string tag":    "state: {path: !!str 123}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustLoad(t, write(t, text))
		})
	}
}

func TestLoadFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	big := write(t, "# "+strings.Repeat("x", maxFile))
	for path, want := range map[string]string{
		"testdata/none.yaml": "testdata/none.yaml: it does not exist; name a configuration file",
		"testdata":           "testdata: it is a folder, not a file; name a configuration file",
		"a\x00b":             "it can't be read: invalid argument",
		big:                  "it is larger than 4096 KiB",
	} {
		if got := refused(t, path, nil).Error(); !strings.Contains(got, want) {
			t.Errorf("Load(%q): %q does not say %q", path, got, want)
		}
	}
}

func TestImageSelects(t *testing.T) {
	t.Parallel()
	host := Host{Labels: map[string]string{"pool": "etl", "zone": "a", "empty": ""}}
	for _, c := range []struct {
		selector map[string]string
		want     bool
	}{
		{nil, true},
		{map[string]string{"pool": "etl"}, true},
		{map[string]string{"pool": "etl", "zone": "a"}, true},
		{map[string]string{"pool": "etl", "zone": "b"}, false},
		{map[string]string{"rack": ""}, false},
		{map[string]string{"pool": "ETL"}, false},
	} {
		if got := (Image{Hosts: c.selector}).Selects(host); got != c.want {
			t.Errorf("selector %v: %v, want %v", c.selector, got, c.want)
		}
	}
}
