package warmer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
)

// Whatever happens to a fleet, once it is left alone it holds what the tag
// shows, everywhere; on the way nothing is promoted that is warm nowhere, and no
// host pulls more than it may.
func TestConvergesAfterAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		// The draws come first: rapid's own goroutines don't belong in a bubble.
		ops := rapid.SliceOfN(rapid.Custom(drawOp), 5, 40).Draw(rt, "ops")
		var failure string
		synctest.Test(t, func(t *testing.T) {
			s := newScene(t, three...)
			s.start()
			s.push(1)
			for _, o := range ops {
				o.do(s)
				s.settle(o.pause)
				if failure = s.broken(); failure != "" {
					break
				}
			}
			if failure == "" {
				failure = s.quiet()
			}
			s.stop()
		})
		if failure != "" {
			rt.Fatal(failure)
		}
	})
}

// op is something that happens.
type op struct {
	what   string
	host   string
	digest int
	pause  time.Duration
}

func drawOp(t *rapid.T) op {
	return op{
		what:   rapid.SampledFrom([]string{"push", "push", "check", "forget", "untag", "wipe", "down", "up", "fail", "slow", "restart", "store fails", "registry fails", "nothing"}).Draw(t, "what"),
		host:   rapid.SampledFrom(three).Draw(t, "host"),
		digest: rapid.IntRange(1, 6).Draw(t, "digest"),
		pause:  time.Duration(rapid.IntRange(0, 100_000).Draw(t, "pause")) * time.Millisecond,
	}
}

func (o op) do(s *scene) {
	h, pin := s.hosts[o.host], dockertest.Pin(repository, o.digest)
	switch o.what {
	case "push":
		s.push(o.digest)
		s.look()
	case "check":
		s.look()
	case "forget":
		h.Forget(pin)
	case "untag":
		h.Untag(pin)
	case "wipe":
		h.Wipe()
	case "down":
		h.SetDown(true)
	case "up":
		h.SetDown(false)
	case "fail":
		h.FailPull(pin, problem.New(problem.EngineAPI, "pull", ""), 3)
	case "slow":
		h.SetPullSpeed(int64(100 * o.digest))
	case "restart":
		s.stop()
		s.start()
	case "store fails":
		s.failStore(errors.New("disk full"))
		time.Sleep(time.Second)
		s.failStore(nil)
	case "registry fails":
		s.tags.set(s.tags.latest, errors.New("no"))
		s.look()
		s.tags.set(s.tags.latest, nil)
	}
}

// look checks the tag; that it may fail is the point.
func (s *scene) look() { _, _ = s.w.Check(context.Background(), "jobs") }

func (s *scene) failStore(err error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.err = err
}

// broken tells a promise that does not hold now.
func (s *scene) broken() string {
	for name, h := range s.hosts {
		if h.MostPulls() > 2 {
			return name + " pulls more than it may"
		}
	}
	current := 0
	rollouts, _ := s.store.Rollouts(context.Background()) // the memory one never fails
	for _, r := range rollouts {
		if r.Phase == "current" {
			current++
		}
	}
	if current > 1 {
		return "two current digests"
	}
	return ""
}

// quiet leaves the fleet alone and tells what did not converge.
func (s *scene) quiet() string {
	for _, h := range s.hosts {
		h.SetDown(false)
		h.SetPullSpeed(0)
	}
	s.settle(15 * time.Minute) // the longest backoff
	s.look()
	s.settle(15 * time.Minute)
	want := s.tags.latest
	if s.current() != want {
		return "not current: " + want.String()
	}
	for name, h := range s.hosts {
		if c, ok, err := h.Inspect(context.Background(), want); err != nil || !ok || !c.Kept {
			return "not kept on " + name
		}
	}
	return s.broken()
}
