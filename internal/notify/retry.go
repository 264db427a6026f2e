package notify

import (
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/prewarm/prewarm/internal/notice"
)

// The times of trying again.
const (
	firstRetry  = 2 * time.Second
	mostRetry   = 10 * time.Minute
	lastingWait = time.Hour // after what does not pass by itself
	// maxRetryAfter bounds what a channel can ask for.
	maxRetryAfter = 6 * time.Hour
	// patience is how often a message is tried before it is thought of that the
	// failure may be its own.
	patience = 2
)

// retry decides when a route is tried again, and when a message. It tells a route
// that takes nothing from a message that it can't take: behind the first, what was
// made first goes first; the second holds nobody up.
type retry struct {
	backoff *backoff.ExponentialBackOff
	rest    time.Time // nothing is sent before
	// down tells that the route takes nothing, as far as is known.
	down bool
	// doubted is the message that failed last, for a reason of its own as it seems.
	doubted string
	// another tells that another message is to be tried, whatever rest says.
	another bool
}

func newRetry() *retry {
	r := &retry{backoff: backoff.NewExponentialBackOff()}
	r.backoff.InitialInterval, r.backoff.MaxInterval = firstRetry, mostRetry
	r.backoff.Multiplier, r.backoff.RandomizationFactor = 2, 0.2
	r.afresh()
	return r
}

// afresh forgets what was found out.
func (r *retry) afresh() {
	r.backoff.Reset()
	// What waits from before may be tried as soon as something was taken.
	r.rest, r.down, r.doubted, r.another = time.Time{}, true, "", false
}

// wait is how long nothing is sent.
func (r *retry) wait() time.Duration {
	if r.another {
		return 0
	}
	return time.Until(r.rest)
}

// succeeded notes that a message was taken, and tells whether that means that the
// route works again.
func (r *retry) succeeded() (mended bool) {
	mended = r.down
	r.afresh()
	r.down = false
	return mended
}

// failed notes a failure on a message and decides when it, and when anything, is
// tried again.
func (r *retry) failed(m *notice.Message, f *Failure) {
	now := time.Now()
	m.State, m.Error = notice.Waiting, f.Why
	if f.Lasting {
		m.State = notice.Failed
	}
	vague := !f.Lasting && f.RetryAfter == 0 && m.Tries > patience
	if vague && !r.down && (r.doubted == "" || r.doubted == m.ID) {
		r.doubted = m.ID
		m.Due = now.Add(min(firstRetry<<min(m.Tries, 10), mostRetry))
		return
	}
	m.Due = now.Add(max(r.pause(f, now), min(f.RetryAfter, maxRetryAfter)))
	if f.Lasting && !f.All {
		return
	}
	r.rest, r.down, r.doubted = m.Due, true, ""
	r.another = vague && !r.another
}

// pause is how long what failed waits where nobody says.
func (r *retry) pause(f *Failure, now time.Time) time.Duration {
	switch {
	case f.Lasting:
		return lastingWait
	case r.another: // it was tried within the rest after the one before
		return r.rest.Sub(now)
	}
	return r.backoff.NextBackOff()
}
