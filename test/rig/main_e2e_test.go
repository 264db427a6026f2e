//go:build e2e

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
)

func rig(ctx context.Context, t *testing.T, args ...string) (out, log string) {
	t.Helper()
	var o, l bytes.Buffer
	if err := run(ctx, args, &o, &l); err != nil {
		t.Fatalf("rig %v: %v", args, err)
	}
	return o.String(), l.String()
}

func TestEveryCommandMayBeRepeated(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "rig")
	ctx := t.Context()
	t.Cleanup(func() { rig(context.Background(), t, "down", "--dir", dir) })
	first, _ := rig(ctx, t, "up", "--hosts", "2", "--tls", "--ssh", "--dir", dir, "--detach")
	for _, want := range []string{
		"etl-1", "etl-2", "tcp://10.", ":2376", "Debian's engine", "unix://" + dir, "registry", dir,
		"ssh://root@10.", filepath.Join(dir, "etl-2", "tls"),
	} {
		if !strings.Contains(first, want) {
			t.Errorf("the table lacks %q:\n%s", want, first)
		}
	}
	second, log := rig(ctx, t, "up", "--hosts", "2", "--dir", dir)
	if second != first || !strings.Contains(log, "already") {
		t.Errorf("the second up said %s and showed\n%sinstead of\n%s", log, second, first)
	}
	for _, want := range []string{"taking down", ""} {
		if _, log := rig(ctx, t, "down", "--dir", dir); !strings.Contains(log, want) {
			t.Errorf("down said %q, want %q", log, want)
		}
		if _, err := fleet.Load(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after down: %v", err)
		}
	}
}

// TestATestInAnotherLanguageUsesARig is what such a test does: it runs the
// compiled program, reads all that this prints, and goes on once it has ended.
func TestATestInAnotherLanguageUsesARig(t *testing.T) {
	t.Parallel()
	binary, dir := filepath.Join(t.TempDir(), "rig"), filepath.Join(t.TempDir(), "rig")
	call(t, "go", "build", "-o", binary, ".")
	t.Cleanup(func() { rig(context.Background(), t, "down", "--dir", dir) })
	first := call(t, binary, "up", "--hosts", "1", "--dir", dir, "--detach", "-o", "json")
	var shown struct {
		Hosts    []struct{ Name, Engine, Socket, TCP string }
		Registry string
		Folder   string
	}
	if err := json.Unmarshal([]byte(first), &shown); err != nil {
		t.Fatalf("%v: %s", err, first)
	}
	if len(shown.Hosts) != 1 || shown.Hosts[0].Name != "etl-1" || shown.Hosts[0].Engine != "Debian's engine" || shown.Folder != dir {
		t.Errorf("shown: %+v", shown)
	}
	// Its starter has ended; that makes it no leftover.
	_, log := rig(t.Context(), t, "down", "--dir", filepath.Join(t.TempDir(), "another"))
	if strings.Contains(log, dir) {
		t.Errorf("the rig was taken for a leftover: %s", log)
	}
	if again := call(t, binary, "show", "--dir", dir, "-o", "json"); again != first {
		t.Errorf("later it shows\n%sinstead of\n%s", again, first)
	}
	for _, host := range []string{shown.Hosts[0].Socket, shown.Hosts[0].TCP} {
		v1 := call(t, binary, "push", "--dir", dir, "--version", "v1", "etl/jobs:latest")
		call(t, binary, "push", "--dir", dir, "--version", "v2", "--random", "1000", "--random", "2000", "etl/jobs:latest")
		for ref, want := range map[string]string{
			"/etl/jobs@" + strings.TrimSpace(v1): "program v1\n",
			"/etl/jobs:latest":                   "program v2\n",
		} {
			if got := call(t, "docker", "--host", host, "run", "--rm", "--quiet", shown.Registry+ref); got != want {
				t.Errorf("%s on %s: %q, want %q", ref, host, got, want)
			}
		}
	}
	call(t, binary, "down", "--dir", dir)
	if _, log := rig(t.Context(), t, "down", "--dir", dir); strings.Contains(log, dir) {
		t.Errorf("after down something was left: %s", log)
	}
}

// call runs a program to its end, and to the end of its output: that would
// never come if a daemon that it started had the pipe, too.
func call(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &log, 5*time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("run %s: %v\n%s", cmd, err, &log)
	}
	return out.String()
}

// interrupt is an output whose first line is followed by Ctrl-C.
type interrupt struct {
	bytes.Buffer
	cancel context.CancelFunc
}

func (i *interrupt) Write(b []byte) (int, error) {
	i.cancel()
	return i.Buffer.Write(b)
}

func TestAnInterruptEndsWhatWasStarted(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "rig")
	for _, moment := range []string{"starting", "up"} {
		ctx, cancel := context.WithCancel(t.Context())
		out, log := &interrupt{cancel: func() {}}, &interrupt{cancel: func() {}}
		if moment == "up" {
			out.cancel = cancel
		} else {
			log.cancel = cancel
		}
		err := run(ctx, []string{"up", "--hosts", "1", "--dir", dir}, out, log)
		cancel()
		if (err != nil) != (moment == "starting") || strings.Contains(out.String(), "etl-1") != (moment == "up") {
			t.Errorf("interrupted while %s: %v, %q", moment, err, out)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("interrupted while %s, the folder: %v", moment, err)
		}
	}
}
