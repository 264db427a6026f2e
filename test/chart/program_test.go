//go:build chart

package chart

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prewarm/prewarm/test/prewarmtest"
)

// built is the folder with the program, once a test needed it.
var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // a folder in /tmp is all that would be left
	}
	os.Exit(code)
}

// program builds the program, once for all tests: they come one after another.
func program(t *testing.T) string {
	t.Helper()
	if built == "" {
		dir, err := os.MkdirTemp("", "prewarm-chart-")
		if err != nil {
			t.Fatal(err)
		}
		built = dir
	}
	path := filepath.Join(built, "prewarm")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	cmd := exec.Command("go", "build", "-o", path, "./cmd/prewarm")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return path
}

// env is what a container has: nothing of this machine.
func (p pod) env(more ...string) []string {
	return append(append([]string{"HOME=/nonexistent"}, p.environ...), more...)
}

// TestConfigurations lets the program read what each example gives it.
func TestConfigurations(t *testing.T) {
	prewarm := program(t)
	for _, values := range append(examples(t), "") {
		t.Run(strings.TrimSuffix(filepath.Base(values), ".yaml"), func(t *testing.T) {
			p := start(t, render(t, values))
			cmd := exec.Command(prewarm, "config", "check", "--config", p.config)
			cmd.Env = p.env()
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if err != nil || !strings.Contains(string(out), " is good: ") || strings.Contains(string(out), "warning") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestServes starts what the chart gives without any values, and asks it as
// somebody does who executes a verb in its container.
func TestServes(t *testing.T) {
	prewarm := program(t)
	p := start(t, render(t, ""))
	address, err := prewarmtest.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	// The container has the port for itself; this machine may not.
	environ := p.env("PREWARM_SERVER_LISTEN=:"+port, "PREWARM_URL=http://"+address)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var log bytes.Buffer
	server := exec.CommandContext(ctx, prewarm, "serve", "--config", p.config)
	server.Env, server.Stderr = environ, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	status := func() (string, error) {
		cmd := exec.CommandContext(ctx, prewarm, "status")
		cmd.Env = environ
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := status()
	for err != nil && ctx.Err() == nil && strings.Contains(out, "refused") {
		time.Sleep(50 * time.Millisecond) // nothing tells that another process listens
		out, err = status()
	}
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("status: %v\n%s", err, out)
	}
	asStranger := exec.CommandContext(ctx, prewarm, "status")
	asStranger.Env = []string{"HOME=/nonexistent", "PREWARM_URL=http://" + address}
	if out, err := asStranger.CombinedOutput(); err == nil || !strings.Contains(string(out), "token") {
		t.Errorf("status without a token: %v\n%s", err, out)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("serve: %v\n%s", err, log.String())
	}
}
