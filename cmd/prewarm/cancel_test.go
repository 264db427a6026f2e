package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
)

// stubborn is a program that does not stop until its container is killed.
func stubborn(ctx context.Context, p *dockertest.Process) int {
	fmt.Fprintln(p.Stdout, "working")
	select {
	case <-p.Stopped:
		fmt.Fprintln(p.Stdout, "stopping")
	case <-ctx.Done():
	}
	<-ctx.Done()
	return 137
}

// SIGTERM ends the program at once, whatever the container does; whoever sent
// it kills soon after.
func TestSIGTERMCancelsWithinASecond(t *testing.T) {
	t.Parallel()
	atBest(t, func() error {
		f := serve(t)
		f.hosts["e1"].Program("stubborn", stubborn)
		p := start(t, f.url, nil, "run", "jobs", "--", "stubborn")
		p.stdout.await(t, "working")
		err := p.terminate("canceled: signal terminated")
		f.wantState(t, "canceling")
		return err
	})
}

// SIGINT prints on until the container's end.
func TestSIGINTShowsTheEnd(t *testing.T) {
	t.Parallel()
	f := serve(t)
	p := start(t, f.url, nil, "run", "jobs", "--", "sleep", "1m")
	p.stdout.await(t, "sleeping")
	p.signal(syscall.SIGINT)
	p.wantEnd(130, "canceled: signal interrupt")
	if got := p.stdout.String(); got != "sleeping\nterminated\n" {
		t.Errorf("stdout is %q", got)
	}
	f.wantState(t, "canceled")
	if got := p.stderr.String(); strings.Count(got, "\n") != 1 {
		t.Errorf("stderr is the container's until the reason, but it has: %s", got)
	}
}

// With -o json the canceled run is printed.
func TestSIGINTPrintsTheRunAsJSON(t *testing.T) {
	t.Parallel()
	f := serve(t)
	p := start(t, f.url, nil, "run", "jobs", "-o", "json", "--", "sleep", "1m")
	p.stdout.await(t, "sleeping")
	p.signal(syscall.SIGINT)
	p.wantEnd(130, "canceled")
	if got := p.stdout.String(); !strings.Contains(got, `"state":"canceled"`) || !strings.Contains(got, `"exit_code":7`) {
		t.Errorf("stdout is %s", got)
	}
}

// A run that is not canceled goes on: nobody watches it to its end, and the
// reason is said at once.
func TestSIGINTThatCancelsNothingEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := newStub(t, 1, func(s *stub) {
		s.live = true
		s.refuse = func(r *http.Request, _ int) *api.Problem {
			if strings.HasSuffix(r.URL.Path, "/cancel") {
				return refusal(http.StatusConflict, problem.JoinedSince, "another call has joined it since", "to cancel it nevertheless: prewarm cancel r1")
			}
			return nil
		}
	})
	p := start(t, s.URL, nil, "run", "jobs")
	p.stdout.await(t, "line 1")
	p.signal(syscall.SIGINT)
	p.wantEnd(130, "signal interrupt: another call has joined it since\n")
}

// A second SIGINT stops watching: the container may take its time.
func TestSecondSIGINTEndsAtOnce(t *testing.T) {
	t.Parallel()
	f := serve(t)
	f.hosts["e1"].Program("stubborn", stubborn)
	p := start(t, f.url, nil, "run", "jobs", "--", "stubborn")
	p.stdout.await(t, "working")
	p.signal(syscall.SIGINT)
	p.stdout.await(t, "stopping")
	p.signal(syscall.SIGINT)
	p.wantEnd(130, "canceled: signal interrupt")
	f.wantState(t, "canceling")
}

// A run that waits for its image has no container, and is canceled all the same.
func TestSIGTERMWhileQueued(t *testing.T) {
	t.Parallel()
	atBest(t, func() error {
		f := serve(t)
		f.hosts["e1"].FailPull(pinOf(1), fmt.Errorf("no space"), -1)
		f.hosts["e1"].Forget(pinOf(1))
		p := start(t, f.url, nil, "run", "jobs", "--wait-warm", "1m", "--", "print", "a")
		awaitRuns(t, f)
		err := p.terminate("canceled: signal terminated")
		f.wantState(t, "canceled")
		return err
	})
}

func awaitRuns(t *testing.T, f *fleet) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		all, err := f.api.Runs(t.Context())
		switch {
		case err != nil:
			t.Fatal(err)
		case len(all.Runs) > 0:
			return
		case time.Now().After(deadline):
			t.Fatal("no run")
		}
	}
}

// A server that never answers the submit can't hold the program: nobody knows
// whether it accepted the run.
func TestSIGTERMBeforeTheSubmitIsAnswered(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	atBest(t, func() error {
		p := start(t, "http://"+l.Addr().String(), nil, "run", "jobs", "--", "print", "a")
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Read(make([]byte, 1)); err != nil { // the request is on its way
			t.Fatal(err)
		}
		return p.terminate("terminated before the server answered: it may have accepted the run")
	})
}

