package warmer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// startPull lets a host keep a pin, in a goroutine of its own. There is one
// pull per (host, pin), whoever asks for it: Plan never starts a second one.
func (w *Warmer) startPull(ctx context.Context, p Pull, started *sync.WaitGroup) {
	w.mu.Lock()
	h := w.hosts[p.Host]
	c := h.copyOf(p.Pin)
	c.Busy = true
	c.Progress = Progress{At: time.Now()}
	c.version++
	w.mu.Unlock()

	started.Go(func() {
		begun := time.Now()
		found, err := h.Host.Keep(ctx, p.Pin, func(progress Progress) {
			w.mu.Lock()
			c.Progress = progress
			w.mu.Unlock()
		})
		w.endPull(ctx, h, p.Pin, found, err, time.Since(begun))
		w.Kick()
	})
}

// endPull notes how a pull ended.
func (w *Warmer) endPull(ctx context.Context, h *host, pin registry.Pin, found Copy, err error, took time.Duration) {
	if err != nil && ctx.Err() != nil {
		err = errStopped
	}
	w.mu.Lock()
	c := h.copyOf(pin)
	c.version++
	if err == nil {
		*c = copyState{CopyView: CopyView{State: Warm, Kept: found.Kept}, Copy: found, Progress: c.Progress, version: c.version}
	} else {
		c.Busy = false
		c.fail(time.Now(), err, w.opts.Backoff, w.opts.MaxBackoff)
	}
	bytes, attempts, next := c.Progress.Bytes, c.Attempts, c.NextTry
	w.announce()
	w.mu.Unlock()

	switch {
	case err == nil:
		w.log.Info("image warm", "host", h.Name, "pin", pin, "bytes", bytes, "took", took.Round(time.Millisecond))
	case !errors.Is(err, errStopped):
		w.log.Warn("image not warmed", "host", h.Name, "pin", pin, "attempt", attempts, "next_try", next, "error", err)
		// Was it the image or the host? The probe tells.
		w.Recheck(h.Name)
	}
}

// fail notes a failure and when to try again: the one backoff of a copy, with
// jitter so that a fleet does not come back all at once, and never before the
// time that a registry asked for.
func (c *copyState) fail(now time.Time, err error, first, most time.Duration) {
	if c.backoff == nil {
		c.backoff = backoff.NewExponentialBackOff()
		c.backoff.InitialInterval, c.backoff.MaxInterval = first, most
		c.backoff.Multiplier, c.backoff.RandomizationFactor = 2, 0.2
		c.backoff.Reset()
		c.FailedSince = now
	}
	wait := max(c.backoff.NextBackOff(), problem.From(err).RetryAfter)
	c.Err, c.NextTry = err, now.Add(wait)
	c.Attempts++
	if c.State != Warm { // a warm copy stays warm where only the keep-tag failed
		c.State = Failed
	}
}
