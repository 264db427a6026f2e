package app

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/registry"
)

func environment(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEnginePlaces(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	sum := sha256.Sum256([]byte("colima"))
	writeFile(t, filepath.Join(home, ".docker/config.json"), `{"currentContext": "colima"}`)
	writeFile(t, filepath.Join(home, ".docker/contexts/meta", hex.EncodeToString(sum[:]), "meta.json"),
		`{"Name": "colima", "Endpoints": {"docker": {"Host": "unix:///run/colima.sock"}}}`)
	const usual = "unix:///var/run/docker.sock"
	desktop := "unix://" + home + "/.docker/run/docker.sock"
	for name, c := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"nothing said":      {nil, []string{usual}},
		"a context":         {map[string]string{"HOME": home}, []string{"unix:///run/colima.sock", usual, desktop}},
		"another context":   {map[string]string{"HOME": home, "DOCKER_CONTEXT": "default"}, []string{usual, desktop}},
		"DOCKER_HOST first": {map[string]string{"HOME": home, "DOCKER_HOST": "tcp://10.0.0.1:2376"}, []string{"tcp://10.0.0.1:2376", usual, desktop}},
		"rootless":          {map[string]string{"XDG_RUNTIME_DIR": "/run/user/1000"}, []string{usual, "unix:///run/user/1000/docker.sock"}},
		"the same one":      {map[string]string{"DOCKER_HOST": usual}, []string{usual}},
	} {
		var got []string
		for _, place := range enginePlaces(environment(c.env)) {
			got = append(got, place.Endpoint)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestEngineThatIsNoneSaysWhy(t *testing.T) {
	t.Parallel()
	mute := filepath.Join(t.TempDir(), "docker.sock")
	writeFile(t, mute, "")
	for endpoint, want := range map[string]string{
		"unix:///none.sock": "/none.sock is not there",
		"tcp://10.0.0.1:1":  "no socket of this machine",
		"unix://" + mute:    "connect",
	} {
		f := FoundEngine{Endpoint: endpoint}
		if f.examine(t.Context()); !strings.Contains(f.Why, want) {
			t.Errorf("%s: %q, want %q in it", endpoint, f.Why, want)
		}
	}
}

func TestFindCredentials(t *testing.T) {
	t.Parallel()
	dir, podman := t.TempDir(), filepath.Join(t.TempDir(), "auth.json")
	file := filepath.Join(dir, "config.json")
	writeFile(t, podman, `{"auths": {"quay.io": {"auth": "c2VjcmV0"}}}`)
	for name, c := range map[string]struct {
		text, registry, want string
	}{
		"written there":     {`{"auths": {"ghcr.io": {"auth": "c2VjcmV0"}}}`, "ghcr.io", file},
		"by a scheme":       {`{"auths": {"https://ghcr.io": {}}}`, "ghcr.io", file},
		"Docker Hub":        {`{"auths": {"https://index.docker.io/v1/": {}}}`, "docker.io", file},
		"another registry":  {`{"auths": {"ghcr.io": {}}}`, "quay.io", ""},
		"in a store":        {`{"auths": {"ghcr.io": {}}, "credsStore": "pass"}`, "ghcr.io", file + ", by docker-credential-pass"},
		"by a helper":       {`{"credHelpers": {"ghcr.io": "gcloud"}, "credsStore": "pass"}`, "ghcr.io", file + ", by docker-credential-gcloud"},
		"no JSON":           {`secret`, "ghcr.io", ""},
		"podman's is later": {"", "quay.io", podman},
	} {
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		if c.text != "" {
			writeFile(t, file, c.text)
		}
		got := FindCredentials(environment(map[string]string{"DOCKER_CONFIG": dir, "REGISTRY_AUTH_FILE": podman}), c.registry)
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What is told of a login is what the server will find: both read the same files.
func TestFoundCredentialsAreTheServers(t *testing.T) {
	home, elsewhere := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("DOCKER_CONFIG", elsewhere)
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	podman := filepath.Join(t.TempDir(), "auth.json")
	t.Setenv("REGISTRY_AUTH_FILE", podman)
	const login = `{"auth": "dXNlcjpzZWNyZXQ="}`
	writeFile(t, podman, `{"auths": {"quay.io": `+login+`}}`)
	for _, text := range []string{"", `{"auths": {"https://index.docker.io/v1/": ` + login + `, "ghcr.io": ` + login + `}}`} {
		if text != "" {
			writeFile(t, filepath.Join(elsewhere, "config.json"), text)
		}
		for ref, host := range map[string]string{"node": "docker.io", "ghcr.io/etl/jobs": "ghcr.io", "quay.io/etl/jobs": "quay.io"} {
			parsed, err := registry.ParseRef(ref)
			if err != nil {
				t.Fatal(err)
			}
			client := registry.New(registry.Options{})
			got, err := client.Credentials(t.Context(), parsed.Repository())
			client.Close()
			if told := FindCredentials(os.Getenv, host); err != nil || (told != "") == got.Anonymous() {
				t.Errorf("%s: the server has %s (%v), and %q is told", host, got, err, told)
			}
		}
	}
}

func TestNameImage(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]NamedImage{
		"node": {"node", "node", "latest", "docker.io"},
		"registry.example.com:5000/etl/node_jobs:1.10": {"node-jobs", "registry.example.com:5000/etl/node_jobs", "1.10", "registry.example.com:5000"},
		"jobs=acme/x:v1": {"jobs", "acme/x", "v1", "docker.io"},
	} {
		if got, err := NameImage(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x=", "Node", "node@sha256:0"} {
		if got, err := NameImage(text); err == nil {
			t.Errorf("%q became %+v", text, got)
		}
	}
}
