//go:build install

package install

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// What docs/install/README.md says to type takes everything of Prewarm's off a
// host, and nothing else. It is not parallel: the engine is shared, and this
// takes what others would be using.
func TestRemoval(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	leaveTraces(t, ctx)
	host := shared.Hosts[0]
	shell(t, ctx, host, "docker volume create not-prewarms")
	shell(t, ctx, host, "docker image tag $(docker image ls -q "+shared.Registry.Addr+"/leaving | head -n 1) kept.example.com/jobs:mine")
	look := between(t, "To look, on each host:\n\n```sh\n", "```")
	for _, want := range []string{"prewarm-", ":prewarm-"} {
		if out := shell(t, ctx, host, look); !strings.Contains(out, want) {
			t.Fatalf("nothing to remove, so that this proves nothing: no %q in\n%s", want, out)
		}
	}
	shell(t, ctx, host, between(t, "<!-- begin remove: a test runs this -->\n```sh\n", "```"))
	if out := shell(t, ctx, host, "{\n"+look+"} || true"); strings.Contains(out, "prewarm-") {
		t.Errorf("left:\n%s", out)
	}
	if out := shell(t, ctx, host, "docker image ls; docker volume ls"); !strings.Contains(out, "kept.example.com/jobs") || !strings.Contains(out, "not-prewarms") {
		t.Errorf("something of others went:\n%s", out)
	}
	shell(t, ctx, host, "docker volume rm not-prewarms; docker image rm kept.example.com/jobs:mine")
}

// leaveTraces lets a server leave on the host whatever one leaves: a kept image,
// its marker, a scope's volume, and the container of a run.
func leaveTraces(t *testing.T, ctx context.Context) {
	t.Helper()
	const repository = "leaving"
	if _, err := shared.Registry.Push(ctx, repository+":latest", fleet.ProgramImage("leaving")); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	binary, err := prewarmtest.Build(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	address, err := prewarmtest.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prewarm.yaml")
	text := prewarmtest.Config(shared, address, filepath.Join(dir, "state"), "{name: leaving, repository: "+shared.Registry.Addr+"/"+repository+"}")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := prewarmtest.Serve(ctx, binary, file, address, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"run", "leaving", "--wait-warm", "1m", "--pin-scope", "s", "--scope-volume", "/work", "--", "version"},
		{"run", "leaving", "--detach", "--", "sleep", "10m"},
	} {
		if out, err := server.Command(ctx, args...).CombinedOutput(); err != nil {
			t.Fatalf("prewarm %v: %v\n%s", args, err, out)
		}
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		out, err := server.Command(ctx, "ps", "--state", "running").CombinedOutput()
		if err == nil && strings.Contains(string(out), "leaving") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the run does not start: %v\n%s", err, out)
		}
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
}

// between is a part of docs/install/README.md.
func between(t *testing.T, begin, end string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root(t), "docs", "install", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), begin)
	part, _, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("the page has no %q", begin)
	}
	return part
}

// shell runs commands as they are typed on a host.
func shell(t *testing.T, ctx context.Context, host *fleet.Host, script string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+host.Socket)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	return string(out)
}
