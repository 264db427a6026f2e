// Package verify runs the programs that say whether an image is to be trusted,
// such as cosign verify.
package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// Result is how a program ended.
type Result struct {
	ExitCode int // 0 where Failure says why there is none
	// Output is the end of what it wrote to stdout and stderr, as it came.
	Output string
	// Failure is why it did not come to a verdict: it could not be started, took
	// too long, or was killed. Empty where it ended by itself.
	Failure string
	Took    time.Duration
}

// maxOutput bounds what is kept of a program's output, in bytes: the end tells
// why it failed.
const maxOutput = 8 << 10

// Run runs a program to its end, for at most limit. What it started itself ends
// with it. It gets no standard input, and the environment of this process:
// credentials of registries and proxies are there.
func Run(ctx context.Context, command []string, limit time.Duration) Result {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out tail
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	// A group of its own, so that what a script started is killed with it; its
	// children may hold the output open nevertheless.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	begun := time.Now()
	err := cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left behind; mostly there is nothing
	}
	r := Result{Took: time.Since(begun), Output: out.String()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		r.Failure = fmt.Sprintf("%s did not end within %s and was killed", command[0], limit)
	case errors.Is(err, exec.ErrWaitDelay): // it ended with 0, and its children held on to the output
	case errors.As(err, &exit) && exit.Exited():
		r.ExitCode = exit.ExitCode()
	case err != nil:
		r.Failure = fmt.Sprintf("run %s: %v", command[0], err)
	}
	return r
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > 2*maxOutput {
		t.b = append(t.b[:0], t.b[len(t.b)-maxOutput:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	b := t.b[max(0, len(t.b)-maxOutput):]
	return string(bytes.ToValidUTF8(bytes.TrimSpace(b), []byte("\uFFFD")))
}
