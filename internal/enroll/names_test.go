package enroll

import (
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestParseNames(t *testing.T) {
	t.Parallel()
	n, err := ParseNames([]string{"ETL-1.internal", "10.0.0.11", "etl-1.internal", "::1", "0:0::1", "10.0.0.11"})
	if err != nil || n.String() != "etl-1.internal, 10.0.0.11, ::1" {
		t.Errorf("ParseNames = %q, %v", n, err)
	}
	for _, bad := range []string{"", "etl-1:2376", "a b", "*", "-x", "x-", "tcp://h", "h/x", "ü"} {
		if _, err := ParseNames([]string{bad}); problem.CodeOf(err) != problem.InvalidRequest || problem.From(err).Mend == "" {
			t.Errorf("ParseNames(%q): %v", bad, err)
		}
	}
}

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"tcp://10.0.0.11:2376": "tcp://10.0.0.11:2376", "tcp://ETL-1:2376/": "tcp://etl-1:2376", "tcp://[::1]:2376": "tcp://[::1]:2376",
	} {
		if e, err := ParseEndpoint(text); err != nil || e.String() != want {
			t.Errorf("ParseEndpoint(%q) = %q, %v", text, e, err)
		}
	}
	for _, bad := range []string{
		"", "10.0.0.11:2376", "tcp://10.0.0.11", "tcp://:2376", "tcp://h:0", "tcp://h:99999", "tcp://h:2376/x", "tcp://u@h:2376",
		"unix:///var/run/docker.sock", "ssh://u@h", "https://h:2376", "tcp://h:2376?x", "tcp://a_-:1",
	} {
		if e, err := ParseEndpoint(bad); problem.CodeOf(err) != problem.InvalidRequest || problem.From(err).Mend == "" {
			t.Errorf("ParseEndpoint(%q) = %v, %v", bad, e, err)
		}
	}
}
