package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tool is a program that prints and ends like a govulncheck. Tests that use it
// do not run in parallel: a program that is being written while another test
// forks can't be executed ("text file busy").
func tool(t *testing.T, stdout, stderr, code string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "govulncheck")
	script := "#!/bin/sh\ncat <<'EOF'\n" + stdout + "\nEOF\ncat >&2 <<'EOF'\n" + stderr + "\nEOF\nexit " + code + "\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

const clean = `{"config": {"protocol_version": "v1.0.0", "scan_level": "symbol"}}`

func TestScan(t *testing.T) {
	const fetching = "govulncheck: fetching vulnerabilities: "
	for name, c := range map[string]struct {
		stdout, stderr, code string
		unreachable, fails   bool
	}{
		"clean":            {stdout: clean, code: "0"},
		"no name":          {stderr: fetching + `Get "https://vuln.go.dev/index/modules.json.gz": dial tcp: lookup vuln.go.dev: no such host`, code: "1", unreachable: true},
		"refused by proxy": {stderr: fetching + "HTTP GET https://vuln.go.dev/index/modules.json.gz returned unexpected status: 403 Forbidden", code: "1", unreachable: true},
		"moved away":       {stderr: fetching + "HTTP GET https://vuln.go.dev/index/modules.json.gz returned unexpected status: 404 Not Found", code: "1", fails: true},
		"does not compile": {stdout: clean, stderr: "govulncheck: loading packages: There are errors with the provided package patterns", code: "1", fails: true},
		"killed":           {stdout: clean, code: "137", fails: true},
		"says nothing":     {code: "0", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scan(t.Context(), tool(t, c.stdout, c.stderr, c.code), "https://vuln.go.dev", []string{"./..."})
			if got := errors.Is(err, errUnreachable); got != c.unreachable || (err != nil) != (c.unreachable || c.fails) {
				t.Errorf("error %v, unreachable %v; want unreachable %v, fails %v", err, got, c.unreachable, c.fails)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	recorded, err := os.ReadFile("testdata/docker.json")
	if err != nil {
		t.Fatal(err)
	}
	now := day(2026, time.November, 22)
	for name, c := range map[string]struct{ tool, want string }{
		"unreachable": {tool(t, "", `govulncheck: fetching vulnerabilities: Get "https://vuln.go.dev/index": EOF`, "1"), "NOT CHECKED FOR KNOWN VULNERABILITIES"},
		"excused":     {tool(t, string(recorded), "", "0"), "GO-2026-4887 in github.com/docker/docker is excused until"},
	} {
		var out strings.Builder
		if err := check(t.Context(), &out, c.tool, "https://vuln.go.dev", []string{"./..."}, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: want %q in:\n%s", name, c.want, out.String())
		}
	}
}
