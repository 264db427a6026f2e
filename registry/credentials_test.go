package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
)

// plainText lets cmp see the fields that Credentials hide from printing.
type plainText Credentials

func TestCredentials(t *testing.T) {
	t.Parallel()
	helper := authn.AuthConfig{Username: "<token>", IdentityToken: "from-helper"}
	for _, tc := range []struct {
		name   string
		repo   string
		access []Access
		docker authn.AuthConfig
		want   Credentials
	}{
		{"nothing anywhere", "node", nil, authn.AuthConfig{}, Credentials{}},
		{
			"configuration before the Docker config file", "reg.example.com:5000/x",
			[]Access{{Name: "REG.example.com:5000", Username: "u", Password: "p"}},
			helper,
			Credentials{Username: "u", Password: "p", Server: "reg.example.com:5000"},
		},
		{
			"another registry's entry", "reg.example.com/x",
			[]Access{{Name: "reg.example.com:5000", Username: "u", Password: "p"}},
			authn.AuthConfig{},
			Credentials{},
		},
		{
			"an entry without a login", "reg.example.com/x",
			[]Access{{Name: "reg.example.com", PlainHTTP: true}},
			helper,
			Credentials{Username: "<token>", IdentityToken: "from-helper", Server: "reg.example.com"},
		},
		{
			"Docker Hub by its name", "node",
			[]Access{{Name: "docker.io", Username: "u", Password: "p"}},
			authn.AuthConfig{},
			Credentials{Username: "u", Password: "p", Server: "https://index.docker.io/v1/"},
		},
		{
			"Docker Hub by its old name", "node",
			[]Access{{Name: "index.docker.io", Username: "u", Password: "p"}},
			authn.AuthConfig{},
			Credentials{Username: "u", Password: "p", Server: "https://index.docker.io/v1/"},
		},
		{
			"bearer token", "ghcr.io/a/b", nil,
			authn.AuthConfig{RegistryToken: "t"},
			Credentials{RegistryToken: "t", Server: "ghcr.io"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := testClient(t, tc.access...)
			c.keychain = keychain(func() (authn.AuthConfig, error) { return tc.docker, nil })
			got := must(c.Credentials(t.Context(), must(ParseRepository(tc.repo))(t)))(t)
			if diff := cmp.Diff(plainText(tc.want), plainText(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Anonymous() != (tc.want == Credentials{}) {
				t.Errorf("Anonymous() = %t for %v", got.Anonymous(), got)
			}
		})
	}
}

// Not parallel: it changes the environment.
func TestCredentialsFromTheDockerConfigFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("DOCKER_CONFIG", dir)
	login := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	config := fmt.Sprintf(`{"auths":{"https://index.docker.io/v1/":{"auth":%q},"reg.example.com:5000":{"auth":%q}}}`, login("hub:h"), login("own:o"))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c := New(Options{})
	defer c.Close()
	for repo, want := range map[string]Credentials{
		"node":                   {Username: "hub", Password: "h", Server: "https://index.docker.io/v1/"},
		"reg.example.com:5000/x": {Username: "own", Password: "o", Server: "reg.example.com:5000"},
		"reg.example.com/x":      {},
	} {
		got := must(c.Credentials(t.Context(), must(ParseRepository(repo))(t)))(t)
		if got != want {
			t.Errorf("%s: %s", repo, cmp.Diff(plainText(want), plainText(got)))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := c.Credentials(t.Context(), must(ParseRepository("node"))(t))
	if err == nil || !strings.Contains(err.Error(), "read credentials for docker.io from the Docker config file") {
		t.Errorf("broken config file: %v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	cred := Credentials{Username: "ci", Password: "secret-p", IdentityToken: "secret-i", RegistryToken: "secret-r", Server: "reg.example.com"}
	access := Access{Name: "reg.example.com", Username: "ci", Password: "secret-a"}
	options := Options{Access: []Access{access}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+verb+verb+"\n", cred, &cred, access, options, New(options))
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("m", "cred", cred, "access", access, "options", options)
	}
	out.Write(must(json.Marshal(map[string]any{"cred": cred, "access": access, "options": options}))(t))
	if text := out.String(); strings.Contains(text, "secret-") || strings.Contains(text, fmt.Sprintf("%x", "secret-")) {
		t.Errorf("a secret shows in:\n%s", text)
	} else if strings.Count(text, "reg.example.com") < 20 {
		t.Errorf("the registry's name is missing from:\n%s", text)
	}
}
