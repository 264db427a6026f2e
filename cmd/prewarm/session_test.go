package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// numbered is what a run of n lines prints.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i+1)
	}
	return b.String()
}

// wantStdout wants exactly this on stdout of a process that has ended.
func (p *process) wantStdout(want string) {
	p.t.Helper()
	if diff := cmp.Diff(want, p.stdout.String()); diff != "" {
		p.t.Errorf("stdout (-want +got):\n%s", diff)
	}
}

// wantStderr wants exactly this on stderr of a process that has ended.
func (p *process) wantStderr(want string) {
	p.t.Helper()
	if diff := cmp.Diff(want, p.stderr.String()); diff != "" {
		p.t.Errorf("stderr (-want +got):\n%s", diff)
	}
}

// Connections that break after each few lines: every line is printed, once, and
// nobody hears of it.
func TestBrokenConnectionsLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	s := newStub(t, 40, func(s *stub) { s.every = 9 })
	p := start(t, s.URL, nil, "run", "jobs")
	p.wantEnd(0, "")
	p.wantStdout(numbered(40))
	p.wantStderr("")
	if diff := cmp.Diff([]int64{0, 9, 18, 27, 36}, s.seen().followed); diff != "" {
		t.Errorf("cursors (-want +got):\n%s", diff)
	}
}

// The same for programs that read JSON.
func TestBrokenConnectionsAsJSON(t *testing.T) {
	t.Parallel()
	s := newStub(t, 40, func(s *stub) { s.every = 9 })
	p := start(t, s.URL, nil, "run", "jobs", "-o", "json")
	p.wantEnd(0, "")
	lines := strings.Split(strings.TrimSpace(p.stdout.String()), "\n")
	if len(lines) != 41 {
		t.Fatalf("%d lines, want 40 and the run", len(lines))
	}
	for i, line := range lines[:40] {
		if want := fmt.Sprintf(`{"seq":%d,`, i+1); !strings.HasPrefix(line, want) {
			t.Errorf("line %d is %s", i+1, line)
		}
	}
	if !strings.HasPrefix(lines[40], `{"run":{"id":`) {
		t.Errorf("the last line is %s", lines[40])
	}
}

// A restart: for a while each request fails, or is told that the server stops.
func TestRestartIsAPause(t *testing.T) {
	t.Parallel()
	s := newStub(t, 20, func(s *stub) {
		s.every = 9
		s.refuse = func(_ *http.Request, n int) *api.Problem {
			if n == 3 {
				return refusal(http.StatusServiceUnavailable, problem.Stopping, "the server is shutting down", "")
			}
			return nil
		}
		s.fault = func(_ *http.Request, n int) bool { return n >= 4 && n < 6 }
	})
	p := start(t, s.URL, nil, "run", "jobs")
	p.wantEnd(0, "")
	p.wantStdout(numbered(20))
	p.wantStderr("")
}

// A server that is told to stop says so to who submits, and is then gone for a
// while: whoever was answered knows that it was there.
func TestASubmitMeetsARestart(t *testing.T) {
	t.Parallel()
	s := newStub(t, 1)
	address, err := prewarmtest.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	behind, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	var proxy http.Server
	defer func() { _ = proxy.Close() }()
	stopped := make(chan struct{})
	first := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = l.Close()
		w.Header().Set("Connection", "close")
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(refusal(http.StatusServiceUnavailable, problem.Stopping, "the server is shutting down", ""))
		close(stopped)
	})}
	go func() { _ = first.Serve(l) }()
	p := start(t, "http://"+address, nil, "run", "jobs")
	<-stopped
	time.Sleep(500 * time.Millisecond) // several tries
	l, err = listen.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	proxy.Handler = httputil.NewSingleHostReverseProxy(behind)
	go func() { _ = proxy.Serve(l) }()
	p.wantEnd(0, "")
	p.wantStdout("line 1\n")
}

// A submit whose answer is lost is sent again under the same word, so that the
// server takes it for one.
func TestLostAnswerIsAskedForAgain(t *testing.T) {
	t.Parallel()
	s := newStub(t, 1, func(s *stub) {
		s.refuse = func(r *http.Request, n int) *api.Problem {
			if r.Method == http.MethodPost && n <= 3 {
				s.submit(discard{}, r)
				panic(http.ErrAbortHandler)
			}
			return nil
		}
	})
	p := start(t, s.URL, nil, "run", "jobs")
	p.wantEnd(0, "")
	p.wantStdout("line 1\n")
	words := s.seen().words
	if len(words) != 4 || words[0] == "" {
		t.Fatalf("words %q, want 4", words)
	}
	if len(slices.Compact(slices.Clone(words))) != 1 {
		t.Errorf("words %q, want the same", words)
	}
	other := start(t, s.URL, nil, "run", "jobs")
	other.wantEnd(0, "")
	if s.seen().words[4] == words[0] {
		t.Error("two invocations have one word")
	}
}

