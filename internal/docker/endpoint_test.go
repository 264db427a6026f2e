package docker

import (
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in       string
		insecure bool
		want     string // empty: refused
	}{
		{"unix:///var/run/docker.sock", false, "unix:///var/run/docker.sock"},
		{"tcp://10.0.0.11:2375", true, "tcp://10.0.0.11:2375"},
		{"tcp://[fd00::1]:2375", true, "tcp://[fd00::1]:2375"},
		{"tcp://10.0.0.11:2375/", true, "tcp://10.0.0.11:2375"},
		{"tcp://10.0.0.11:2375", false, ""},
		{"tcp://10.0.0.11", true, ""},
		{"tcp://:2375", true, ""},
		{"tcp://10.0.0.11:2375/path", true, ""},
		{"unix://var/run/docker.sock", false, ""},
		{"unix://", false, ""},
		{"/var/run/docker.sock", false, ""},
		{"ssh://me@etl-1", true, ""},
		{"http://etl-1:2375", true, ""},
		{"://", true, ""},
		{"", true, ""},
	} {
		got, err := parseEndpoint(c.in, c.insecure)
		switch {
		case c.want == "" && problem.CodeOf(err) != problem.InvalidConfig:
			t.Errorf("parseEndpoint(%q, %v) = %v, %v; want it refused", c.in, c.insecure, got, err)
		case c.want == "" && problem.From(err).Mend == "":
			t.Errorf("parseEndpoint(%q, %v): no mend", c.in, c.insecure)
		case c.want != "" && (err != nil || got.String() != c.want):
			t.Errorf("parseEndpoint(%q, %v) = %v, %v; want %s", c.in, c.insecure, got, err, c.want)
		}
	}
}