// startAndHead starts the program with a reader that goes away after the first
// line, as head -n 1 does.
func startAndHead(t *testing.T, url string, args ...string) *process {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, url, w, args...)
	closed := w.Close() // the program has its own: the read ends if that does
	_, err = bufio.NewReaderSize(r, 16).ReadString('\n')
	if err := errors.Join(closed, err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return p
}

// A container's code is no signal to us: its reason waits for a slow reader.
func TestReasonWaitsForASlowReader(t *testing.T) {
	t.Parallel()
	s := newStub(t, 0, func(s *stub) {
		s.run.State, s.run.ExitCode, s.run.Reason, s.run.Detail = "failed", exit(137), "out_of_memory", "killed: out of memory"
	})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.Write(make([]byte, 64<<10)); err != nil { // all that a pipe takes
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "prewarm", "run", "jobs")
	cmd.Env, cmd.Stderr = append(os.Environ(), "PREWARM_URL="+s.URL), w
	if err := errors.Join(cmd.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	said, err := io.ReadAll(r)
	if err != nil || !strings.HasSuffix(string(said), "prewarm: killed: out of memory\n") {
		t.Errorf("stderr: %q, %v", bytes.Trim(said, "\x00"), err)
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ended) || ended.ExitCode() != 137 {
		t.Errorf("%v, want exit code 137", err)
	}
}

// Whoever read the output went away, as head does: the run is canceled, for
// nobody would see what it does.
func TestClosedPipeCancels(t *testing.T) {
	t.Parallel()
	f := serve(t)
	f.hosts["e1"].Program("chatter", func(_ context.Context, p *dockertest.Process) int {
		for {
			select {
			case <-p.Stopped:
				return 7
			case <-time.After(time.Millisecond):
				fmt.Fprintln(p.Stdout, "a line")
			}
		}
	})
	p := startAndHead(t, f.url, "run", "jobs", "--", "chatter")
	p.wantEnd(141, "canceled: its output could not be printed: write /dev/stdout: broken pipe")
	f.wantState(t, "canceled")
}

// A pipe that is closed when all is printed is no reason to cancel anything.
func TestClosedPipeAfterTheLastLine(t *testing.T) {
	t.Parallel()
	f := serve(t)
	release := make(chan struct{})
	f.hosts["e1"].Program("once", func(_ context.Context, p *dockertest.Process) int {
		fmt.Fprintln(p.Stdout, "a line")
		<-release
		return 0
	})
	p := startAndHead(t, f.url, "run", "jobs", "--", "once")
	close(release)
	p.wantEnd(0, "")
	f.wantState(t, "succeeded")
}

// A full disk under stdout: the reason is told, and the outcome is not known.
func TestFullDiskCancels(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	f := serve(t)
	p := start(t, f.url, full, "run", "jobs", "--", "sleep", "1m")
	p.wantEnd(123, "canceled: its output could not be printed: write /dev/stdout: no space left on device")
	f.wantState(t, "canceled")
}

// A server that dies under a run: it may have run.
func TestServerLost(t *testing.T) {
	t.Parallel()
	f := serve(t)
	p := start(t, f.url, nil, "run", "jobs", "--reconnect", "300ms", "--", "sleep", "1m")
	p.stdout.await(t, "sleeping")
	f.listener.cut()
	p.wantEnd(123, "prewarm: lost sight of run ")
	if !strings.Contains(p.stderr.String(), "which may go on") {
		t.Errorf("stderr is %s", p.stderr)
	}
}

// A server that is restarted under a run is a pause: no line is lost or doubled,
// and the outcome is the container's.
func TestRestartUnderARun(t *testing.T) {
	t.Parallel()
	const lines = 300
	f := serve(t)
	f.hosts["e1"].Program("count", func(ctx context.Context, p *dockertest.Process) int {
		for n := range lines {
			fmt.Fprintf(p.Stdout, "line %d\n", n+1)
			select {
			case <-ctx.Done():
			case <-time.After(2 * time.Millisecond):
			}
		}
		return 9
	})
	p := start(t, f.url, nil, "run", "jobs", "--", "count")
	for _, printed := range []string{"line 20\n", "line 100\n"} {
		p.stdout.await(t, printed)
		if err := f.again(); err != nil {
			t.Fatal(err)
		}
	}
	p.wantEnd(9, "")
	p.wantStdout(numbered(lines))
	p.wantStderr("")
}

// A server that dies while SIGTERM comes can't be asked to cancel.
func TestSIGTERMWithoutAServer(t *testing.T) {
	t.Parallel()
	f := serve(t)
	f.hosts["e1"].Program("stubborn", stubborn)
	p := start(t, f.url, nil, "run", "jobs", "--", "stubborn")
	p.stdout.await(t, "working")
	f.listener.freeze()
	p.signal(syscall.SIGTERM)
	p.wantEnd(143, "was not canceled (signal terminated) and may go on")
}

// Somebody else cancels the run.
func TestCanceledByAnother(t *testing.T) {
	t.Parallel()
	f := serve(t)
	p := start(t, f.url, nil, "run", "jobs", "--", "sleep", "1m")
	p.stdout.await(t, "sleeping")
	if _, err := f.api.Cancel(t.Context(), f.theRun(t)); err != nil {
		t.Fatal(err)
	}
	p.wantEnd(7, " was canceled\n") // the container's own code
}
