// Package forward hands the lines of runs on as they come, one JSON object for
// each, to files, standard output and syslog.
//
// A run never waits for a target. Each target has a queue of its own; when the
// target is slow or gone and the queue is full, lines are dropped and counted,
// and a line says how many once the target takes lines again. Nothing is lost
// by that but the forwarding: the spool has every line.
package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
)

// The bounds of the queue of one target.
const (
	maxLines = 10_000
	maxBytes = 16 << 20
)

// flushTime is how long Close waits for targets at most.
const flushTime = 2 * time.Second

// pace is how often things are tried.
type pace struct {
	retry time.Duration // after a failure
	look  time.Duration // whether a file was moved away
}

// Forwarder hands lines on. Make it with New and end it with Close; Forward may
// be called from any goroutine.
type Forwarder struct {
	workers []*worker
	life    context.Context
	giveUp  context.CancelFunc
	close   sync.Once
	closing chan struct{}
}

// New makes a Forwarder. It opens nothing: a target that is not there yet is
// tried until it is. One that could never be is problem.InvalidConfig.
func New(targets []Target, logger *slog.Logger) (*Forwarder, error) {
	return start(targets, logger, pace{retry: time.Second, look: time.Second})
}

func start(targets []Target, logger *slog.Logger, p pace) (*Forwarder, error) {
	f := &Forwarder{closing: make(chan struct{})}
	for _, t := range targets {
		s, err := t.open(p)
		if err != nil {
			return nil, err
		}
		f.workers = append(f.workers, &worker{
			name: t.String(), sink: s, queue: newQueue(maxLines, maxBytes), retry: p.retry,
			log: logger.With("target", t.String()), done: make(chan struct{}),
		})
	}
	f.life, f.giveUp = context.WithCancel(context.Background())
	for _, w := range f.workers {
		go w.run(f.life, f.closing)
	}
	return f, nil
}

// Forward hands a line on. It never waits, and keeps nothing of what it is
// given. After Close it does nothing.
func (f *Forwarder) Forward(r runner.Run, e spool.Entry) {
	select {
	case <-f.closing:
		return
	default:
	}
	var l line
	for _, w := range f.workers {
		if w.queue.refuses() {
			continue // before the work of encoding is done
		}
		if l.body == nil {
			l = encode(r, e)
		}
		w.queue.add(l)
	}
}

// Close forwards what is queued, for 2 s at most, and ends. It returns how many
// lines were left for which target.
func (f *Forwarder) Close(ctx context.Context) error {
	f.close.Do(func() { close(f.closing) })
	defer f.giveUp()
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	var errs []error
	for _, w := range f.workers {
		if err := w.wait(ctx, f.giveUp); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// stuckTime is how long a target is waited for that was told to give up. A
// write to standard output can't be interrupted.
const stuckTime = 100 * time.Millisecond

// wait waits until the worker has forwarded everything, or makes it give up.
func (w *worker) wait(ctx context.Context, giveUp context.CancelFunc) error {
	select {
	case <-w.done:
	case <-ctx.Done():
		giveUp()
		select {
		case <-w.done:
		case <-time.After(stuckTime):
		}
	}
	if left := w.queue.left(); left > 0 {
		return fmt.Errorf("forward lines to %s: %d were left when the time was up", w.name, left)
	}
	return nil
}
