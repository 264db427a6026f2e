package fleet

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// sleeper starts a process that ends with the test.
func sleeper(t *testing.T, environ ...string) process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	cmd.Env = environ
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(waited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-waited
	})
	p, err := processOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAProcessIsKnownByIDAndStart(t *testing.T) {
	t.Parallel()
	p := sleeper(t)
	later := process{PID: p.PID, Start: p.Start + 1}
	if !p.alive() || later.alive() || (process{}).alive() {
		t.Errorf("alive: %v, of another start: %v, none: %v", p.alive(), later.alive(), process{}.alive())
	}
	// The id was used again, as far as this value knows: hands off.
	if err := later.signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if p.gone(100 * time.Millisecond) {
		t.Fatal("a process with another start time was killed")
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if !p.gone(10 * time.Second) {
		t.Error("the process did not end")
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		t.Errorf("signal to an ended process: %v", err)
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	const rest = " 1 5 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 0 0"
	for _, name := range []string{"sleep", "a b", "x) R 1 (y"} {
		start, state, err := parseStat([]byte("12 (" + name + ") S" + rest))
		if err != nil || start != 4711 || state != 'S' {
			t.Errorf("%q: start %d, state %c, %v", name, start, state, err)
		}
	}
	for _, bad := range []string{"", "12 (sleep) S 1", "12 (sleep) S 1 5 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 x 0 0"} {
		if _, _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