// discard is an answer that nobody gets.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// What a submit that got no good answer means for the caller.
func TestSubmitCodes(t *testing.T) {
	t.Parallel()
	breaks := func(_ *http.Request, _ int) bool { return true }
	refuses := func(code problem.Code) func(*http.Request, int) *api.Problem {
		return func(*http.Request, int) *api.Problem { return refusal(http.StatusConflict, code, "no", "do something") }
	}
	tests := map[string]struct {
		with func(*stub)
		code int
		says string
	}{
		"refused":           {func(s *stub) { s.refuse = refuses(problem.ImageNotWarm) }, 125, "prewarm: no\nprewarm: do something\n"},
		"stopping for good": {func(s *stub) { s.refuse = refuses(problem.Stopping) }, 125, "prewarm: no\n"},
		"broken inside":     {func(s *stub) { s.refuse = refuses(problem.Internal) }, 123, "prewarm: no\n"},
		"never answered":    {func(s *stub) { s.fault = breaks }, 123, "prewarm: the connection to "},
		"lost, then refused": {func(s *stub) {
			s.fault = func(_ *http.Request, n int) bool { return n == 1 }
			s.refuse = refuses(problem.KeyConflict)
		}, 125, "prewarm: no\n"},
		"key is another work": {func(s *stub) { s.refuse = refuses(problem.KeyConflict) }, 125, "prewarm: no\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, 1, test.with)
			p := start(t, s.URL, nil, "run", "jobs", "--reconnect", "300ms")
			p.wantEnd(test.code, test.says)
			p.wantStdout("")
		})
	}
}

// A server that stays away: after --reconnect nobody knows.
func TestServerGoneForGood(t *testing.T) {
	t.Parallel()
	s := newStub(t, 2, func(s *stub) { s.live = true })
	p := start(t, s.URL, nil, "run", "jobs", "--reconnect", "300ms")
	p.stdout.await(t, "line 2")
	if err := s.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	s.CloseClientConnections()
	p.wantEnd(123, "prewarm: lost sight of run "+stubRun+", which may go on: ")
	p.wantStdout(numbered(2))
}

// SIGTERM cancels over a connection of its own while stdout takes nothing, and
// all that is over within a second.
func TestSIGTERMWhileStdoutIsBlocked(t *testing.T) {
	t.Parallel()
	atBest(t, func() error {
		s := newStub(t, 100_000, func(s *stub) { s.live = true })
		r, w, err := os.Pipe() // nobody reads
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		file := filepath.Join(t.TempDir(), "status")
		p := start(t, s.URL, w, "run", "jobs", "--status-file", file)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond) // the pipe takes 64 KiB
		if err := p.terminate("run " + stubRun + " canceled: signal terminated"); err != nil {
			return err
		}
		select {
		case <-s.canceled:
		default:
			t.Error("the server was not asked to cancel")
		}
		status, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(status), `"code": 143,`) || !strings.Contains(string(status), `"state": "canceling"`) {
			t.Errorf("status file: %s, %v", status, err)
		}
		return nil
	})
}

// A cancel that meets a server in its restart is tried again, within the second.
func TestSIGTERMDuringARestart(t *testing.T) {
	t.Parallel()
	atBest(t, func() error {
		var failed atomic.Int32
		s := newStub(t, 1, func(s *stub) {
			s.live = true
			s.fault = func(r *http.Request, _ int) bool {
				return strings.HasSuffix(r.URL.Path, "/cancel") && failed.Add(1) <= 3
			}
		})
		p := start(t, s.URL, nil, "run", "jobs")
		p.stdout.await(t, "line 1")
		return p.terminate("run " + stubRun + " canceled: signal terminated")
	})
}

// --detach prints the id, and nothing else.
func TestDetach(t *testing.T) {
	t.Parallel()
	s := newStub(t, 3, func(s *stub) { s.live = true })
	p := start(t, s.URL, nil, "run", "-d", "jobs")
	p.wantEnd(0, "")
	p.wantStdout(stubRun + "\n")
	p.wantStderr("")
	if len(s.seen().followed) != 0 {
		t.Error("the log was asked for")
	}
}

// A run that was joined is said before the first line, and where nothing was
// printed, behind the last.
func TestJoinedIsSaidFirst(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.Local)
	joined := func(s *stub) {
		s.answer = api.Submitted{
			Run:    api.Run{ID: stubRun, State: "running", Key: "etl", SubmittedAt: at},
			Joined: true, Differs: []string{"command", "env"},
		}
	}
	said := "prewarm: joined run " + stubRun + " of etl, which is running since 2026-11-22 10:00:00\n" +
		"prewarm: it differs from what was asked in command, env\n"
	for lines := range 2 {
		p := start(t, newStub(t, lines, joined).URL, nil, "run", "jobs", "--key", "etl", "--on-conflict", "join")
		p.wantEnd(0, "")
		p.wantStdout(numbered(lines))
		p.wantStderr(said)
	}
}

