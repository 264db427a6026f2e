package notify_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
)

// switchable is a channel that is down while it is said to be.
func switchable() (c *channel, down *atomic.Bool) {
	down = new(atomic.Bool)
	return &channel{fail: func(int, notice.Message) error {
		if down.Load() {
			return errors.New("down")
		}
		return nil
	}}, down
}

func tasksOf(messages []notice.Message) (all []string) {
	for _, m := range messages {
		all = append(all, m.Newest().Run.Task)
	}
	return all
}

// A receiver that works again gets all that waited as soon as it took the first,
// in the order in which it was made, and nothing that is made later before.
func TestAMendedReceiverGetsAllAtOnce(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		c, down := switchable()
		route := notify.Route{Name: "r", Channel: c}
		bubble(t, func(s *scene) {
			down.Store(true)
			var want []string
			for n := range 20 {
				want = append(want, fmt.Sprint("task-", n))
				s.tell(runEvent(notice.RunFailed, fmt.Sprint(n), want[n], 3))
				s.after(7 * time.Minute)
			}
			if restart {
				s.stop()
				s.start(route)
			}
			s.after(time.Minute)
			down.Store(false)
			s.tell(runEvent(notice.RunFailed, "late", "late", 3))
			begun := time.Now()
			s.after(15 * time.Minute)
			same(s.t, append(want, "late"), tasksOf(c.all()))
			times := c.times()
			if first := times[0].Sub(begun); first > 13*time.Minute {
				s.t.Errorf("the first was taken after %s", first)
			}
			if took := times[len(times)-1].Sub(times[0]); took > time.Second {
				s.t.Errorf("the last was taken %s after the first", took)
			}
		}, route)
	}
}

// Who has mended a receiver need not wait: a reload tries again, and all of it.
func TestHurry(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"down": errors.New("down"), "refused": &notify.Failure{Why: "bad token", Lasting: true, All: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mended atomic.Bool
			c := &channel{fail: func(int, notice.Message) error {
				if mended.Load() {
					return nil
				}
				return failure
			}}
			bubble(t, func(s *scene) {
				var want []string
				for n := range 4 {
					want = append(want, fmt.Sprint("task-", n))
					s.tell(runEvent(notice.RunFailed, fmt.Sprint(n), want[n], 3))
					s.after(70 * time.Minute)
				}
				s.after(time.Minute)
				mended.Store(true)
				s.notify.Hurry()
				s.after(time.Second)
				same(s.t, want, tasksOf(c.all()))
			}, notify.Route{Name: "r", Channel: c})
		})
	}
}

// A message that makes its receiver fail holds up no other, and is tried rarely.
// Of several one can't tell that it is not the receiver, for a while.
func TestAMessageThatCannotBeTakenHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for bad, most := range map[int]struct {
		late  time.Duration
		tries int
	}{1: {time.Second, 200}, 3: {10 * time.Minute, 20_000}} {
		t.Run(fmt.Sprint(bad), func(t *testing.T) {
			t.Parallel()
			tries := 0
			c := &channel{fail: func(_ int, m notice.Message) error {
				if m.Newest().Run.Namespace == "bad" {
					tries++
					return errors.New("HTTP 500")
				}
				return nil
			}}
			bubble(t, func(s *scene) {
				for n := range bad {
					e := runEvent(notice.RunFailed, fmt.Sprint("bad-", n), fmt.Sprint("bad-", n), 3)
					e.Run.Namespace = "bad"
					s.tell(e)
				}
				s.after(time.Minute)
				var want []string
				for n := range 24 * 60 {
					want = append(want, fmt.Sprint("task-", n))
					s.tell(runEvent(notice.RunFailed, fmt.Sprint(n), want[n], 3))
					s.after(time.Minute)
				}
				s.after(10 * time.Minute)
				same(s.t, len(want), len(c.all()))
				if got := tasksOf(c.all()); !slices.Equal(got, want) {
					s.t.Error("the others came in another order")
				}
				for i, at := range c.times() {
					if late := at.Sub(c.all()[i].Made); i > 5 && late > most.late {
						s.t.Fatalf("message %d came %s late", i, late)
					}
				}
				if tries > most.tries {
					s.t.Errorf("tried %d times in a day", tries)
				}
			}, notify.Route{Name: "r", Channel: c})
		})
	}
}
