//go:build install

package install

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
)

// The tutorial works as it is printed: every command of the page is run, in one
// shell, in the network of a host, and what the page shows is what comes out. Two
// things this machine can't have are put in place: images of Docker Hub, and the
// packages that pip would download.
func TestTutorial(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	text, err := os.ReadFile(filepath.Join(root(t), "docs/tutorial.md"))
	if err != nil {
		t.Fatal(err)
	}
	tutorial, err := readPage(string(text))
	if err != nil {
		t.Fatal(err)
	}
	hubImages(ctx, t)
	replaced := airflowCommands(ctx, t)
	script := scriptOf(t, tutorial, replaced)
	out, err := inHost(ctx, t, script)
	compare(t, tutorial, out, err)
}

// mark stands before the output of each step, and before its exit code.
const mark = "==prewarm-tutorial=="

// scriptOf writes the commands down for one shell, which ends at the first that
// fails.
func scriptOf(t *testing.T, tutorial page, replaced map[string]string) string {
	t.Helper()
	var b strings.Builder
	for n, s := range tutorial.steps {
		command := s.command
		if s.file != "" {
			command = fmt.Sprintf("cat > %s <<'END-OF-FILE'\n%sEND-OF-FILE", s.file, s.text)
		}
		if other, ok := replaced[command]; ok {
			delete(replaced, command)
			command = other
		}
		// The reader pastes the line that init printed.
		command = strings.ReplaceAll(command, "pw_…", `'"$(cat prewarm-airflow.token)"'`)
		fmt.Fprintf(&b, "echo '%s begin %d'\n%s\ncode=$?; echo; echo '%s end' %d $code $SECONDS; [ $code = 0 ] || exit 1\n", mark, n, command, mark, n)
	}
	for command := range replaced {
		t.Errorf("the page has no command %q any more, for which the test has another", command)
	}
	return b.String()
}

// inHost runs a script in the network of the host, where its engine publishes
// ports, and gives all that it printed.
func inHost(ctx context.Context, t *testing.T, script string) (string, error) {
	t.Helper()
	host, home := shared.Hosts[0], t.TempDir()
	file := filepath.Join(t.TempDir(), "tutorial.sh")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "nsenter", "--net="+namespaceOf(ctx, t), "bash", "--norc", file)
	cmd.Dir = root(t)
	cmd.Env = []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH") + ":/usr/local/sbin:/usr/sbin:/sbin", "LANG=C.UTF-8",
		"DOCKER_HOST=" + host.Socket, "DOCKER_BUILDKIT=0",
		// What tools/leftovers.sh looks for.
		"PREWARM_AIRFLOW=" + home,
	}
	// Its own home is empty, and what Go has downloaded is not in it.
	for _, name := range []string{"GOPATH", "GOCACHE", "GOMODCACHE", "GOTOOLCHAIN", "GOFLAGS", "GOPROXY"} {
		cmd.Env = append(cmd.Env, name+"="+strings.TrimSpace(output(ctx, t, "go", "env", name)))
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// What it leaves running, as the server, ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	end := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = end
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	_ = end() // none is left where all went well
	return out.String(), err
}

var marked = regexp.MustCompile(`(?s)` + mark + ` begin (\d+)\n(.*?)\n` + mark + ` end \d+ (\d+) (\d+)\n`)

// compare holds what was printed against what the page shows.
func compare(t *testing.T, tutorial page, out string, err error) {
	t.Helper()
	ran := 0
	for _, found := range marked.FindAllStringSubmatch(out, -1) {
		n, _ := strconv.Atoi(found[1])
		s := tutorial.steps[n]
		ran++
		t.Logf("%3s s: %s%s\n%s", found[4], s.command, s.file, found[2]) // for go test -v
		switch printed := plainText(found[2]); {
		case found[3] != "0":
			t.Errorf("docs/tutorial.md:%d: %s%s ended with %s:\n%s", s.line, s.command, s.file, found[3], found[2])
		case len(s.shown) > 0 && !pattern(s.shown).MatchString(printed):
			t.Errorf("docs/tutorial.md:%d: %s: the page shows\n%s\nand this came out:\n%s", s.line, s.command, strings.Join(s.shown, "\n"), found[2])
		}
	}
	if ran != len(tutorial.steps) || err != nil {
		t.Errorf("of %d steps %d were run: %v; the output ends with:\n%s", len(tutorial.steps), ran, err, out[max(0, len(out)-2000):])
	}
}

