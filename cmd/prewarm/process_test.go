package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// quickRace lets a program built with the race detector end without its usual
// pause of a second.
const quickRace = "atexit_sleep_ms=0"

// process is this program, started by a test that sends it signals.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr *output
}

// output is what a process printed so far.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	printed chan struct{} // holds one token after each write
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.printed <- struct{}{}:
	default:
	}
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until the output contains a text.
func (o *output) await(t *testing.T, text string) {
	t.Helper()
	limit := time.After(time.Minute)
	for !strings.Contains(o.String(), text) {
		select {
		case <-o.printed:
		case <-limit:
			t.Fatalf("%q was not printed, but: %s", text, o)
		}
	}
}

// start starts the program against a server. Its stdout goes to stdout, or to
// the process's own where that is nil.
func start(t *testing.T, url string, stdout io.Writer, args ...string) *process {
	t.Helper()
	return startIn(t, nil, url, stdout, args...)
}

// startIn starts the program with more variables in its environment.
func startIn(t *testing.T, env []string, url string, stdout io.Writer, args ...string) *process {
	t.Helper()
	p := &process{
		t: t, cmd: exec.CommandContext(t.Context(), "prewarm", args...),
		stdout: &output{printed: make(chan struct{}, 1)}, stderr: &output{printed: make(chan struct{}, 1)},
	}
	p.cmd.Env = append(append(os.Environ(), "PREWARM_URL="+url, "GORACE="+quickRace), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wantEnd wants the process to end with a code, and to have said why.
func (p *process) wantEnd(code int, reason string) {
	p.t.Helper()
	if err := p.end(code, reason); err != nil {
		p.t.Error(err)
	}
}

// end waits for the process, and tells how its end is another one.
func (p *process) end(code int, reason string) error {
	_ = p.cmd.Wait() // its error is the code
	if got := p.cmd.ProcessState.ExitCode(); got != code || !strings.Contains(p.stderr.String(), reason) {
		return fmt.Errorf("exit code %d, want %d, and stderr to say %q: %s", got, code, reason, p.stderr)
	}
	return nil
}

// terminate ends the process by SIGTERM, within a second.
func (p *process) terminate(reason string) error {
	p.t.Helper()
	begun := time.Now()
	p.signal(syscall.SIGTERM)
	if err := p.end(143, reason); err != nil {
		return err
	}
	if took := time.Since(begun); took > time.Second {
		return fmt.Errorf("it took %s", took)
	}
	return nil
}

// atBest wants one of three tries to go well: the program gives each step of its
// end some tenths of a second, which a busy machine can take for itself.
func atBest(t *testing.T, try func() error) {
	t.Helper()
	var failed []error
	for range 3 {
		err := try()
		if err == nil {
			return
		}
		failed = append(failed, err)
	}
	t.Error(errors.Join(failed...))
}

// serve starts a server on which jobs is warm.
func serve(t *testing.T) *fleet {
	t.Helper()
	f, err := newFleet(t.Context(), t.TempDir(), "e1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := f.warm(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	return f
}

// theRun is the only run of a server.
func (f *fleet) theRun(t *testing.T) string {
	t.Helper()
	all, err := f.api.Runs(t.Context())
	if err != nil || len(all.Runs) != 1 {
		t.Fatalf("%d runs, %v; want one", len(all.Runs), err)
	}
	return all.Runs[0].ID
}

// wantState waits until the only run is in a state.
func (f *fleet) wantState(t *testing.T, want string) {
	t.Helper()
	id := f.theRun(t)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		run, err := f.api.Run(t.Context(), id)
		switch {
		case err != nil:
			t.Fatal(err)
		case run.State == want:
			return
		case time.Now().After(deadline):
			t.Fatalf("the run is %s, want %s", run.State, want)
		}
	}
}
