package registry

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// When a breaker opens, and for how long.
const (
	tolerated    = 5 // calls in a row that got no sane answer
	shortestOpen = 30 * time.Second
	longestOpen  = 15 * time.Minute
	// forgiven is how long a registry has to behave before the next opening is
	// as short as the first: one that answers and refuses by turns is not well.
	forgiven = 15 * time.Minute
	// probeTime is told to those who meet a call that tries the registry again.
	probeTime = 5 * time.Second
)

// breaker keeps calls away from a registry that asked for fewer, or is down.
// While it is open calls fail at once; then a single call tries, and its end
// decides for all. A refusal that concerns one repository or tag (401, 403,
// 404) is a sign of life.
type breaker struct {
	mu       sync.Mutex
	failures int       // calls in a row, while closed
	opens    int       // openings in a row; each doubles the time
	until    time.Time // zero: closed
	ended    time.Time // when the last opening ended, or will
	code     problem.Code
	why      string
	probe    *trail // the call that tries, when the time has come
	// waiting ends the waits of the calls that have not been sent yet.
	waiting map[*trail]context.CancelCauseFunc
}

// admit lets a call send a request, or tells until when it may not.
func (b *breaker) admit(t *trail, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.until.IsZero(), b.probe == t:
		return nil
	case now.Before(b.until):
		return b.held()
	case b.probe != nil:
		return &errHeld{code: b.code, why: "is being tried again by another call: it " + b.why, until: now.Add(probeTime)}
	}
	b.probe = t
	return nil
}

// watch gives a context that ends, by what admit would answer, when the breaker
// opens. Its caller is to call done.
func (b *breaker) watch(ctx context.Context, t *trail) (watched context.Context, done func()) {
	watched, cancel := context.WithCancelCause(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil {
		b.waiting = make(map[*trail]context.CancelCauseFunc)
	}
	b.waiting[t] = cancel
	return watched, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waiting, t)
		cancel(nil)
	}
}

// leave is a call's end, however it ended: if it was the one that tries and
// learnt nothing, the next one does.
func (b *breaker) leave(t *trail) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.probe == t {
		b.probe = nil
	}
}

// succeeded notes a call that the registry answered.
func (b *breaker) succeeded(t *trail) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() || b.probe == t {
		b.failures, b.until = 0, time.Time{}
	}
}

// failed notes a call that the registry did not answer or answered by asking for
// fewer, and gives how long it stays open, or 0.
func (b *breaker) failed(t *trail, p *problem.Error, why string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.until.IsZero() && b.probe != t {
		return max(0, b.until.Sub(now)) // it was under way when another call opened
	}
	b.failures++
	limited := p.Code == problem.RegistryLimited
	worn := limited || b.failures >= tolerated || b.probe == t
	if !worn && p.RetryAfter == 0 {
		return 0
	}
	pause := p.RetryAfter
	if worn {
		pause = max(pause, b.backoff(now))
	}
	b.opens++
	b.code, b.why = p.Code, why
	pause += rand.N(pause/10 + 1) // later, never sooner, than it asked for
	b.until = now.Add(pause)
	b.ended = b.until
	for _, end := range b.waiting {
		end(b.held())
	}
	return pause
}

func (b *breaker) held() error {
	return &errHeld{code: b.code, why: "is left alone: it " + b.why, until: b.until}
}

// retry lets the next call try a registry that failed in a way that other
// certificates may mend. One that asked for fewer requests still does.
func (b *breaker) retry(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.until.IsZero() && b.code != problem.RegistryLimited {
		b.until = now
	}
}

func (b *breaker) backoff(now time.Time) time.Duration {
	if now.Sub(b.ended) > forgiven {
		b.opens = 0
	}
	return min(shortestOpen<<min(b.opens, 8), longestOpen)
}
