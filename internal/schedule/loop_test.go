package schedule

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record runs a Loop for a while in controlled time and gives the offsets at
// which its job was started; the i-th job takes takes[i], the rest no time.
func record(t *testing.T, line string, jitter float64, lasts time.Duration, takes ...time.Duration) []time.Duration {
	t.Helper()
	var starts []time.Duration
	spec := mustParse(t, line)
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), lasts)
		defer cancel()
		Loop(ctx, LoopOptions{Spec: spec, Jitter: jitter}, func(context.Context) {
			starts = append(starts, time.Since(begin))
			if len(starts) <= len(takes) {
				time.Sleep(takes[len(starts)-1])
			}
		})
	})
	return starts
}

func TestLoopFires(t *testing.T) {
	t.Parallel()
	const m = time.Minute
	// The bubble's clock starts at midnight UTC.
	for _, c := range []struct {
		name, line string
		lasts      time.Duration
		takes      []time.Duration
		want       []time.Duration
	}{
		{"an interval", "@every 1m", 3*m + 1, nil, []time.Duration{m, 2 * m, 3 * m}},
		{"a cron line", "CRON_TZ=UTC 17 3 * * *", 48 * time.Hour, nil, []time.Duration{197 * m, 24*time.Hour + 197*m}},
		{"no drift by the job's time", "@every 1m", 3*m + 1, []time.Duration{20 * time.Second, 20 * time.Second}, []time.Duration{m, 2 * m, 3 * m}},
		{"firings in a run are skipped", "@every 1m", 6*m + 1, []time.Duration{150 * time.Second}, []time.Duration{m, 4 * m, 5 * m, 6 * m}},
		{"cron firings in a run are skipped", "*/10 * * * *", 41 * m, []time.Duration{15 * m}, []time.Duration{10 * m, 30 * m, 40 * m}},
		{"ended before the first firing", "@every 1m", m - 1, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := record(t, c.line, 0, c.lasts, c.takes...)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("starts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoopJitters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line         string
		interval     time.Duration
		jitter       float64
		early, later time.Duration // how far a start may be from its firing
	}{
		{"@every 1m", time.Minute, 0.1, 6 * time.Second, 6 * time.Second},
		{"@every 1h", time.Hour, 0.1, maxJitter, maxJitter},
		{"@hourly", time.Hour, 5, 0, maxJitter},
		{"* * * * *", time.Minute, 0.1, 0, 6 * time.Second},
		{"@every 1m", time.Minute, -1, 0, 0},
		{"@every 1m", time.Minute, math.NaN(), 0, 0},
	} {
		const n = 200
		starts := record(t, c.line, c.jitter, n*c.interval+c.later+1)
		if len(starts) != n {
			t.Errorf("%s with jitter %g: %d starts in %d intervals", c.line, c.jitter, len(starts), n)
		}
		shifts := make(map[time.Duration]bool)
		var early, later bool
		for i, start := range starts {
			shift := start - time.Duration(i+1)*c.interval
			if shift < -c.early || shift > c.later {
				t.Errorf("%s with jitter %g: start %d is off by %s, want -%s to %s", c.line, c.jitter, i, shift, c.early, c.later)
			}
			shifts[shift] = true
			early, later = early || shift < 0, later || shift > 0
		}
		if spread := len(shifts) > n/2; spread != (c.later > 0) || early != (c.early > 0) || later != (c.later > 0) {
			t.Errorf("%s with jitter %g: %d different shifts in %d firings, some early: %v, some late: %v", c.line, c.jitter, len(shifts), n, early, later)
		}
	}
}

// Loops of one interval come at different times, and at the same ones after a
// restart whenever that is.
func TestLoopSpreadsByName(t *testing.T) {
	t.Parallel()
	const interval = time.Hour
	firstOf := func(name string, started time.Duration) (first time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			time.Sleep(started)
			ctx, cancel := context.WithTimeout(t.Context(), interval)
			defer cancel()
			Loop(ctx, LoopOptions{Spec: mustParse(t, "@every 1h"), Name: name}, func(context.Context) {
				first = time.Since(begin)
				cancel()
			})
		})
		return first
	}
	quarters := make(map[time.Duration]int)
	for i := range 200 {
		name := fmt.Sprintf("image-%d", i)
		first := firstOf(name, 0)
		if first <= 0 || first > interval {
			t.Fatalf("%s fires first after %s, want within %s", name, first, interval)
		}
		quarters[first/(interval/4)]++
		if again := firstOf(name, first/2); again != first {
			t.Errorf("%s fires at %s, after a restart at %s", name, first, again)
		}
		if next := firstOf(name, first+time.Second); next != first+interval {
			t.Errorf("%s restarted after %s fires at %s, want %s", name, first, next, first+interval)
		}
	}
	for quarter := range time.Duration(4) {
		if n := quarters[quarter]; n < 25 {
			t.Errorf("%d of 200 loops fire first in quarter %d of the interval, want about 50", n, quarter)
		}
	}
}

