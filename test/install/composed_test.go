//go:build install

package install

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// example is the folder of the compose example.
const example = "docs/deploy/compose"

// guide is what its readers read.
const guide = "docs/install/compose.md"

// airflowService is where tasks run.
const airflowService = "airflow-scheduler"

// composed is a copy of the example, on a host of the fleet.
type composed struct {
	t    *testing.T
	dir  string
	host string // DOCKER_HOST
	file composeFile
	// beside are further files of compose.
	beside []string
}

// composeFile is what the tests ask of compose.yaml, as `docker compose config`
// has it: with the versions of .env in it.
type composeFile struct {
	Services map[string]composeService  `json:"services"`
	Secrets  map[string]secret          `json:"secrets"`
	Volumes  map[string]json.RawMessage `json:"volumes"`
}

type secret struct {
	File string `json:"file"`
}

type composeService struct {
	Image       string            `json:"image"`
	Restart     string            `json:"restart"`
	Privileged  bool              `json:"privileged"`
	ReadOnly    bool              `json:"read_only"`
	CapDrop     []string          `json:"cap_drop"`
	SecurityOpt []string          `json:"security_opt"`
	MemLimit    string            `json:"mem_limit"`
	Environment map[string]string `json:"environment"`
	Healthcheck json.RawMessage   `json:"healthcheck"`
	Ports       []struct {
		HostIP string `json:"host_ip"`
	} `json:"ports"`
	Secrets []struct {
		Source string `json:"source"`
	} `json:"secrets"`
}

// newComposed copies the example, and makes its secrets as its readers do.
func newComposed(ctx context.Context, t *testing.T) *composed {
	t.Helper()
	c := &composed{t: t, dir: filepath.Join(t.TempDir(), "compose"), host: shared.Hosts[0].Socket}
	if err := os.CopyFS(c.dir, os.DirFS(filepath.Join(root(t), example))); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(c.dir, "secrets")); err != nil { // of whoever tries the example
		t.Fatal(err)
	}
	c.run(exec.CommandContext(ctx, "sh", "setup.sh"))
	if err := json.Unmarshal([]byte(c.compose(ctx, "config", "--format", "json")), &c.file); err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs a program in the example's folder, to its end.
func (c *composed) run(cmd *exec.Cmd) string {
	c.t.Helper()
	var out, err bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, &out, &err
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+c.host)
	if failed := cmd.Run(); failed != nil {
		c.t.Fatalf("%s: %v\n%s%s", cmd, failed, out.String(), err.String())
	}
	return strings.TrimSpace(out.String())
}

func (c *composed) compose(ctx context.Context, args ...string) string {
	c.t.Helper()
	return c.run(c.command(ctx, args...))
}

func (c *composed) command(ctx context.Context, args ...string) *exec.Cmd {
	c.t.Helper()
	all := []string{"--file", "compose.yaml"}
	for _, f := range c.beside {
		all = append(all, "--file", f)
	}
	return exec.CommandContext(ctx, composeProgram(c.t), append(all, args...)...)
}

// shell runs a line of the guide.
func (c *composed) shell(ctx context.Context, line string) {
	c.t.Helper()
	line = strings.ReplaceAll(line, "docker compose ", strings.Join(c.command(ctx).Args, " ")+" ")
	c.run(exec.CommandContext(ctx, "sh", "-euc", line))
}

// console gives the commands of the first block below a heading.
func console(t *testing.T, file, heading string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), file))
	if err != nil {
		t.Fatal(err)
	}
	_, below, _ := strings.Cut(string(text), "\n"+heading+"\n")
	_, block, _ := strings.Cut(below, "```console\n")
	block, _, found := strings.Cut(block, "```")
	var commands []string
	for line := range strings.Lines(block) {
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ "); ok {
			commands = append(commands, command)
		}
	}
	if !found || len(commands) == 0 {
		t.Fatalf("%s has no commands below %q", file, heading)
	}
	return commands
}

// prewarm is the program in its container, as the guide tells to call it.
func (c *composed) prewarm(ctx context.Context, args ...string) string {
	c.t.Helper()
	return c.compose(ctx, append([]string{"exec", "-T", "prewarm", "/prewarm"}, args...)...)
}

// docker is the command line of Docker for the engine of the example.
func (c *composed) docker(ctx context.Context, args ...string) string {
	c.t.Helper()
	return dockerAt(ctx, c.t, c.host, nil, args...)
}

// dockerAt runs Docker's own command line for an engine.
func dockerAt(ctx context.Context, t *testing.T, host string, stdin []byte, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, "docker", append([]string{"--host", host}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// eventually asks until it is so.
func eventually(ctx context.Context, t *testing.T, what string, ask func() bool) {
	t.Helper()
	for !ask() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not in time", what)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// toolsDir is where the Makefile keeps tools.
func toolsDir(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cache, "prewarm-tools")
}

var composeRequired = regexp.MustCompile(`(?m)github\.com/docker/compose/v2 (v\S+)`)

// composeProgram is Docker Compose, as a program of its own.
func composeProgram(t *testing.T) string {
	t.Helper()
	mod, err := os.ReadFile(filepath.Join(root(t), "tools/compose/go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	required := composeRequired.FindSubmatch(mod)
	if required == nil {
		t.Fatal("tools/compose/go.mod requires no Docker Compose")
	}
	path := filepath.Join(toolsDir(t), "compose-"+string(required[1]), "docker-compose")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; run: make install-test", err)
	}
	return path
}
