package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEnvironGoesBeforeTheFile(t *testing.T) {
	t.Parallel()
	path := write(t, `
server: {listen: nonsense}
state: {path: /from/file}
hosts: [{name: from-file, endpoint: unix:///a, unknown: 1}]
`)
	got := mustLoad(t, path,
		"PREWARM_SERVER_LISTEN=0.0.0.0:1", "PREWARM_SERVER_LISTEN=127.0.0.1:1", "PREWARM_STATE_PATH=",
		`PREWARM_HOSTS=[{"name": "from-json", "endpoint": "unix:///b", "labels": {"pool": "etl"}}]`,
		"PREWARM_IMAGES=- name: node\n  repository: node\n  track: {tag: 1.10}\n",
		"PREWARM_REGISTRIES=[]", "PREWARM_AUTH_TOKENS=[{name: a, token: hunter2-hunter2-hunter2, scopes: [run]}]",
	)
	want := &Config{
		Server: Server{Listen: "127.0.0.1:1", LinkLife: defaultServer().LinkLife, Limits: defaultServer().Limits},
		Auth:   Auth{Tokens: []Token{{Name: "a", Value: "hunter2-hunter2-hunter2", Grant: Grant{Scopes: []string{"run"}, Namespace: "default"}}}},
		State:  State{Path: "/from/file", Keep: 2160 * time.Hour},
		Hosts:  []Host{{Name: "from-json", Endpoint: "unix:///b", Labels: map[string]string{"pool": "etl"}, Limits: defaultLimits()}},
		Images: []Image{{Name: "node", Repository: mustRepository(t, "node"), Track: Track{Tag: "1.10"}, Watch: mustSchedule(t, "@every 1m"), Promote: Promote{When: All, Straggler: 15 * time.Minute}, Keep: 2}},
		Prune:  Default().Prune,
		Runner: Default().Runner,
	}
	if diff := cmp.Diff(want, got, comparers()); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

// Load takes its environment as an argument; the process's own counts nothing.
func TestProcessEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("PREWARM_SERVER_LISTEN", "127.0.0.1:1")
	t.Setenv("SERVER::LISTEN", "127.0.0.1:2")
	if got := mustLoad(t, "").Server.Listen; got != Default().Server.Listen {
		t.Errorf("listen = %s", got)
	}
}

func TestEnvironMistakes(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]string{
		"PREWARM_SERVER_LISTEN=0.0.0.0:80":                `PREWARM_SERVER_LISTEN: server.listen "0.0.0.0:80": it is not a loopback address, and without TLS`,
		"PREWARM_STATE_PATH=~/x":                          `PREWARM_STATE_PATH: state.path "~/x": ~ is a shell's word`,
		"PREWARM_HOSTS=etl-1":                             "PREWARM_HOSTS: hosts: it must be a list, and is a single value",
		"PREWARM_HOSTS=~":                                 "PREWARM_HOSTS: hosts: it holds nothing; write []",
		"PREWARM_HOSTS=[{name: x}":                        "PREWARM_HOSTS:1: hosts: it is not YAML",
		"PREWARM_IMAGES=\xff":                             "PREWARM_IMAGES:1: images: it is not UTF-8 text",
		"PREWARM_HOSTS=- name: X\n  endpoint: unix:///a":  `PREWARM_HOSTS:1: hosts[0].name "X": a name is`,
		"PREWARM_REGISTRIES=[{name: a.b, passwd: hunter2": "PREWARM_REGISTRIES:1: registries: it is not YAML",
		"PREWARM_REGISTRIES={password: hunter2}":          "PREWARM_REGISTRIES: registries: it must be a list, and is a mapping",
		"PREWARM_SERVER_LISEN=hunter2":                    "PREWARM_SERVER_LISEN: unknown variable; did you mean PREWARM_SERVER_LISTEN?",
		"PREWARM_IMAGE=hunter2":                           "PREWARM_IMAGE: unknown variable; did you mean PREWARM_IMAGES?",
		"PREWARM_SERVER_TIMEOUT=hunter2":                  "PREWARM_SERVER_TIMEOUT: unknown variable; known: PREWARM_SERVER_LISTEN",
		"PREWARM_AUTH_PASSWORD=hunter2":                   "PREWARM_AUTH_PASSWORD: unknown variable; known:",
		"PREWARM_SERVER_TLS_KEY=a.key":                    "the configuration has 2 mistakes:\n  PREWARM_SERVER_TLS_KEY: server.tls.key: a key without its certificate",
		"PREWARM_AUTH_TOKENS=[{name: a, token: hunter2}]": "the configuration has 2 mistakes:\n  PREWARM_AUTH_TOKENS:1: auth.tokens[0].token: the token has fewer than 20 characters",
		"PREWARM_WEBHOOKS=hunter2":                        "PREWARM_WEBHOOKS: webhooks: it must be a list, and is a single value",
		"PREWARM_NOTIFY=[{name: a}]":                      "PREWARM_NOTIFY:1: notify[0]: it does not say where to tell",
		"PREWARM_HOSTS_0_NAME=hunter2":                    "PREWARM_HOSTS_0_NAME: unknown variable; known:",
	} {
		t.Run(strings.ToValidUTF8(entry, "?"), func(t *testing.T) {
			t.Parallel()
			if got := refused(t, "", []string{entry}).Error(); !strings.HasPrefix(got, want) {
				t.Errorf("got  %s\nwant %s …", got, want)
			}
		})
	}
}

func TestEnvironOfOthersIsIgnored(t *testing.T) {
	t.Parallel()
	mustLoad(t, "", "PREWARM_URL=http://127.0.0.1:8470", "PREWARM_TOKEN=x", "PREWARM_TOKEN_FILE=/x", "PREWARM_CONFIG=/etc/prewarm.yaml",
		"PREWARM_SERVICE_HOST=10.0.0.1", "PREWARM_PORT=tcp://10.0.0.1:8470", "PREWARM_PORT_8470_TCP_ADDR=10.0.0.1",
		"PREWARM_SERVER_SERVICE_HOST=10.0.0.1", "PREWARM_SERVER_SERVICE_PORT_HTTP=1", "PREWARM_SERVER_PORT_8470_TCP=x",
		"PREWARM_LISTEN", "=C:=C:\\", "PATH=/bin", "prewarm_server_lisen=x")
}
