package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/prewarm/prewarm/runner"
)

// Logs passes the container's lines to emit, oldest first, until the end of
// what is there, or with follow until the container has ended. It reads what
// the engine stored, never an attached stream: a reader of that who stalls
// blocks the container, and what it misses is gone.
//
// since is inclusive. The order is exact within a stream only. When the
// connection breaks, Logs ends with problem.HostUnreachable, and lines that did
// not arrive whole are not emitted: the next call, with an earlier since, gets
// them. An error of emit is returned as it is.
func (h *Host) Logs(ctx context.Context, id string, since time.Time, follow bool, emit func(runner.Line) error) error {
	what := "read the log of container " + short(id)
	s, err := h.connect(ctx)
	if err != nil {
		return err
	}
	// Leaving early must end the request as well: closing its body alone would
	// drain it first.
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	body, err := s.api.ContainerLogs(reading, id, container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: follow,
		Since: logTime(since), Tail: "all",
	})
	if err != nil {
		return h.explain(ctx, s, what, err)
	}
	defer func() { _ = body.Close() }() // nothing is read from it any more
	err = readLog(body, emit)
	var own *emitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own.err
	case ctx.Err() != nil:
		return h.gaveUp(ctx, what)
	}
	return h.explain(ctx, s, what, err)
}

// logTime is a time as /logs wants it: seconds, and always nine digits of
// nanoseconds.
func logTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}
