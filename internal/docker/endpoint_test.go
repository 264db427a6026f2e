package docker

import (
	"strings"
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want string // empty: refused
	}{
		{"unix:///var/run/docker.sock", "unix:///var/run/docker.sock"},
		{"tcp://10.0.0.11:2375", "tcp://10.0.0.11:2375"},
		{"tcp://[fd00::1]:2375", "tcp://[fd00::1]:2375"},
		{"tcp://10.0.0.11:2375/", "tcp://10.0.0.11:2375"},
		{"tcp://10.0.0.11", ""},
		{"tcp://:2375", ""},
		{"tcp://10.0.0.11:2375/path", ""},
		{"unix://var/run/docker.sock", ""},
		{"unix://", ""},
		{"/var/run/docker.sock", ""},
		{"ssh://me@etl-1", "ssh://me@etl-1:22/var/run/docker.sock"},
		{"ssh://me@etl-1:2222/run/user/1000/docker.sock", "ssh://me@etl-1:2222/run/user/1000/docker.sock"},
		{"ssh://me@[fd00::1]", "ssh://me@[fd00::1]:22/var/run/docker.sock"},
		{"ssh://etl-1", ""},
		{"ssh://me@", ""},
		{"ssh://me:secret@etl-1", ""},
		{"ssh://me@etl-1/sock?x=1", ""},
		{"http://etl-1:2375", ""},
		{"://", ""},
		{"", ""},
	} {
		got, err := parseEndpoint(c.in)
		switch {
		case c.want == "" && problem.CodeOf(err) != problem.InvalidConfig:
			t.Errorf("parseEndpoint(%q) = %v, %v; want it refused", c.in, got, err)
		case c.want == "" && strings.Contains(err.Error(), "secret"):
			t.Errorf("parseEndpoint(%q) tells the password: %v", c.in, err)
		case c.want == "" && problem.From(err).Mend == "":
			t.Errorf("parseEndpoint(%q): no mend", c.in)
		case c.want != "" && (err != nil || got.String() != c.want):
			t.Errorf("parseEndpoint(%q) = %v, %v; want %s", c.in, got, err, c.want)
		}
	}
}

func TestNewRefusesWaysThatContradict(t *testing.T) {
	t.Parallel()
	known := &SSH{KnownHosts: "known_hosts"}
	for _, c := range []struct {
		name string
		o    Options
		ok   bool
	}{
		{"plain tcp", Options{Endpoint: "tcp://etl-1:2375"}, false},
		{"plain tcp, asked for", Options{Endpoint: "tcp://etl-1:2375", Insecure: true}, true},
		{"TLS", Options{Endpoint: "tcp://etl-1:2376", TLS: &TLS{}}, true},
		{"TLS and insecure", Options{Endpoint: "tcp://etl-1:2376", TLS: &TLS{}, Insecure: true}, false},
		{"TLS, half a pair", Options{Endpoint: "tcp://etl-1:2376", TLS: &TLS{Cert: "cert.pem"}}, false},
		{"TLS on a socket", Options{Endpoint: "unix:///var/run/docker.sock", TLS: &TLS{}}, false},
		{"ssh", Options{Endpoint: "ssh://me@etl-1", SSH: known}, true},
		{"ssh without settings", Options{Endpoint: "ssh://me@etl-1"}, false},
		{"ssh without known hosts", Options{Endpoint: "ssh://me@etl-1", SSH: &SSH{KeyFile: "id"}}, false},
		{"ssh settings on a port", Options{Endpoint: "tcp://etl-1:2375", Insecure: true, SSH: known}, false},
	} {
		h, err := New(c.o)
		switch {
		case c.ok && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.ok:
			h.Close()
		case problem.CodeOf(err) != problem.InvalidConfig || problem.From(err).Mend == "":
			t.Errorf("%s: got %v; want it refused, with a mend", c.name, err)
		}
	}
}
