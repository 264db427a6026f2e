package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// logStall is how long an engine may give nothing of a log that it was asked
// for as it stands. To find the place of a late since it reads the log from its
// start, which takes a minute and more for gigabytes on a busy host.
const logStall = 5 * time.Minute

// Logs passes the container's lines to emit, oldest first, until the end of
// what is there, or with follow until the container has ended. It reads what
// the engine stored, never an attached stream: a reader of that who stalls
// blocks the container, and what it misses is gone.
//
// since is inclusive. The order is exact within a stream only. When the
// connection breaks, Logs ends with problem.HostUnreachable, and lines that did
// not arrive whole are not emitted: the next call, with an earlier since, gets
// them. The same where the engine gives nothing of a log that is not followed for
// logStall. A container that is gone is problem.ContainerLost. An error of emit is
// returned as it is.
func (h *Host) Logs(ctx context.Context, id string, since time.Time, follow bool, emit func(runner.Line) error) error {
	return h.readLogs(ctx, id, container.LogsOptions{Follow: follow, Since: logTime(since), Tail: "all"}, emit)
}

// LastLines passes the last lines of a log as it stands to emit, about n of both
// streams together: engines count the parts of long lines, so that the first
// one may be a part. It is quick however long the log is, for the engine reads
// it from its end.
func (h *Host) LastLines(ctx context.Context, id string, n int, emit func(runner.Line) error) error {
	return h.readLogs(ctx, id, container.LogsOptions{Tail: strconv.Itoa(n)}, emit)
}

func (h *Host) readLogs(ctx context.Context, id string, o container.LogsOptions, emit func(runner.Line) error) error {
	what := "read the log of container " + short(id)
	s, err := h.connect(ctx)
	if err != nil {
		return err
	}
	tty, err := h.tty(ctx, s, id)
	if err != nil {
		return h.logError(what, err)
	}
	// Leaving early must end the request as well: closing its body alone would
	// drain it first.
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	guard := newGuard(h.logStall, o.Follow, cancel)
	defer guard.stop()
	o.ShowStdout, o.ShowStderr, o.Timestamps = true, true, true
	body, err := s.api.ContainerLogs(reading, id, o)
	guard.stop()
	if err == nil {
		defer func() { _ = body.Close() }() // nothing is read from it any more
		err = readLog(guard.watch(body), tty, emit)
	}
	var own *emitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own.err
	case ctx.Err() != nil:
		return h.gaveUp(ctx, what)
	case guard.fired.Load():
		return h.withheld(ctx, what)
	}
	return h.logError(what, h.explain(ctx, s, what, err))
}

// tty tells whether a container has a terminal: its log comes without frames
// then. The engine's Content-Type would tell from API 1.42 on only.
func (h *Host) tty(ctx context.Context, s *session, id string) (bool, error) {
	if tty, known := s.hasTTY(id); known {
		return tty, nil
	}
	seen, err := h.inspect(ctx, id)
	if err != nil {
		return false, err
	}
	return seen.Config.Tty, nil
}

// logError tells a log that is gone with its container: 404, and 409 while the
// engine removes it.
func (h *Host) logError(what string, err error) error {
	if errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return h.gone(what, err)
	}
	return err
}

// withheld says that the engine answers, and does not give a log.
func (h *Host) withheld(ctx context.Context, what string) error {
	if err := h.Confirm(ctx); err != nil {
		return err
	}
	return problem.New(problem.HostUnreachable, fmt.Sprintf("%s on host %s: the engine does not give the log", what, h.name),
		"look for the container's log in the engine's own (journalctl -u docker), and at the host's disk")
}

// guard ends a read that gets nothing for too long. Time in which nobody reads
// does not count.
type guard struct {
	limit time.Duration // 0: none
	timer *time.Timer
	fired atomic.Bool
	in    io.Reader
}

// newGuard watches from now on; a log that is followed may be silent for ever.
func newGuard(limit time.Duration, follow bool, cancel func()) *guard {
	g := &guard{limit: limit}
	if follow {
		g.limit = 0
	}
	g.timer = time.AfterFunc(limit, func() {
		g.fired.Store(true)
		cancel()
	})
	if g.limit == 0 {
		g.timer.Stop()
	}
	return g
}

func (g *guard) stop() { g.timer.Stop() }

func (g *guard) watch(in io.Reader) io.Reader {
	g.in = in
	return g
}

func (g *guard) Read(b []byte) (int, error) {
	if g.limit == 0 {
		return g.in.Read(b)
	}
	g.timer.Reset(g.limit)
	defer g.timer.Stop()
	return g.in.Read(b)
}

// logTime is a time as /logs wants it: seconds, and always nine digits of
// nanoseconds.
func logTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}
