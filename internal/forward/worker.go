package forward

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// errTooLong tells that a line is too long for the target.
var errTooLong = errors.New("too long for the target")

// worker moves lines from a queue to a target.
type worker struct {
	name  string
	sink  sink
	queue *queue
	retry time.Duration
	log   *slog.Logger
	done  chan struct{}

	failing bool
}

// run goes on until closing is closed and the queue is empty, or ctx ends.
func (w *worker) run(ctx context.Context, closing <-chan struct{}) {
	defer close(w.done)
	defer func() { _ = w.sink.close() }() // nothing is buffered, so nothing is lost by it
	for {
		lines := w.queue.first()
		if len(lines) > 0 {
			if !w.write(ctx, lines) {
				return
			}
			continue
		}
		select {
		case <-w.queue.wake:
		case <-closing:
			if w.queue.left() == 0 {
				return
			}
		}
	}
}

// write delivers lines, or some of them, and waits after a failure. It tells
// whether to go on.
func (w *worker) write(ctx context.Context, lines []line) bool {
	n, err := w.sink.write(ctx, lines)
	w.queue.done(n)
	if errors.Is(err, errTooLong) {
		w.queue.lose()
		err = nil
	}
	w.report(ctx, err)
	if err == nil {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(w.retry):
		return true
	}
}

// report logs that a target fails, and that it works again, once each.
func (w *worker) report(ctx context.Context, err error) {
	switch {
	case err != nil && !w.failing && ctx.Err() == nil:
		w.log.Warn("lines can't be forwarded; it is tried again", "error", err)
	case err == nil && w.failing:
		w.log.Info("lines are forwarded again")
	}
	w.failing = err != nil
}
