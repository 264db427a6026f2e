//go:build e2e

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The story, by the lines without which it would not be told, in their order.
func TestTheDemoTellsItsStoryAndLeavesNothing(t *testing.T) {
	s := startDemo(t)
	want := []string{
		"all serve after",
		"pushed ",
		"$ prewarm serve --config prewarm.yaml",
		"$ prewarm warm node-jobs",
		": warm",
		"$ prewarm run node-jobs -- lines 4 500ms",
		"line 4",
		"$ prewarm check node-jobs",
		"new: warming begins",
		"$ prewarm run node-jobs -- version",
		"v1",
		"$ prewarm warm node-jobs",
		"current: sha256:",
		"$ prewarm run node-jobs -- version",
		"v2",
		"$ prewarm status",
		"etl-1  etl-2  etl-3",
		"warm   warm   warm",
		"nothing is left running",
	}
	for _, line := range want {
		s.read(line)
	}
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	s.wantNothingLeft()
}

// Whatever it is doing, a signal makes it take everything down.
func TestASignalTakesEverythingDown(t *testing.T) {
	for _, c := range []struct {
		name, at string
		signal   syscall.Signal
	}{
		{"while hosts start", "starting 3 hosts", syscall.SIGINT},
		{"while a command runs", "line 1", syscall.SIGINT},
		{"terminated", "$ prewarm serve", syscall.SIGTERM},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startDemo(t)
			s.read(c.at)
			if err := s.cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			s.read("taking everything down")
			if code := s.end(); code != 128+int(c.signal) {
				t.Errorf("exit code %d, want %d", code, 128+int(c.signal))
			}
			s.wantNothingLeft()
		})
	}
}

// Outside of the module there is nothing to build, which is found out when the
// hosts are up.
func TestAFailureTakesEverythingDown(t *testing.T) {
	s := startDemo(t, func(cmd *exec.Cmd) { cmd.Dir = t.TempDir() })
	s.read("demo: build prewarm: ")
	s.read("nothing is left running")
	if code := s.end(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	s.wantNothingLeft()
}

// A reader who closes the pipe is no reason to leave engines behind.
func TestAClosedPipeTakesEverythingDown(t *testing.T) {
	s := startDemo(t)
	s.read("building prewarm")
	if err := s.out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); s.cmd.ProcessState.ExitCode() != 128+int(syscall.SIGPIPE) {
		t.Errorf("it ended with: %v", err)
	}
	s.wantNothingLeft()
}

// show is a demo that runs as a child, with a pipe for its output.
type show struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   *os.File
	lines *bufio.Scanner
	seen  strings.Builder
	dir   string // the fleet's folder
	id    string // and id, once it is known
}

func startDemo(t *testing.T, changes ...func(*exec.Cmd)) *show {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "demo")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the demo: %v\n%s", err, out)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &show{t: t, cmd: exec.CommandContext(t.Context(), binary, "--small"), out: r, lines: bufio.NewScanner(r)}
	s.cmd.Stdout, s.cmd.Stderr = w, w
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	for _, change := range changes {
		change(s.cmd)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

// read goes on to the next line that holds text.
func (s *show) read(text string) {
	s.t.Helper()
	for s.lines.Scan() {
		line := s.lines.Text()
		s.seen.WriteString(line + "\n")
		s.note(line)
		if strings.Contains(line, text) {
			return
		}
	}
	s.t.Fatalf("no line with %q comes (%v) after:\n%s", text, s.lines.Err(), s.seen.String())
}

// note learns which fleet it is.
func (s *show) note(line string) {
	if _, dir, ok := strings.Cut(line, "starting 3 hosts and a registry in "); ok {
		s.dir = dir
		var state struct{ ID string }
		b, err := os.ReadFile(filepath.Join(dir, "fleet.json"))
		if err == nil {
			err = json.Unmarshal(b, &state)
		}
		if err != nil || state.ID == "" {
			s.t.Fatalf("no fleet in %s: %v", dir, err)
		}
		s.id = state.ID
	}
}

// end reads the rest and gives the exit code.
func (s *show) end() int {
	s.t.Helper()
	for s.lines.Scan() {
		s.seen.WriteString(s.lines.Text() + "\n")
	}
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if s.t.Failed() || err != nil {
		s.t.Logf("the demo printed:\n%s", s.seen.String())
	}
	return s.cmd.ProcessState.ExitCode()
}

// wantNothingLeft looks for what a fleet and its demo leave when they are not
// taken down: everything of it carries its id.
func (s *show) wantNothingLeft() {
	s.t.Helper()
	if s.id == "" {
		s.t.Fatal("the test did not see which fleet it was")
	}
	for _, pattern := range []string{s.dir, "/run/netns/*" + s.id + "*", "/sys/class/net/*" + s.id + "*", "/run/prewarm-fleet/" + s.id} {
		left, err := filepath.Glob(pattern)
		if err != nil || len(left) > 0 {
			s.t.Errorf("left behind: %v %v", left, err)
		}
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		left := s.processes()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("still running: %q", left)
		}
	}
}

// processes lists what runs with the fleet's mark or from its folder.
func (s *show) processes() []string {
	var found []string
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range all {
		environ, _ := os.ReadFile(filepath.Join(p, "environ")) // it may just have ended
		cmdline, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		if strings.Contains(string(environ), "PREWARM_FLEET="+s.id) || strings.Contains(string(cmdline), s.dir) {
			found = append(found, p+" "+string(cmdline))
		}
	}
	return found
}