// gate is a pause as a caller has one.
type gate struct {
	mu      sync.Mutex
	paused  bool
	changed chan struct{}
}

func (g *gate) state() (bool, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.paused, g.changed
}

func (g *gate) set(paused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.paused = paused
	close(g.changed)
	g.changed = make(chan struct{})
}

func TestLoopPauses(t *testing.T) {
	t.Parallel()
	const m, s = time.Minute, time.Second
	for _, c := range []struct {
		name    string
		toggles []time.Duration // pause, resume, pause, …
		want    []time.Duration
	}{
		{"no firing missed, none made up", []time.Duration{70 * s, 110 * s}, []time.Duration{m, 2 * m, 3 * m, 4 * m, 5 * m}},
		{"one missed, one made up", []time.Duration{70 * s, 130 * s}, []time.Duration{m, 130 * s, 3 * m, 4 * m, 5 * m}},
		{"three missed, one made up", []time.Duration{70 * s, 250 * s}, []time.Duration{m, 250 * s, 5 * m}},
		{"resumed as one is due", []time.Duration{70 * s, 3 * m}, []time.Duration{m, 3 * m, 4 * m, 5 * m}},
		{"paused from the start", []time.Duration{0, 90 * s}, []time.Duration{90 * s, 2 * m, 3 * m, 4 * m, 5 * m}},
		{"paused again and again", []time.Duration{70 * s, 80 * s, 90 * s, 190 * s, 200 * s, 210 * s}, []time.Duration{m, 190 * s, 4 * m, 5 * m}},
		{"never resumed", []time.Duration{70 * s}, []time.Duration{m}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []time.Duration
			spec := mustParse(t, "@every 1m")
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 5*m+s)
				defer cancel()
				g := &gate{changed: make(chan struct{})}
				for i, at := range c.toggles {
					time.AfterFunc(at, func() { g.set(i%2 == 0) })
				}
				Loop(ctx, LoopOptions{Spec: spec, Paused: g.state}, func(context.Context) {
					got = append(got, time.Since(begin))
				})
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("starts (-want +got):\n%s", diff)
			}
		})
	}
}

// A machine that wakes finds its clock ahead; an administrator may set it either
// way. The wall's clock is what counts.
func TestLoopFollowsTheWallClock(t *testing.T) {
	t.Parallel()
	const m, h = time.Minute, time.Hour
	for _, c := range []struct {
		name, line string
		at, jump   time.Duration
		want       []time.Duration // by elapsed time
	}{
		{"asleep over eight firings: one", "@every 1h", 90 * m, 8 * h, []time.Duration{h, 91 * m, 2 * h, 3 * h, 4 * h}},
		{"asleep over a cron line: one", "@hourly", 90 * m, 8 * h, []time.Duration{h, 91 * m, 2 * h, 3 * h, 4 * h}},
		{"asleep between two firings: none", "@every 1h", 70 * m, 30 * m, []time.Duration{h, 90 * m, 150 * m, 210 * m}},
		{"put back: an interval begins anew", "@every 1h", 90 * m, -8 * h, []time.Duration{h, 151 * m, 211 * m}},
		{"put back: a cron line is read anew", "@hourly", 90 * m, -8 * h, []time.Duration{h, 2 * h, 3 * h, 4 * h}},
		{"put back, not as far as the last firing", "@every 1h", 90 * m, -20 * m, []time.Duration{h, 151 * m, 211 * m}},
		{"put back by less than it slept: late by as much", "@every 1h", 90 * m, -time.Second, []time.Duration{h, 2*h + time.Second, 3*h + time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []time.Duration
			spec := mustParse(t, c.line)
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 4*h+1)
				defer cancel()
				wall := func() time.Time {
					if now := time.Now(); now.Sub(begin) > c.at {
						return now.Add(c.jump)
					}
					return time.Now()
				}
				loop{LoopOptions{Spec: spec}, wall}.run(ctx, func(context.Context) {
					got = append(got, time.Since(begin))
				})
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("starts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoopWaitsForItsJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		release, returned := make(chan struct{}), make(chan struct{})
		var told bool
		go func() {
			defer close(returned)
			Loop(ctx, LoopOptions{Spec: mustParse(t, "@every 1m")}, func(ctx context.Context) {
				<-ctx.Done()
				told = true
				<-release
			})
		}()
		time.Sleep(90 * time.Second)
		cancel()
		synctest.Wait()
		select {
		case <-returned:
			t.Fatal("Loop returned before its job")
		default:
		}
		close(release)
		<-returned
		if !told {
			t.Error("the job's context did not end")
		}
	})
}

func TestLoopOfTheZeroSpec(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		Loop(ctx, LoopOptions{}, func(context.Context) { t.Error("the zero spec fired") })
		if ctx.Err() == nil {
			t.Error("Loop returned before its context ended")
		}
	})
}
