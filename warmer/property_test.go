package warmer_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
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
		what: rapid.SampledFrom([]string{
			"push", "push", "check", "forget", "untag", "prune", "wipe", "down", "up", "fail", "full", "slow", "restart", "store fails", "registry fails",
			"deleted", "hold", "unhold", "rollback", "approve", "pause", "resume", "leave", "join", "mute", "seed", "nothing",
		}).Draw(t, "what"),
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
	case "prune":
		_ = h.Others().Prune(context.Background()) // the fake's never fails
	case "full":
		h.SetDisk(warmer.Disk{Free: int64(o.digest), Total: 1 << 20})
	case "deleted":
		h.FailPull(pin, problem.New(problem.TagNotFound, "gone upstream", ""), -1)
	case "leave", "join":
		s.present[o.host] = o.what == "join"
		s.w.Reconfigure(s.setup())
	case "mute":
		h.MuteEvents(o.digest%2 == 0)
	case "seed":
		s.opts.Registries = map[string]warmer.RegistryRules{"registry.test": {Seed: o.digest%2 == 0, Pulls: o.digest % 3}}
		s.w.Reconfigure(s.setup())
	default:
		s.person(o)
	}
}

// person does what people do; that it may be refused is the point.
func (s *scene) person(o op) {
	ctx := context.Background()
	switch o.what {
	case "hold":
		_ = s.w.Hold(ctx, "jobs", "ana")
	case "unhold":
		_ = s.w.Unhold(ctx, "jobs", "ana")
	case "rollback":
		_, _ = s.w.Rollback(ctx, "jobs", "", "ana")
	case "approve":
		_, _ = s.w.Approve(ctx, "jobs", string(dockertest.Pin(repository, o.digest).Digest()), "ana")
	case "pause":
		_ = s.w.Pause(ctx, warmer.Pulling, o.host, "ana")
	case "resume":
		_ = s.w.Resume(ctx, warmer.Pulling, o.host, "ana")
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
	if s.promotedCold() {
		return "a digest became current that was warm nowhere"
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

// promotedCold tells whether the current digest changed to one that no host has
// held since the last look.
func (s *scene) promotedCold() bool {
	now := s.current()
	changed := now != s.before
	s.before = now
	if !changed || now.IsZero() {
		return false
	}
	for _, h := range s.hosts {
		if h.Pulls(now) > 0 {
			return false
		}
	}
	return true
}

// quiet leaves the fleet alone and tells what did not converge.
func (s *scene) quiet() string {
	ctx := context.Background()
	for name, h := range s.hosts {
		s.present[name] = true
		_ = s.w.Resume(ctx, warmer.Pulling, name, "ana")
		h.SetDown(false)
		h.SetPullSpeed(0)
		h.SetDisk(warmer.Disk{})
		for n := range 7 {
			h.FailPull(dockertest.Pin(repository, n), nil, 0)
		}
	}
	s.w.Reconfigure(s.setup())
	_ = s.w.Unhold(ctx, "jobs", "ana")
	s.look()
	_, _ = s.w.Rewarm("jobs", nil) // whatever waits for a backoff
	s.settle(15 * time.Minute)
	want := s.tags.latest
	if held := s.status().Held; len(held) > 0 && held[len(held)-1].Pin == want {
		// Somebody went back from what the tag shows: it stays out until it is
		// approved.
		if held[len(held)-1].Holds[0] != warmer.WasRejected {
			return "held without a reason"
		}
		_, _ = s.w.Approve(ctx, "jobs", string(want.Digest()), "ana")
		s.settle(15 * time.Minute)
	} else if s.current() != want && s.wasRejected(want) {
		_, _ = s.w.Approve(ctx, "jobs", string(want.Digest()), "ana")
		s.settle(15 * time.Minute)
	}
	if s.current() != want {
		return "not current: " + want.String()
	}
	for name, h := range s.hosts {
		if c, ok, err := h.Inspect(ctx, want); err != nil || !ok || !c.Kept {
			return "not kept on " + name
		}
	}
	return s.broken()
}

// wasRejected tells whether the newest rollout of a digest is one that somebody
// went back from.
func (s *scene) wasRejected(pin registry.Pin) bool {
	rollouts, _ := s.store.Rollouts(context.Background()) // the memory one never fails
	for _, r := range slices.Backward(rollouts) {
		if r.Pin == pin {
			return r.Phase == warmer.Rejected && r.Trust.Pardoned.IsZero()
		}
	}
	return false
}
