package schedule

import (
	"context"
	"math"
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
		Loop(ctx, spec, jitter, func(context.Context) {
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
		line     string
		interval time.Duration
		jitter   float64
		limit    time.Duration
	}{
		{"@every 1m", time.Minute, 0.1, 6 * time.Second},
		{"@every 1h", time.Hour, 0.1, maxJitter},
		{"@hourly", time.Hour, 5, maxJitter},
		{"@every 10s", 10 * time.Second, 5, 10 * time.Second},
		{"@every 1m", time.Minute, -1, 0},
		{"@every 1m", time.Minute, math.NaN(), 0},
	} {
		const n = 200
		late := make(map[time.Duration]bool)
		for i, start := range record(t, c.line, c.jitter, n*c.interval+c.limit) {
			d := start % c.interval
			if d > c.limit {
				t.Errorf("%s with jitter %g: start %d is %s late, want at most %s", c.line, c.jitter, i, d, c.limit)
			}
			late[d] = true
		}
		if spread := len(late) > n/2; spread != (c.limit > 0) {
			t.Errorf("%s with jitter %g: %d different delays in %d firings", c.line, c.jitter, len(late), n)
		}
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
			Loop(ctx, mustParse(t, "@every 1m"), 0, func(ctx context.Context) {
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
		Loop(ctx, Spec{}, 0, func(context.Context) { t.Error("the zero spec fired") })
		if ctx.Err() == nil {
			t.Error("Loop returned before its context ended")
		}
	})
}
