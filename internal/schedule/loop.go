package schedule

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

const (
	// maxJitter bounds how far a firing is moved: beyond it a rare schedule would
	// feel late, and half a minute spreads any fleet.
	maxJitter = 30 * time.Second
	// maxSleep is how long a loop sleeps before it looks at the clock again, so
	// that it follows one that was set, and a machine that was asleep.
	maxSleep = time.Minute
)

// LoopOptions say when Loop calls its job.
type LoopOptions struct {
	Spec Spec // the zero Spec never fires
	// Name spreads loops of one interval over it: of @every, the first firing is
	// where the name's hash falls, counted by the wall clock, so that a restart
	// neither bunches the loops nor begins their intervals anew. Without a name
	// it is one interval from now.
	Name string
	// Jitter (0 to 1) is the part of the interval by which a firing is moved at
	// random, 30 s at most: @every to either side, a cron line to the later one.
	Jitter float64
	// Paused tells whether the job is not to be called, and gives a channel that
	// is closed when that has changed. Nil: it never is.
	Paused func() (paused bool, changed <-chan struct{})
}

// Loop calls job at each firing of o.Spec until ctx ends. It returns when ctx has
// ended and the last job has returned.
//
// The job never overlaps itself: firings that fall into a run are skipped. Those
// that fall into a pause, into the sleep of the machine or into a time that the
// clock was put over are made up by one call, at once. Where the clock is put
// back, the next firing is found anew. A jitter near 1 with a job that takes time
// skips firings; 0.1 is a good value.
func Loop(ctx context.Context, o LoopOptions, job func(context.Context)) {
	loop{LoopOptions: o, now: time.Now}.run(ctx, job)
}

// loop keeps to the wall clock: the monotonic one stands still while the machine
// sleeps.
type loop struct {
	LoopOptions

	now func() time.Time
}

func (l loop) run(ctx context.Context, job func(context.Context)) {
	firing := l.first()
	for !firing.IsZero() {
		switch due := l.sleepUntil(ctx, firing.Add(l.shift(firing))); {
		case ctx.Err() != nil:
			return
		case !due:
			firing = l.first()
			continue
		}
		if !l.awaitResume(ctx) {
			return
		}
		job(ctx)
		firing = l.Spec.following(firing, l.wall())
	}
	<-ctx.Done()
}

func (l loop) wall() time.Time { return l.now().Round(0) }

// first is the first firing from now on.
func (l loop) first() time.Time {
	now, every := l.wall(), l.Spec.every
	if every == 0 || l.Name == "" {
		return l.Spec.Next(now)
	}
	h := fnv.New64a()
	h.Write([]byte(l.Name))
	phase := time.Duration(h.Sum64() % uint64(every))
	since := time.Duration(now.UnixNano()) % every
	return now.Add(every - (since-phase+every)%every)
}

// shift is the random part of a firing's time.
func (l loop) shift(firing time.Time) time.Duration {
	interval := l.Spec.Next(firing).Sub(firing)
	seconds := min(min(l.Jitter, 1)*interval.Seconds(), maxJitter.Seconds())
	// Written so that NaN, too, is no shift.
	if !(seconds > 0) {
		return 0
	}
	most := time.Duration(seconds * float64(time.Second))
	if l.Spec.every > 0 {
		return rand.N(2*most+1) - most
	}
	// Nothing that was planned for 06:00 may come before it.
	return rand.N(most + 1)
}

// sleepUntil tells whether t came; false means that ctx ended, or that the clock
// was put back and t may be far away.
func (l loop) sleepUntil(ctx context.Context, t time.Time) bool {
	for last := l.wall(); ; {
		now := l.wall()
		left := t.Sub(now)
		switch {
		case now.Before(last):
			return false
		case left <= 0:
			return ctx.Err() == nil
		}
		last = now
		timer := time.NewTimer(min(left, maxSleep))
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}

// awaitResume tells whether the pause, if there is one, has ended; false means
// that ctx ended.
func (l loop) awaitResume(ctx context.Context) bool {
	for l.Paused != nil {
		paused, changed := l.Paused()
		if !paused {
			break
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
	return ctx.Err() == nil
}
