package dockertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

var amd64 = registry.Platform{OS: "linux", Architecture: "amd64"}

// stocked is a fake with two images of 1 + 2 and 1 + 4 MiB.
func stocked() (f *Fake, a, b registry.Pin) {
	f = NewFake(Options{})
	a, b = Pin("reg.test/jobs", 1), Pin("reg.test/jobs", 2)
	f.Push(a, amd64, []int64{1 << 20, 2 << 20})
	f.Push(b, amd64, []int64{1 << 20, 4 << 20})
	return f, a, b
}

func wantCode(t *testing.T, what string, err error, want problem.Code) {
	t.Helper()
	if got := problem.CodeOf(err); got != want {
		t.Errorf("%s: got code %q, want %q; error: %v", what, got, want, err)
	}
}

func TestPullTakesItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, a, b := stocked()
		f.SetPullSpeed(1 << 20)
		for _, c := range []struct {
			pin   registry.Pin
			took  time.Duration
			bytes int64
		}{
			{a, 3 * time.Second, 3 << 20},
			{b, 4 * time.Second, 4 << 20}, // a's first layer is there
			{a, 0, 0},                     // adopted
		} {
			begin := time.Now()
			var last warmer.Progress
			if _, err := f.Keep(t.Context(), c.pin, func(p warmer.Progress) { last = p }); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took != c.took || last.Bytes != c.bytes {
				t.Errorf("%s took %s for %d bytes, want %s for %d", c.pin, took, last.Bytes, c.took, c.bytes)
			}
		}
		if f.Pulls(a) != 1 || f.Pulls(b) != 1 || f.MostPulls() != 1 {
			t.Errorf("%d and %d pulls, %d at once; want 1 each", f.Pulls(a), f.Pulls(b), f.MostPulls())
		}
	})
}

func TestFailPull(t *testing.T) {
	t.Parallel()
	f, a, _ := stocked()
	broken := problem.New(problem.RegistryUnavailable, "the registry is down", "")
	f.FailPull(a, broken, 2)
	for range 2 {
		if _, err := f.Keep(t.Context(), a, nil); !errors.Is(err, broken) {
			t.Errorf("Keep = %v, want the failure", err)
		}
	}
	if _, err := f.Keep(t.Context(), a, nil); err != nil {
		t.Errorf("Keep after two failures: %v", err)
	}
	f.Unpush(a)
	f.Forget(a)
	_, err := f.Keep(t.Context(), a, nil)
	wantCode(t, "Keep of what was unpushed", err, problem.TagNotFound)
}

func TestHeldPulls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, a, b := stocked()
		f.HoldPulls()
		var pulls sync.WaitGroup
		done := 0
		for _, pin := range []registry.Pin{a, b} {
			pulls.Go(func() {
				if _, err := f.Keep(t.Context(), pin, nil); err != nil {
					t.Error(err)
				}
				f.mu.Lock()
				done++
				f.mu.Unlock()
			})
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if done != 0 || f.MostPulls() != 2 {
			t.Errorf("%d pulls are done, %d were under way; want 0 and 2", done, f.MostPulls())
		}
		f.ReleasePulls()
		pulls.Wait()
	})
}

// TestPullsEndEarly: by the caller, by an outage, by a wipe.
func TestPullsEndEarly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(f *Fake, cancel context.CancelFunc)
		want problem.Code
	}{
		{"cancelled", func(_ *Fake, cancel context.CancelFunc) { cancel() }, problem.Internal},
		{"down", func(f *Fake, _ context.CancelFunc) { f.SetDown(true) }, problem.HostUnreachable},
		{"wiped", func(f *Fake, _ context.CancelFunc) { f.Wipe() }, problem.HostUnreachable},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, a, _ := stocked()
			f.SetPullSpeed(1 << 20)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(time.Second+time.Millisecond, func() { c.do(f, cancel) })
			begin := time.Now()
			_, err := f.Keep(ctx, a, nil)
			wantCode(t, c.name, err, c.want)
			if took := time.Since(begin); took != time.Second+time.Millisecond {
				t.Errorf("%s: ended after %s, want at once", c.name, took)
			}
			f.SetDown(false)
			if _, ok, err := f.Inspect(t.Context(), a); ok || err != nil {
				t.Errorf("%s: Inspect = %v, %v; want nothing", c.name, ok, err)
			}
		})
	}
}
