package schedule

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// maxJitter bounds the delay of a firing: beyond it a rare schedule would
	// feel late, and half a minute spreads any fleet.
	maxJitter = 30 * time.Second
	// maxSleep is how long Loop sleeps before it looks at the clock again, so
	// that a cron line follows a clock that was set.
	maxSleep = time.Minute
)

// Loop calls job at each firing of spec until ctx ends. It returns when ctx has
// ended and the last job has returned.
//
// Every firing is delayed at random by up to jitter (0 to 1) of the time to the
// next one, and by 30 s at most, so that loops of the same spec spread out. The
// job never overlaps itself: firings that fall into a run are skipped, not made
// up. A jitter near 1 with a job that takes time therefore skips firings; 0.1
// is a good value. The zero Spec never fires.
func Loop(ctx context.Context, spec Spec, jitter float64, job func(context.Context)) {
	firing := spec.Next(time.Now())
	for !firing.IsZero() {
		if !sleepUntil(ctx, firing.Add(delay(spec, firing, jitter))) {
			return
		}
		job(ctx)
		firing = spec.following(firing, time.Now())
	}
	<-ctx.Done()
}

// delay is the random part of a firing's time.
func delay(spec Spec, firing time.Time, jitter float64) time.Duration {
	interval := spec.Next(firing).Sub(firing)
	seconds := min(min(jitter, 1)*interval.Seconds(), maxJitter.Seconds())
	// Written so that NaN, too, is no delay.
	if !(seconds > 0) {
		return 0
	}
	return rand.N(time.Duration(seconds*float64(time.Second)) + 1)
}

// sleepUntil tells whether it slept until t; false means that ctx ended.
func sleepUntil(ctx context.Context, t time.Time) bool {
	for {
		left := time.Until(t)
		if left <= 0 {
			return ctx.Err() == nil
		}
		timer := time.NewTimer(min(left, maxSleep))
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}