// An incomplete log is said once, behind the last line; what was cut, in its place.
func TestGap(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		with func(*stub)
		args []string
		want string
	}{
		"complete":     {func(*stub) {}, nil, ""},
		"not compared": {func(s *stub) { s.run.Log.Complete = false }, nil, "prewarm: the log may lack lines: it could not be compared with the engine's\n"},
		"with reason":  {func(s *stub) { s.run.Log = api.RunLog{Gap: "the engine rotated it"} }, nil, "prewarm: the log may lack lines: the engine rotated it\n"},
		"cut": {func(s *stub) {
			s.lines[1] = api.LogLine{Seq: 2, Stream: "prewarm", Text: "lines 2 to 8 were cut"}
			s.lines[2].Stream = "stderr"
			s.run.Log = api.RunLog{Gap: "lines 2 to 8 were cut, too"}
		}, nil, "prewarm: lines 2 to 8 were cut\nline 3\nprewarm: the log may lack lines: lines 2 to 8 were cut, too\n"},
		"never started": {func(s *stub) {
			s.run.Log, s.run.StartedAt, s.run.State, s.run.ExitCode, s.run.Detail = api.RunLog{}, nil, "refused", nil, "no such program"
		}, nil, "prewarm: no such program\n"},
		"for Airflow": {func(s *stub) { s.run.Log.Complete = false }, airflowArgs, ""},
		"for Airflow, failed": {func(s *stub) {
			s.run.Log.Complete, s.run.State, s.run.ExitCode = false, "failed", exit(4)
		}, airflowArgs, "prewarm: the log may lack lines: it could not be compared with the engine's\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startIn(t, airflowEnv, newStub(t, 3, test.with).URL, nil, append([]string{"run", "jobs"}, test.args...)...)
			_ = p.cmd.Wait() // its code is not what this is about
			p.wantStderr(test.want)
		})
	}
}

// logRemoved lets retention have taken the log.
func logRemoved(s *stub) {
	s.run.Log = api.RunLog{Lines: 3, Removed: true}
	s.refuse = func(r *http.Request, _ int) *api.Problem {
		if strings.HasSuffix(r.URL.Path, "/logs") {
			return refusal(http.StatusGone, problem.LogRemoved, "it is gone", "")
		}
		return nil
	}
}

// The log of the run that answers the submit is gone.
func TestLogRemoved(t *testing.T) {
	t.Parallel()
	s := newStub(t, 3, logRemoved)
	p := start(t, s.URL, nil, "run", "jobs")
	p.wantEnd(0, "prewarm: the log may lack lines: it was removed, as old logs are\n")
}

// Nothing printed is not the same as nothing left to print.
func TestFollowOfALogThatWasRemoved(t *testing.T) {
	t.Parallel()
	s := newStub(t, 3, logRemoved)
	for _, args := range [][]string{{"logs", stubRun}, {"logs", "-f", stubRun}, {"logs", "-f", "-o", "json", stubRun}} {
		p := start(t, s.URL, nil, args...)
		p.wantEnd(1, "it is gone")
		p.wantStdout("")
	}
}

// The result is the last line of stdout, on a line of its own.
func TestPrintResult(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		with   func(*stub)
		code   int
		stdout string
		stderr string
	}{
		"result": {func(s *stub) { s.run.Result = []byte("{\n  \"rows\": 3\n}") }, 0, "line 1\n{\"rows\":3}\n", ""},
		"behind an open line": {func(s *stub) {
			s.lines[0].Open, s.run.Result = true, []byte("[1]")
		}, 0, "line 1\n[1]\n", ""},
		"failed, with a result": {func(s *stub) { s.run.State, s.run.ExitCode, s.run.Result = "failed", exit(3), []byte("null") }, 3, "line 1\nnull\n", ""},
		"missing": {
			func(s *stub) { s.run.Detail = "no such file" }, 1, "line 1\n",
			"prewarm: run " + stubRun + " succeeded, but not its result /airflow/xcom/return.json: no such file\n",
		},
		// The next submit of the key must not be answered with what was no success.
		"missing, of a key": {
			func(s *stub) { s.run.Key, s.run.SameAs = "etl", "019a9f00-0000-7a3e-8a51-6f1f6a2b9c3d" }, 1, "line 1\n",
			"prewarm: run " + stubRun + " succeeded, but not its result /airflow/xcom/return.json: it can't be had\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, 1, test.with)
			p := start(t, s.URL, nil, "run", "jobs", "--print-result")
			p.wantEnd(test.code, "")
			p.wantStdout(test.stdout)
			p.wantStderr(test.stderr)
			if rejected := s.seen().rejected; name == "missing, of a key" != (len(rejected) > 0) {
				t.Errorf("rejected %q", rejected)
			}
			if got := s.seen().submits[0].Result; got != "/airflow/xcom/return.json" {
				t.Errorf("asked for %q", got)
			}
		})
	}
}
