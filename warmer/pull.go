package warmer

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// startPull lets a host keep a pin, in a goroutine of its own. There is one
// pull per (host, pin), whoever asks for it: Plan never starts a second one.
func (w *Warmer) startPull(p Pull) {
	server := p.Pin.Repository().Host()
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hosts[p.Host]
	if h == nil || h.life == nil {
		return
	}
	c := h.copyOf(p.Pin)
	c.begin()
	h.busy++
	w.pulling[server]++

	w.started.Go(func() {
		begun := time.Now()
		found, err := w.keepOn(h.life, h, p, func(progress Progress) {
			w.mu.Lock()
			defer w.mu.Unlock()
			c.Progress = progress
			c.meter.read(progress.At, progress.Bytes)
			w.tellProgress(h, p.Pin, c)
		})
		took := time.Since(begun)
		w.mu.Lock()
		w.count(h, p.Pin, c, took, err)
		h.busy--
		w.pulling[server]--
		c.need = 0
		if err == nil && c.GivenUp {
			h.takenBack = append(h.takenBack, p.Pin)
		}
		if errors.Is(err, errNoSpare) {
			w.giveUp(h, p.Pin, c)
		} else {
			w.endPull(h, p.Pin, c, found, err, took)
		}
		budgeted := err == nil && h.Prune.Budget > 0
		w.mu.Unlock()
		if budgeted { // its disk is known only by adding its images up
			w.surveyNow(h.life, h)
		}
	})
}

// count measures a pull that ended, unless there was nothing to pull. The caller
// holds mu.
func (w *Warmer) count(h *host, pin registry.Pin, c *copyState, took time.Duration, err error) {
	if err == nil && c.Progress.Bytes == 0 && c.Progress.Layers == 0 {
		return
	}
	if err != nil && h.life.Err() != nil {
		err = context.Canceled
	}
	w.opts.Measures.Pulled(h.Name, w.imageOf(pin), pin, took, c.Progress.Bytes, err)
}

// endPull notes how a pull ended. The caller holds mu.
func (w *Warmer) endPull(h *host, pin registry.Pin, c *copyState, found Copy, err error, took time.Duration) {
	if err != nil && h.life.Err() != nil {
		err = errStopped
	}
	if err != nil {
		w.close(pin.Repository().Host(), err)
		w.failed(h, pin, c, err)
		return
	}
	*c = copyState{CopyView: CopyView{State: Warm, Kept: found.Kept, Tags: found.Tags}, Copy: found, Progress: c.Progress, version: c.version + 1}
	h.restocked = true
	w.isWarm(h, pin)
	w.overcome(goneOf(pin)) // or somebody loaded it there
	w.tellCopy(h, pin, string(StateWarm), "")
	w.log.Info("image warm", "host", h.Name, "pin", pin, "bytes", c.Progress.Bytes, "took", took.Round(time.Millisecond))
	w.stir(h, pin)
}

// closedFor is how long a registry that says "too many requests" to one host is
// left alone by all of them, where it does not say so itself.
const closedFor = 30 * time.Second

// close starts no pulls from a registry for a while that has had enough of them.
// The caller holds mu.
func (w *Warmer) close(registryHost string, err error) {
	told := problem.From(err)
	if told.Code != problem.RegistryLimited {
		return
	}
	until := time.Now().Add(max(told.RetryAfter, closedFor))
	if until.After(w.closed[registryHost]) {
		w.closed[registryHost] = until
		w.log.Warn("registry wants fewer pulls: none is started for a while", "registry", registryHost, "until", until)
	}
}

// failed notes that a copy could not be made or published. The caller holds mu.
func (w *Warmer) failed(h *host, pin registry.Pin, c *copyState, err error) {
	c.version++
	c.Busy = false
	c.fail(time.Now(), err, w.opts.Backoff, w.opts.MaxBackoff)
	if !errors.Is(err, errStopped) {
		w.tellCopy(h, pin, string(StateFailed), err.Error())
		w.tellFailure(h, pin, c, err)
		w.log.Warn("image not warmed", "host", h.Name, "pin", pin, "attempt", c.Attempts, "next_try", c.NextTry, "error", err)
		h.recheck() // was it the image or the host? The probe tells
	}
	w.stir(h, pin)
}

// stir asks for another look at a pin on a host. The caller holds mu.
func (w *Warmer) stir(h *host, pin registry.Pin) {
	w.unsettle(h.Name, pin)
	w.announce()
	w.Kick()
}

// begin notes that something is done about a copy.
func (c *copyState) begin() {
	c.Busy = true
	c.Progress = Progress{At: time.Now()}
	c.meter = meter{}
	c.version++
}

// goneAgain is how long after the registry said that a digest is gone it is
// asked again.
const goneAgain = time.Hour

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
	told := problem.From(err)
	wait := max(c.backoff.NextBackOff(), told.RetryAfter)
	if c.Gone = told.Code == problem.TagNotFound; c.Gone {
		wait = max(wait, goneAgain)
	}
	c.Err, c.NextTry = err, now.Add(wait)
	c.Attempts++
	if c.State != Warm { // a warm copy stays warm where only a tag failed
		c.State = Failed
	}
}