// hubImages gives the host's engine images under the names of two of Docker Hub:
// node is this machine's, and so is the registry.
func hubImages(ctx context.Context, t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatalf("the tutorial's image stands on this machine's node: %v; install Node.js", err)
	}
	node, err := fleet.NodeImage(ctx, "tutorial")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shared.Registry.Push(ctx, "hub/node:20-slim", node); err != nil {
		t.Fatal(err)
	}
	docker := func(args ...string) {
		output(ctx, t, "docker", append([]string{"--host", shared.Hosts[0].Socket}, args...)...)
	}
	from := shared.Registry.Addr + "/hub/node:20-slim"
	docker("pull", "-q", from)
	docker("tag", from, "node:20-slim")
	dir := t.TempDir()
	registry, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Fatalf("%v; run sh test/setup.sh", err)
	}
	binary, err := os.ReadFile(registry)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"docker-registry": string(binary),
		"config.json":     `{"version": "0.1", "http": {"addr": ":5000"}, "storage": {"filesystem": {"rootdirectory": "/var/lib/registry"}}}`,
		"Dockerfile": "FROM node:20-slim\nCOPY docker-registry /usr/local/bin/\nCOPY config.json /\n" +
			`ENTRYPOINT ["docker-registry", "serve", "/config.json"]` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("DOCKER_BUILDKIT", "0") // no builder to download
	docker("build", "-q", "-t", "registry:2", dir)
	t.Cleanup(func() {
		clean := exec.Command("docker", "--host", shared.Hosts[0].Socket, "rm", "-f", "tutorial-registry")
		_ = clean.Run() // the page has done so, unless it failed
	})
}

// airflowCommands are what is run in place of the two commands that download an
// Airflow: the one of the lock file lies below an environment of the reader's
// own, and the provider is installed there as a wheel of this tree.
func airflowCommands(ctx context.Context, t *testing.T) map[string]string {
	t.Helper()
	tools := os.Getenv("PREWARM_TOOLS")
	if tools == "" {
		tools = filepath.Join(os.Getenv("HOME"), ".cache/prewarm-tools")
	}
	locked := lockedPython(ctx, t, tools, "airflow-3.3")
	builder := lockedPython(ctx, t, tools, "tools")
	wheels := t.TempDir()
	output(ctx, t, builder, "-m", "build", "--wheel", "--no-isolation", "--outdir", wheels, filepath.Join(root(t), "airflow"))
	const path = `import sysconfig; print(sysconfig.get_path("purelib"))`
	return map[string]string{
		"python3 -m venv venv": fmt.Sprintf(`%s -m venv --without-pip venv &&
			%s -c '%s' > "$(venv/bin/python -c '%s')/locked.pth"`, locked, locked, path, path),
		`venv/bin/pip install --quiet 'apache-airflow==3.3.2' "$CLONE/airflow"`: fmt.Sprintf(
			`%s -m pip --python venv/bin/python install --quiet --no-deps --no-index %s/*.whl &&
			[ "$(%s -m pip show apache-airflow | sed -n 's/^Version: //p')" = 3.3.2 ] &&
			printf '%%s\n' "#!$PWD/venv/bin/python" 'import sys' 'from airflow.__main__ import main' 'sys.exit(main())' > venv/bin/airflow &&
			chmod +x venv/bin/airflow`, locked, wheels, locked),
	}
}

// lockedPython is the Python of an environment that tools/airflow.sh makes.
func lockedPython(ctx context.Context, t *testing.T, tools, name string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, "sh", "tools/airflow.sh", tools, name)
	cmd.Dir = root(t)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return strings.TrimSpace(string(out)) + "/bin/python"
}

// namespaceOf is the network of the host: the one in which its engine is.
func namespaceOf(ctx context.Context, t *testing.T) string {
	t.Helper()
	for _, ns := range strings.Fields(output(ctx, t, "sh", "-c", "ls /run/netns")) {
		out, err := exec.CommandContext(ctx, "ip", "-n", ns, "-brief", "address").Output()
		if err == nil && strings.Contains(string(out), " "+shared.Hosts[0].Addr+"/") {
			return "/run/netns/" + ns
		}
	}
	t.Fatalf("no network has the address %s of %s", shared.Hosts[0].Addr, shared.Hosts[0].Name)
	return ""
}

// output runs a program to its end, and gives what it printed on stdout.
func output(ctx context.Context, t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	return string(out)
}
