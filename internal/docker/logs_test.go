package docker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func TestLogsAsksForThis(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		since  time.Time
		follow bool
		want   map[string]string
	}{
		{time.Time{}, false, map[string]string{"since": "", "follow": "", "tail": "all", "timestamps": "1", "stdout": "1", "stderr": "1"}},
		{time.Unix(1700000000, 42), true, map[string]string{"since": "1700000000.000000042", "follow": "1"}},
	} {
		e := newEngine(t)
		e.on("GET /containers/c1/json", inspected(config1, stateRunning, ourLabels))
		e.on("GET /containers/c1/logs", func(w http.ResponseWriter, r *http.Request) {
			for name, want := range c.want {
				if got := r.URL.Query().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			_, _ = io.WriteString(w, printed(1, 0, "a\n"))
		})
		n := 0
		if err := e.host().Logs(t.Context(), "c1", c.since, c.follow, func(runner.Line) error { n++; return nil }); err != nil || n != 1 {
			t.Errorf("Logs: %v, %d lines", err, n)
		}
	}
}

func TestLogsTellHowTheyEnd(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	whole := printed(1, 0, "a\n")
	write := func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, whole+printed(1, 0, "begun"))
		_ = http.NewResponseController(w).Flush()
	}
	for _, c := range []struct {
		name  string
		log   http.HandlerFunc
		emit  error
		lines int
		want  problem.Code
	}{
		{"the connection breaks", func(w http.ResponseWriter, _ *http.Request) { write(w); panic(http.ErrAbortHandler) }, nil, 1, problem.HostUnreachable},
		{"the container is gone", fault(404, "no such container"), nil, 0, problem.ContainerLost},
		{"the container is going", fault(409, "can not get logs from container which is dead or marked for removal"), nil, 0, problem.ContainerLost},
		{"the engine can't read it", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, frame(3, "bad")) }, nil, 0, problem.EngineAPI},
		{"emit fails", func(w http.ResponseWriter, r *http.Request) { write(w); <-r.Context().Done() }, full, 1, problem.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			e.on("GET /containers/c1/json", inspected(config1, stateRunning, ourLabels))
			e.on("GET /containers/c1/logs", c.log)
			n := 0
			err := e.host().Logs(t.Context(), "c1", time.Time{}, true, func(runner.Line) error { n++; return c.emit })
			wantCode(t, "Logs", err, c.want)
			if n != c.lines || (c.emit != nil && !errors.Is(err, c.emit)) {
				t.Errorf("%d lines, %v; want %d", n, err, c.lines)
			}
		})
	}
}

func TestCancelledFollowEnds(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /containers/c1/json", inspected(config1, stateRunning, ourLabels))
	e.on("GET /containers/c1/logs", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, printed(1, 0, "a\n"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	within(t, 5*time.Second, func() {
		err := e.host().Logs(ctx, "c1", time.Time{}, true, func(runner.Line) error { cancel(); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Logs = %v, want the context's error", err)
		}
	})
}

// TestWithheldLog: an engine that answers pings and gives nothing of a log can't
// keep a reader, unless that one follows.
func TestWithheldLog(t *testing.T) {
	t.Parallel()
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	begun := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, printed(1, 0, "a\n"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	slow := func(w http.ResponseWriter, _ *http.Request) {
		for range 8 {
			_, _ = io.WriteString(w, printed(1, 0, "a\n"))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	}
	for _, c := range []struct {
		name   string
		log    http.HandlerFunc
		follow bool
		lines  int
		want   string // of the error; empty: none
	}{
		{"no answer", silent, false, 0, "does not give the log"},
		{"it stops in the middle", begun, false, 1, "does not give the log"},
		{"it is slow", slow, false, 8, ""},
		{"followed", begun, true, 1, "context deadline exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			e.on("GET /_ping", pong("1.41"))
			e.on("GET /containers/c1/json", inspected(config1, stateExited, ourLabels))
			e.on("GET /containers/c1/logs", c.log)
			h := e.host()
			h.logStall = 600 * time.Millisecond // less than the slow one takes
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			n := 0
			err := h.Logs(ctx, "c1", time.Time{}, c.follow, func(runner.Line) error { n++; return nil })
			if n != c.lines || (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("Logs: %v, %d lines; want %q, %d", err, n, c.want, c.lines)
			}
			if c.want != "" && !c.follow {
				wantCode(t, "Logs", err, problem.HostUnreachable)
			}
		})
	}
}

// TestSlowReaderIsNoStall: time in which emit works does not count.
func TestSlowReaderIsNoStall(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /containers/c1/json", inspected(config1, stateExited, ourLabels))
	e.on("GET /containers/c1/logs", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, printed(1, 0, "a\n")) })
	h := e.host()
	h.logStall = 500 * time.Millisecond
	err := h.Logs(t.Context(), "c1", time.Time{}, false, func(runner.Line) error { time.Sleep(time.Second); return nil })
	if err != nil {
		t.Errorf("Logs: %v", err)
	}
}
