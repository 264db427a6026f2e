package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/app"
)

// plans are first configurations of every kind.
func plans() map[string]firstPlan {
	all := make(map[string]firstPlan)
	for _, tokens := range []bool{false, true} {
		for _, plain := range []bool{false, true} {
			for hosts := 1; hosts <= 2; hosts++ {
				for images := 1; images <= 2; images++ {
					p := firstPlan{Listen: "127.0.0.1:8470", State: []string{"/var/lib/prewarm", `/srv/it's "here": {#1}`}[hosts-1]}
					if tokens {
						p.Tokens = []firstToken{
							{Name: "admin", Scope: "admin", File: "prewarm-admin.token", Secret: strings.Repeat("a", 20), Why: "Yours."},
							{Name: "airflow", Scope: "run", File: "prewarm-airflow.token", Secret: strings.Repeat("b", 20), Why: "Airflow's: it may run."},
						}
					}
					if plain {
						p.Plain = []string{"localhost:5000", "[::1]:5000"}[:images]
					}
					for i := range hosts {
						p.Hosts = append(p.Hosts, firstHost{Name: fmt.Sprintf("e-%d", i), Endpoint: []string{"unix:///run/user/1000/docker.sock", "unix:///srv/x,y.sock"}[i]})
					}
					for i := range images {
						p.Images = append(p.Images, firstImage{
							NamedImage: app.NamedImage{Name: []string{"node", "1"}[i], Repository: "localhost:5000/node", Tag: []string{"1.10", "on"}[i]},
							Login:      []string{"", "/root/.docker/config.json"}[i],
						})
					}
					all[fmt.Sprintf("tokens=%v plain=%v hosts=%d images=%d", tokens, plain, hosts, images)] = p
				}
			}
		}
	}
	return all
}

// commented is a line that waits for its # to be taken away.
var commented = regexp.MustCompile(`(?m)^#([^ ]|  )`)

// Whatever was answered, the configuration is good, with its examples and without.
func TestFirstConfiguration(t *testing.T) {
	t.Parallel()
	for name, plan := range plans() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := plan.render()
			if err != nil {
				t.Fatal(err)
			}
			dir := exampleFiles(t)
			for _, token := range plan.Tokens {
				if err := os.WriteFile(filepath.Join(dir, token.File), []byte(token.Secret), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			checkFirst(t, plan, loadText(t, dir, string(text)))
			if !commented.Match(text) {
				t.Fatal("there are no examples in it")
			}
			all := loadText(t, dir, commented.ReplaceAllString(string(text), "$1"))
			if len(all.Webhooks) != 1 || len(all.Notify) != 1 || len(all.Images) != len(plan.Images)+1 || len(all.Hosts) != len(plan.Hosts)+1 || len(all.Auth.Tokens) != len(plan.Tokens)+1 {
				t.Errorf("not all examples are in force: %+v", all)
			}
			for line := range strings.Lines(string(text)) {
				if strings.TrimRight(line, "\n") != strings.TrimRight(line, " \n") {
					t.Errorf("a blank ends the line %q", line)
				}
			}
		})
	}
}

func loadText(t *testing.T, dir, text string) *config.Config {
	t.Helper()
	path := filepath.Join(dir, "prewarm.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(path, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return loaded
}

// checkFirst compares what is loaded with what was answered.
func checkFirst(t *testing.T, p firstPlan, got *config.Config) {
	t.Helper()
	if got.Server.Listen != p.Listen || got.State.Path != p.State || len(got.Auth.Tokens) != len(p.Tokens) || len(got.Registries) != len(p.Plain) {
		t.Errorf("got %+v", got)
	}
	for i, h := range p.Hosts {
		if got.Hosts[i].Name != h.Name || got.Hosts[i].Endpoint != h.Endpoint {
			t.Errorf("host %+v, want %+v", got.Hosts[i], h)
		}
	}
	for i, image := range p.Images {
		if got.Images[i].Name != image.Name || got.Images[i].Track.Tag != image.Tag {
			t.Errorf("image %+v, want %+v", got.Images[i], image)
		}
	}
	for i, token := range p.Tokens {
		if got.Auth.Tokens[i].Value.Reveal() != token.Secret || !slices.Equal(got.Auth.Tokens[i].Scopes, []string{token.Scope}) {
			t.Errorf("token %d is another", i)
		}
	}
}

// exampleFiles makes a folder with the files that the examples name. One
// authority's certificate does for all: it is its own.
func exampleFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	made, err := app.Enroll(app.EnrollOptions{Name: "etl-2", Endpoint: "tcp://10.0.0.12:2376", Dir: filepath.Join(dir, "ca"), Days: 2})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"certs/ca.pem": made.CA, "certs/client.pem": made.Cert, "certs/client.key": made.Key,
		"certs/server.pem": filepath.Join(made.EngineDir, "server-cert.pem"), "certs/server.key": filepath.Join(made.EngineDir, "server-key.pem"),
		"secrets/ci": "", "secrets/registry": "", "secrets/pushes": "", "secrets/slack-url": "",
	}
	for name, from := range files {
		text := []byte("https://hooks.example.com/" + strings.Repeat("s", 40))
		if from != "" {
			if text, err = os.ReadFile(from); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The connection that is printed leads the command line to the same server, with
// the same token.
func TestFirstConnection(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"127.0.0.1:8470": "http://127.0.0.1:8470",
		"[::1]:9000":     "http://[::1]:9000",
		"localhost:8470": "http://localhost:8470",
	} {
		text, err := connectionOf(listen, "pw_secret")
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseConnection(string(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(airflowConnection{url: want, token: "pw_secret"}, got, cmp.AllowUnexported(airflowConnection{})); diff != "" {
			t.Errorf("%s: %s", listen, diff)
		}
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil || fields["conn_type"] != "prewarm" {
			t.Errorf("%s: %s", listen, text)
		}
	}
}

// Files come to their places together, or not at all.
func TestPutAllOrNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := []firstFile{{"a", 0o600, []byte("a")}, {"b", 0o600, []byte("b")}, {"prewarm.yaml", 0o644, []byte("hosts: []\n")}}
	if err := os.WriteFile(filepath.Join(dir, "b"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := putAll(t.Context(), dir, files); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "b")+" is there already") {
		t.Errorf("got %v", err)
	}
	wantNames(t, dir, "b")
	if b, err := os.ReadFile(filepath.Join(dir, "b")); err != nil || string(b) != "mine" {
		t.Errorf("b is %q, %v", b, err)
	}
	if err := os.Remove(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	broken := slices.Concat(files[:2], []firstFile{{"prewarm.yaml", 0o644, []byte("hosts: 1\n")}})
	if err := putAll(t.Context(), dir, broken); err == nil || !strings.Contains(err.Error(), "nothing is written") {
		t.Errorf("got %v", err)
	}
	wantNames(t, dir)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := putAll(stopped, dir, files); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantNames(t, dir)
	if err := putAll(t.Context(), dir, files); err != nil {
		t.Fatal(err)
	}
	wantNames(t, dir, "a", "b", "prewarm.yaml")
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
