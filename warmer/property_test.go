package warmer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/schedule"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// Whatever happens to a fleet, once it is left alone it holds what the tag
// shows, everywhere; on the way nothing is promoted that is warm nowhere, and no
// host, registry or fleet pulls more than it may.
func TestConvergesAfterAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		// The draws come first: rapid's own goroutines don't belong in a bubble.
		ops := rapid.SliceOfN(rapid.Custom(drawOp), 5, 40).Draw(rt, "ops")
		var failure string
		synctest.Test(t, func(t *testing.T) {
			s := newScene(t, three...)
			for _, h := range s.hosts {
				h.SetPullSpeed(100) // 11 s and more, so that pulls meet what happens
			}
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
			"deleted", "hold", "unhold", "rollback", "approve", "pause", "resume", "leave", "join", "mute", "seed", "limit", "nothing",
			"remove image", "add image", "retag", "window", "cooldown", "drain", "undrain", "scope", "end scopes",
			"pass", "pass for space",
		}).Draw(t, "what"),
		host:   rapid.SampledFrom(three).Draw(t, "host"),
		digest: rapid.IntRange(1, 6).Draw(t, "digest"),
		pause:  time.Duration(rapid.OneOf(rapid.IntRange(0, 5_000), rapid.IntRange(0, 100_000)).Draw(t, "pause")) * time.Millisecond,
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
	case "pass", "pass for space":
		ask := warmer.PruneAsk{}
		if o.what == "pass for space" {
			ask.Free = int64(1000 * o.digest)
		}
		_, _ = s.w.Prune(context.Background(), ask) // hosts may be away
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
		s.reconfigure()
	case "scope":
		if _, _, pin, err := s.w.Resolve("jobs"); err == nil {
			s.hold(pin, true)
		}
	case "end scopes":
		for key := range s.needs.now().Held {
			s.hold(key.Pin, false)
		}
	case "mute":
		h.MuteEvents(o.digest%2 == 0)
	default:
		o.configure(s)
	}
}

// configure changes what is configured.
func (o op) configure(s *scene) {
	even := o.digest%2 == 0
	switch o.what {
	case "seed":
		s.opts.Registries = map[string]warmer.RegistryRules{"registry.test": {Seed: even, Pulls: o.digest % 3}}
	case "limit":
		s.opts.Pulls = o.digest % 4
	case "remove image", "add image":
		s.removed = o.what == "remove image"
	case "retag":
		s.entry.Policy.Retag = even
	case "window":
		s.entry.Policy.Promote.Windows = nil
		if even {
			s.entry.Policy.Promote.Windows = s.closed()
		}
	case "cooldown":
		s.entry.Policy.Cooldown = 0
		if even {
			s.entry.Policy.Cooldown = time.Minute
		}
	default:
		s.person(o)
		return
	}
	s.reconfigure()
}

// closed is a window that opens long after the end: it is a little after
// midnight.
func (s *scene) closed() schedule.Windows {
	w, err := schedule.ParseWindow(schedule.WindowOptions{From: "20:00", To: "22:00", Zone: "UTC"})
	if err != nil {
		s.t.Fatal(err)
	}
	return schedule.Windows{w}
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
	case "drain":
		_ = s.w.Pause(ctx, warmer.Placing, o.host, "ana")
	case "undrain":
		_ = s.w.Resume(ctx, warmer.Placing, o.host, "ana")
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
	s.store.mu.Lock()
	violation := s.store.violation
	s.store.mu.Unlock()
	if violation != "" {
		return violation
	}
	return s.limits.exceeded(s)
}

// limits are how many pulls the fleet and the registry may have: what is
// configured, and more only while what began under another limit goes on.
type limits struct{ fleet, registry int }

