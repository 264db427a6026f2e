package failpoint_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// build makes the program that passes points.
func build(t *testing.T, flags ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "passes")
	out, err := exec.Command("go", append(append([]string{"build", "-o", program}, flags...), "./testdata/passes")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// pass runs it, and gives its last line and the signal that ended it.
func pass(t *testing.T, program, point string) (last, stderr string, signal syscall.Signal) {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "PREWARM_FAILPOINT="+point)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		signal = status.Signal()
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1], errs.String(), signal
}

func TestPoints(t *testing.T) {
	t.Parallel()
	program := build(t, "-tags", "failpoints")
	for _, c := range []struct {
		point, last string
		signal      syscall.Signal
	}{
		{"", "second 3", 0},
		{"first", "", syscall.SIGKILL},
		{"second", "first 1", syscall.SIGKILL},
		{"first:3", "second 2", syscall.SIGKILL},
		{"second:2", "first 2", syscall.SIGKILL},
		{"second:4", "second 3", 0},
		{"third", "second 3", 0},
	} {
		if last, _, signal := pass(t, program, c.point); last != c.last || signal != c.signal {
			t.Errorf("%q: %q, %v; want %q, %v", c.point, last, signal, c.last, c.signal)
		}
	}
	for _, wrong := range []string{"first:", "first:0", "first:x", ":2", "first:-1"} {
		if last, stderr, _ := pass(t, program, wrong); last != "" || !strings.Contains(stderr, "want NAME or NAME:N") {
			t.Errorf("%q: went on to %q, said %q", wrong, last, stderr)
		}
	}
}

// A release dies at no point, and knows nothing of the variable.
func TestReleasesHaveNoPoints(t *testing.T) {
	t.Parallel()
	program := build(t)
	if last, _, signal := pass(t, program, "first"); last != "second 3" || signal != 0 {
		t.Errorf("%q, %v", last, signal)
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(binary, []byte("PREWARM_FAILPOINT")) {
		t.Error("the variable is in a program without the tag")
	}
}
