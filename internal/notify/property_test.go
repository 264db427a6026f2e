package notify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/test/outbox"
)

// step is something that happens to a Notifier.
type step struct {
	what  string // tell, wait, fail, refuse, kill
	n     int
	after time.Duration
}

// mortal is an outbox whose process can be killed: nothing is written after
// that.
type mortal struct {
	outbox.Outbox
	dead *atomic.Bool
}

var errDead = errors.New("the process was killed")

func (m mortal) RouteEvents(ctx context.Context, events []string, messages []notice.Message) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Outbox.RouteEvents(ctx, events, messages)
}

func (m mortal) SettleMessage(ctx context.Context, message notice.Message) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Outbox.SettleMessage(ctx, message)
}

// receiver is what everything is sent to, whichever process sends.
type receiver struct {
	mu      sync.Mutex
	inPlace bool
	dead    *atomic.Bool
	fail    int            // so many tries fail from now on
	refuse  int            // so many are refused for good
	kill    int            // 1: before a message is taken, 2: after
	got     map[string]int // by event
	excused map[string]int // by event: how often its message was taken by a process that was killed then
	order   map[string][]string
}

// slow is how long a receiver takes.
const slow = 500 * time.Millisecond

func (r *receiver) InPlace() bool { return r.inPlace }

func (r *receiver) Send(_ context.Context, m notice.Message) (string, error) {
	time.Sleep(slow) // events come meanwhile
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.dead.Load():
		return "", errDead
	case r.kill == 1:
		r.kill = 0
		r.dead.Store(true)
		return "", errDead
	case r.fail > 0:
		r.fail--
		return "", errors.New("down")
	case r.refuse > 0:
		r.refuse--
		return "", &notify.Failure{Why: "no", Lasting: true, All: r.refuse%2 == 0}
	}
	for _, id := range m.IDs {
		if r.got[id]++; r.got[id] == 1 {
			r.order[m.Thread] = append(r.order[m.Thread], id)
		}
		if r.kill == 2 {
			r.excused[id]++
		}
	}
	if r.kill == 2 {
		r.kill = 0
		r.dead.Store(true)
	}
	return "ref", nil
}

// eventOf makes the nth kind of event.
func eventOf(n int) notice.Event {
	switch n % 8 {
	case 0, 1:
		return warmFailed(fmt.Sprintf("etl-%d", n%3))
	case 2:
		return hostEvent(notice.HostDown)
	case 3:
		return hostEvent(notice.HostUp)
	case 4:
		return runEvent(notice.RunStarted, "1", "a", 1)
	case 5:
		return runEvent(notice.RunFailed, fmt.Sprint(n), "a", n%3)
	case 6:
		return runEvent(notice.RunRetrying, fmt.Sprint(n), "b", 1)
	}
	return notice.New(notice.ConfigRefused)
}

// play lets steps happen and gives what was told, by thread, and what came of it.
func play(t *testing.T, steps []step, inPlace bool, reopen func() outbox.Outbox) (told map[string][]string, r *receiver) {
	told = make(map[string][]string)
	var dead atomic.Bool
	r = &receiver{inPlace: inPlace, dead: &dead, got: map[string]int{}, excused: map[string]int{}, order: map[string][]string{}}
	synctest.Test(t, func(t *testing.T) {
		box := reopen()
		var stop func()
		start := func() {
			dead.Store(false)
			n, err := notify.New(notify.Options{
				Outbox: mortal{box, &dead}, Noticed: box.Noticed(), Logger: discard,
				Setup: notify.Setup{Routes: []notify.Route{{Name: "r", Channel: r, On: notice.Kinds, Group: group, Repeat: time.Hour}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			var running sync.WaitGroup
			running.Go(func() { _ = n.Run(ctx) })
			stop = func() { cancel(); running.Wait() }
		}
		revive := func() {
			synctest.Wait()
			if dead.Load() {
				stop()
				box = reopen()
				start()
			}
		}
		start()
		for _, s := range steps {
			r.mu.Lock()
			switch s.what {
			case "fail":
				r.fail = s.n
			case "refuse":
				r.refuse = s.n
			case "kill":
				r.kill = 1 + s.n%2
			}
			r.mu.Unlock()
			if s.what == "tell" {
				e := eventOf(s.n)
				thread := fmt.Sprint(e.Cause)
				if e.Run != nil {
					thread = e.Run.Task
				}
				told[thread] = append(told[thread], e.ID)
				if err := box.Tell(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(s.after)
			revive()
		}
		for range 30 { // what is owed is sent, whatever was armed
			time.Sleep(time.Hour)
			revive()
		}
		stop()
		if closer, ok := box.(interface{ Close() error }); ok {
			_ = closer.Close()
		}
	})
	return told, r
}

func drawSteps(t *rapid.T) (steps []step) {
	draw := rapid.Custom(func(t *rapid.T) step {
		return step{
			what:  rapid.SampledFrom([]string{"tell", "tell", "tell", "tell", "wait", "fail", "refuse", "kill"}).Draw(t, "what"),
			n:     rapid.IntRange(0, 15).Draw(t, "n"),
			after: rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second, 11 * time.Second, time.Minute, 70 * time.Minute}).Draw(t, "after"),
		}
	})
	return rapid.SliceOfN(draw, 1, 40).Draw(t, "steps")
}

// Whatever fails and whenever the process is killed: each event arrives, in the
// order of its thread, and twice only where a process was killed between the
// sending and the noting.
func checkDeliveries(rt *rapid.T, told map[string][]string, r *receiver) {
	for thread, ids := range told {
		for _, id := range ids {
			if n := r.got[id]; n < 1 || n > 1+r.excused[id] {
				rt.Errorf("event %s of %q arrived %d times, with %d kills after it was taken", id, thread, n, r.excused[id])
			}
		}
	}
	for thread, ids := range r.order {
		if !slices.IsSorted(ids) {
			rt.Errorf("events of %q came in the order %v", thread, ids)
		}
	}
}

func TestEveryEventArrives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var box *outbox.Memory // made in the bubble of time, as its channel has to be
		told, r := play(t, drawSteps(rt), rapid.Bool().Draw(rt, "in place"), func() outbox.Outbox {
			if box == nil {
				box = outbox.NewMemory()
			}
			return box
		})
		checkDeliveries(rt, told, r)
	})
}

// The same on disk, where each life opens the state anew.
func TestEveryEventArrivesFromDisk(t *testing.T) {
	t.Parallel()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		if n++; n > 4 {
			return // each costs hundreds of writes to a disk
		}
		dir := t.TempDir()
		var open *store.Store
		told, r := play(t, drawSteps(rt), rapid.Bool().Draw(rt, "in place"), func() outbox.Outbox {
			if open != nil {
				if err := open.Close(); err != nil {
					t.Fatal(err)
				}
			}
			s, err := store.Open(context.Background(), dir)
			if err != nil {
				t.Fatal(err)
			}
			open = s
			return s
		})
		checkDeliveries(rt, told, r)
	})
}
