package main

import (
	"os"
	"strings"
	"testing"
)

// A disk that is full under stdout is told by every verb, tables and help too.
func TestFullDiskIsTold(t *testing.T) {
	t.Parallel()
	f := serve(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = full.Close() })
	for _, c := range []struct {
		code int
		args []string
	}{
		{1, []string{"status"}},
		{1, []string{"ps", "--all"}},
		{1, []string{"images"}},
		{1, []string{"audit"}},
		{1, []string{"version"}},
		{1, []string{"--help"}},
		{1, []string{"status", "-o", "json"}},
		// 1 would be the container's.
		{123, []string{"run", "--help"}},
		{123, []string{"run", "--dry-run", "jobs"}},
	} {
		p := start(t, f.url, full, c.args...)
		p.wantEnd(c.code, "prewarm: write /dev/stdout: no space left on device")
	}
	p := start(t, f.url, full, "run", "--detach", "jobs", "--", "true")
	p.wantEnd(123, " goes on, and its id could not be printed: write /dev/stdout: no space left on device")
	run := f.theRun(t)
	if !strings.Contains(p.stderr.String(), run) {
		t.Errorf("stderr does not name run %s: %s", run, p.stderr)
	}
	p = start(t, f.url, full, "wait", "-o", "json", run)
	p.wantEnd(123, "write /dev/stdout: no space left on device")
}
