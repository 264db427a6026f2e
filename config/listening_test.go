package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListening(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text   string
		env    []string
		listen string
		wrong  string // in the error
	}{
		"nothing said":            {text: "hosts: []", listen: defaultListen},
		"said":                    {text: "server: {listen: '127.0.0.1:1'}", listen: "127.0.0.1:1"},
		"by the environment":      {text: "server: {listen: '127.0.0.1:1'}", env: []string{"PREWARM_SERVER_LISTEN=127.0.0.1:2"}, listen: "127.0.0.1:2"},
		"mistakes elsewhere":      {text: "imagez: []\nimages: [{name: x, repository: '::'}]\nserver: {listen: '127.0.0.1:1'}\nhosts: [{name: a}]\nauth: {tokens: [{name: x}]}", listen: "127.0.0.1:1"},
		"a mistake in it":         {text: "server: {listen: nowhere}", wrong: "it is not an address with a port"},
		"an unknown key of it":    {text: "server: {liste: '127.0.0.1:1'}", wrong: "server.liste"},
		"a certificate not there": {text: "server: {tls: {cert: missing.pem, key: missing.pem}}", wrong: "server.tls.cert"},
		"a key that is no text":   {text: "server: {tls: {cert: own.pem, key: [a]}}", wrong: "server.tls.key"},
		"a key not there":         {text: "server: {listen: ':1', tls: {cert: own.pem, key: missing.pem, client_ca: missing.pem}}", listen: ":1"},
		"no YAML":                 {text: "server: {", wrong: "it is not YAML"},
		"a strange variable":      {text: "hosts: []", env: []string{"PREWARM_SERVER_LISTE=127.0.0.1:2"}, wrong: "unknown variable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "prewarm.yaml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(filepath.Dir(file), "own.pem"), []byte("what it is the server knows"), 0o600); err != nil {
				t.Fatal(err)
			}
			server, err := Listening(file, c.env)
			switch {
			case c.wrong == "" && (err != nil || server.Listen != c.listen):
				t.Errorf("got %q, %v", server.Listen, err)
			case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
				t.Errorf("got %q, %v", server.Listen, err)
			}
		})
	}
}

func TestStateFolder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text  string
		env   []string
		want  string
		wrong string // in the error
	}{
		"nothing said":       {text: "hosts: []", want: defaultFolder},
		"said":               {text: "state: {path: /srv/state}", want: "/srv/state"},
		"by the environment": {text: "state: {path: /srv/state}", env: []string{"PREWARM_STATE_PATH=/srv/other"}, want: "/srv/other"},
		"mistakes elsewhere": {text: "state: {path: /srv/state, keep: soon}\nserver: {tls: {cert: missing.pem, key: missing.pem}}\nhosts: [{name: a}]", want: "/srv/state"},
		"a mistake in it":    {text: "state: {path: [a]}", wrong: "state.path"},
		"no YAML":            {text: "state: {", wrong: "it is not YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "prewarm.yaml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			folder, err := StateFolder(file, c.env)
			switch {
			case c.wrong == "" && (err != nil || folder != c.want):
				t.Errorf("got %q, %v", folder, err)
			case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
				t.Errorf("got %q, %v", folder, err)
			}
		})
	}
}
