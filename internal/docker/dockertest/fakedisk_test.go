package dockertest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// free is the disk's free space as Probe tells it, in MiB.
func free(t *testing.T, f *Fake) int64 {
	t.Helper()
	e, err := f.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e.Disk.Free >> 20
}

func wantFree(t *testing.T, what string, f *Fake, want int64) {
	t.Helper()
	if got := free(t, f); got != want {
		t.Errorf("%s: %d MiB are free, want %d", what, got, want)
	}
}

// remove removes our pin with all of its image.
func remove(t *testing.T, f *Fake, pin registry.Pin) warmer.Removed {
	t.Helper()
	done, err := f.RemoveImage(t.Context(), ours(f.imageID(pin), pin))
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func keepAll(t *testing.T, f *Fake, pins ...registry.Pin) {
	t.Helper()
	for _, pin := range pins {
		if _, err := f.Keep(t.Context(), pin, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDiskFills(t *testing.T) {
	t.Parallel()
	f, a, b := stocked() // 1 + 2 and 1 + 4 MiB
	f.SetDisk(warmer.Disk{Free: 6 << 20, Total: 10 << 20})
	keepAll(t, f, a)
	wantFree(t, "a disk that does not fill", f, 6)
	f.FillDisk()
	wantFree(t, "what was there already", f, 6)
	keepAll(t, f, b)
	wantFree(t, "b without the layer that a has", f, 2)
	c := Pin("reg.test/other", 3)
	f.Push(c, amd64, []int64{3 << 20})
	_, err := f.Keep(t.Context(), c, nil)
	wantCode(t, "Keep of what does not fit", err, problem.NoSpace)
	wantCode(t, "their pull", f.Others().Pull(t.Context(), c), problem.NoSpace)
	wantFree(t, "a pull that failed", f, 2)
	remove(t, f, a)
	wantFree(t, "a without the layer that b has", f, 4)
	keepAll(t, f, c)
	remove(t, f, b)
	wantFree(t, "c is left", f, 6)
	f.LeakRemovals(true)
	if got := remove(t, f, c); !got.Gone {
		t.Errorf("RemoveImage = %+v, want it gone", got)
	}
	wantFree(t, "a removal that leaks", f, 6)
	f.Wipe()
	wantFree(t, "a wipe", f, 9)
	f.SetDisk(warmer.Disk{Free: 1 << 20, Total: 10 << 20})
	wantFree(t, "what was set anew", f, 1)
}

// TestPullsUnderWayFill: space is taken as the bytes come, and given back by a
// pull that ends early.
func TestPullsUnderWayFill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, a, _ := stocked()
		f.SetDisk(warmer.Disk{Free: 10 << 20, Total: 10 << 20})
		f.FillDisk()
		f.SetPullSpeed(1 << 20)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := f.Keep(ctx, a, nil)
			done <- err
		}()
		time.Sleep(2*time.Second + time.Millisecond)
		wantFree(t, "two seconds on", f, 8)
		cancel()
		if err := <-done; err == nil {
			t.Error("Keep was cancelled and ended well")
		}
		wantFree(t, "after it was cancelled", f, 10)
		keepAll(t, f, a)
		wantFree(t, "after another", f, 7)
	})
}
