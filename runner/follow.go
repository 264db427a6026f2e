package runner

import (
	"context"
	"errors"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// follower takes a container's log into the run's spool: it follows while the
// container runs, from where it was whenever the connection breaks, and reads
// the rest once the container has ended.
type follower struct {
	r      *Runner
	l      *live
	engine Engine
	id     string // the container's
	cursor *cursor
	stop   context.CancelFunc
	done   chan struct{}
	err    error // of the spool: what was printed could not be written
}

func (r *Runner) follow(ctx context.Context, l *live, h *host, id string) *follower {
	ctx, stop := context.WithCancel(ctx)
	f := &follower{r: r, l: l, engine: h.Engine, id: id, cursor: newCursor(), stop: stop, done: make(chan struct{})}
	r.started.Go(func() {
		defer close(f.done)
		f.loop(ctx)
	})
	return f
}

// retryFollow is the wait before a broken log connection is made again.
const retryFollow = 500 * time.Millisecond

func (f *follower) loop(ctx context.Context) {
	for {
		// A clean end proves nothing: an engine that restarts under live-restore
		// ends the log, and the container goes on. finish ends this loop.
		_ = f.engine.Logs(ctx, f.id, f.cursor.resume(), true, f.take) // tried again, or finish tells
		if ctx.Err() != nil || f.err != nil {
			return
		}
		pause(ctx, retryFollow)
	}
}

// finish ends the following and reads what it had not got to. The container has
// ended, so its log is whole: a follower wakes some 40 ms after the exit, which
// the last reading need not wait for. The error says why lines may be missing.
func (f *follower) finish(ctx context.Context) error {
	f.stop()
	<-f.done
	if f.err != nil {
		return f.err
	}
	var err error
	for range finishTries {
		err = f.engine.Logs(ctx, f.id, f.cursor.resume(), false, f.take)
		if err == nil || f.err != nil || ctx.Err() != nil || problem.CodeOf(err) != problem.HostUnreachable {
			break
		}
		pause(ctx, retryFollow)
	}
	return errors.Join(f.err, err)
}

// finishTries is how often the rest of a log is asked for: the container is
// removed after the last one.
const finishTries = 5

func (f *follower) take(line Line) error {
	if !f.cursor.take(line) {
		return nil
	}
	if f.err = f.l.log.append(line); f.err != nil {
		return f.err
	}
	if f.cursor.first() {
		f.r.mu.Lock()
		f.l.run.FirstLine = time.Now()
		f.r.mu.Unlock()
	}
	return nil
}