func (l *limits) exceeded(s *scene) string {
	busy := 0
	for _, h := range s.w.Hosts() {
		busy += h.Pulling
	}
	for _, limit := range []struct {
		of      string
		rule    int
		allowed *int
	}{{"the fleet", s.opts.Pulls, &l.fleet}, {"the registry", s.opts.Registries["registry.test"].Pulls, &l.registry}} {
		if limit.rule == 0 {
			*limit.allowed = busy // what goes on when a limit comes
			continue
		}
		*limit.allowed = max(limit.rule, min(*limit.allowed, busy))
		if busy > *limit.allowed {
			return fmt.Sprintf("%d pulls, %s may have %d", busy, limit.of, *limit.allowed)
		}
	}
	return ""
}

// quiet leaves the fleet alone and tells what did not converge.
func (s *scene) quiet() string {
	ctx := context.Background()
	for name, h := range s.hosts {
		s.present[name] = true
		_ = s.w.Resume(ctx, warmer.Pulling, name, "ana")
		_ = s.w.Resume(ctx, warmer.Placing, name, "ana")
		h.SetDown(false)
		h.SetPullSpeed(0)
		h.SetDisk(warmer.Disk{})
		for n := range 7 {
			h.FailPull(dockertest.Pin(repository, n), nil, 0)
		}
	}
	s.removed, s.opts.Registries, s.opts.Pulls = false, nil, 0
	s.entry.Policy = everywhere
	s.entry.Policy.Retag = true
	s.reconfigure()
	_ = s.w.Unhold(ctx, "jobs", "ana")
	s.look()
	s.settle(time.Minute)          // what is under way may yet fail
	_, _ = s.w.Rewarm("jobs", nil) // whatever waits for a backoff
	s.settle(15 * time.Minute)
	want := s.tags.latest
	if s.current() != want && s.wasRejected(want) {
		// Somebody went back from what the tag shows: it stays out until it is
		// approved.
		_, _ = s.w.Approve(ctx, "jobs", string(want.Digest()), "ana")
		s.settle(15 * time.Minute)
	}
	if asked, ok := s.approvedLast(); ok {
		want = asked
	}
	if failure := s.cold(want); failure != "" {
		return failure
	}
	fresh := s.push(7) // goes live whatever was said of others
	s.look()
	s.settle(15 * time.Minute)
	if failure := s.cold(fresh); failure != "" {
		return failure
	}
	for key := range s.needs.now().Held {
		if warm, cold := s.w.WarmHosts("jobs", key.Pin); len(warm) < len(s.hosts) {
			return fmt.Sprintf("%v is held and not warm: %v", key.Pin, cold)
		}
	}
	return s.broken()
}

// cold tells where a digest is not what it should be: current, kept and tagged.
func (s *scene) cold(want registry.Pin) string {
	if now := s.current(); now != want {
		return fmt.Sprintf("current is %v, not %v", now, want)
	}
	for name, h := range s.hosts {
		if c, ok, err := h.Inspect(context.Background(), want); err != nil || !ok || !c.Kept || !slices.Contains(c.Tags, "latest") {
			return fmt.Sprintf("not kept and tagged on %s: %+v %v", name, c, err)
		}
	}
	return ""
}

// approvedLast gives the current digest where somebody approved it and the tag
// has shown nothing new since.
func (s *scene) approvedLast() (registry.Pin, bool) {
	rollouts, _ := s.store.Rollouts(context.Background()) // the memory one never fails
	for _, r := range slices.Backward(rollouts) {
		switch {
		case r.Origin == warmer.FromTag:
			return registry.Pin{}, false
		case r.Origin == warmer.FromApproval && r.Phase == warmer.Current:
			return r.Pin, true
		}
	}
	return registry.Pin{}, false
}

// wasRejected tells whether the newest rollout of a digest is one that somebody
// went back from, or is held because of that.
func (s *scene) wasRejected(pin registry.Pin) bool {
	rollouts, _ := s.store.Rollouts(context.Background()) // the memory one never fails
	for _, r := range slices.Backward(rollouts) {
		if r.Pin == pin {
			return r.Phase == warmer.Rejected && r.Trust.Pardoned.IsZero() || r.Phase == warmer.Held && r.Trust.Rejected
		}
	}
	return false
}
