package warmer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// forgetful is a store that tells the next life only of what is current, and
// remembers no history where it lost that.
type forgetful struct {
	*memory
	lost bool
}

func (f *forgetful) Load(ctx context.Context) (warmer.Saved, error) {
	saved, err := f.memory.Load(ctx)
	var current []warmer.Rollout
	for _, r := range saved.Rollouts {
		if r.Phase == warmer.Current {
			current = append(current, r)
		}
	}
	saved.Rollouts = current
	return saved, err
}

func (f *forgetful) History(ctx context.Context, image string, limit int) ([]warmer.Rollout, []warmer.Act, error) {
	if f.lost {
		return nil, nil, nil
	}
	return f.memory.History(ctx, image, limit)
}

// expectWhere states where a digest is warm, and the beginning of why it is not.
func (s *scene) expectWhere(pin registry.Pin, warm []string, cold map[string]string) {
	s.t.Helper()
	gotWarm, gotCold := s.w.WarmHosts("jobs", pin)
	if diff := cmp.Diff(warm, gotWarm); diff != "" {
		s.t.Error("warm", diff)
	}
	for host, why := range gotCold {
		if want, ok := cold[host]; !ok || !strings.HasPrefix(why, want) {
			s.t.Errorf("%s: %q, want %q", host, why, want)
		}
	}
	if len(gotCold) != len(cold) {
		s.t.Errorf("cold %v, want %v", gotCold, cold)
	}
}

// What a pin scope holds is desired state, whatever becomes of its tag and of
// us, at any time of day.
func TestWhatAPinScopeHoldsStaysWarm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		forget func(s *scene) // between two lives
		read   int            // manifests of it that were read again
	}{
		"as long as we live":          {nil, 0},
		"found on disk":               {func(s *scene) { s.opts.Store = &forgetful{memory: s.store} }, 0},
		"found in the registry alone": {func(s *scene) { s.opts.Store = &forgetful{memory: s.store, lost: true} }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			configured(t, []string{"a", "b"}, func(s *scene) { s.entry.Policy.Keep = 0 }, func(s *scene) {
				one := s.live(1)
				s.hold(one, true)
				s.live(2)
				s.live(3)
				read := s.tags.reads()
				if c.forget != nil {
					s.stop()
					c.forget(s)
					s.start()
				}
				s.entry.Policy.Pulls = s.closed()
				s.reconfigure()
				s.settle(time.Minute)
				s.hosts["a"].Forget(one)
				s.settle(2 * time.Minute)
				s.expectWhere(one, []string{"a", "b"}, map[string]string{})
				if drift := s.w.Hosts()[0].Drift; drift.Total != 1 {
					t.Errorf("not counted as drift: %+v", drift)
				}
				if n := s.tags.reads() - read; n != c.read {
					t.Errorf("%d manifests read, want %d", n, c.read)
				}
				if image, _, pin, err := s.w.Resolve(one.String()); err != nil || image != "jobs" || pin != one {
					t.Errorf("by its digest: %s %v %v", image, pin, err)
				}
				s.hold(one, false)
				s.settle(time.Hour)
				s.hosts["a"].Wipe()
				s.settle(20 * time.Minute)
				s.w.Seek(context.Background(), "jobs", one)
				s.expectWhere(one, []string{"b"}, map[string]string{"a": "not there, and nothing wants"})
			})
		})
	}
}

// A digest that nobody has any more can't be had, and it is said so; where it
// still is, it is warm.
func TestAHeldDigestThatIsGoneUpstream(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a", "b"}, func(s *scene) { s.entry.Policy.Keep = 0 }, func(s *scene) {
		one := s.live(1)
		s.live(2)
		s.hosts["a"].Forget(one)
		gone := problem.New(problem.TagNotFound, "the registry does not have it", "")
		for _, h := range s.hosts {
			h.FailPull(one, gone, -1)
		}
		s.stop()
		s.opts.Store = &forgetful{memory: s.store, lost: true}
		s.tags.failManifests(gone)
		s.start()
		s.hold(one, true)
		s.settle(time.Minute)
		s.expectWhere(one, []string{"b"}, map[string]string{"a": "gone_upstream (the registry does not have it)"})
		read := s.tags.reads()
		s.settle(50 * time.Minute)
		if s.tags.reads() != read {
			t.Errorf("asked %d times within the hour", s.tags.reads()-read)
		}
		s.tags.failManifests(nil)
		for _, h := range s.hosts {
			h.FailPull(one, nil, 0)
		}
		s.settle(90 * time.Minute) // it is asked for once an hour
		s.expectWhere(one, []string{"a", "b"}, map[string]string{})
	})
}

// What was known of a digest when it was pulled last does not make it
// obtainable.
func TestAKnownDigestThatIsGoneUpstream(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { s.entry.Policy.Keep = 0 }, func(s *scene) {
		one := s.live(1)
		s.hold(one, true)
		s.live(2)
		s.hosts["a"].FailPull(one, problem.New(problem.TagNotFound, "gone", ""), -1)
		s.hosts["a"].Forget(one)
		s.settle(2 * time.Minute)
		s.expectWhere(one, nil, map[string]string{"a": "gone_upstream (gone)"})
	})
}

func TestRewarmAsksAgainForWhatIsHeld(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { s.entry.Policy.Keep = 0 }, func(s *scene) {
		one := s.live(1)
		s.hold(one, true)
		s.live(2)
		s.hosts["a"].FailPull(one, problem.New(problem.TagNotFound, "gone", ""), 1)
		s.hosts["a"].Forget(one)
		s.settle(2 * time.Minute)
		s.stop()
		s.opts.Store = &forgetful{memory: s.store, lost: true}
		s.tags.failManifests(problem.New(problem.TagNotFound, "gone", ""))
		s.start()
		s.settle(time.Minute)
		s.expectWhere(one, nil, map[string]string{"a": "gone_upstream"})
		s.tags.failManifests(nil)
		for range 2 { // for the manifest, and then for the pull
			if _, err := s.w.Rewarm("jobs", nil); err != nil {
				t.Fatal(err)
			}
			s.settle(time.Second)
		}
		s.expectWhere(one, []string{"a"}, map[string]string{})
	})
}

func TestARegistryThatFailsIsAskedAgainForWhatIsHeld(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { s.entry.Policy.Keep = 0 }, func(s *scene) {
		one := s.live(1)
		s.live(2)
		s.hosts["a"].Forget(one)
		s.stop()
		s.opts.Store = &forgetful{memory: s.store, lost: true}
		s.tags.failManifests(problem.New(problem.RegistryUnavailable, "the registry is down", ""))
		s.start()
		s.hold(one, true)
		s.settle(10 * time.Second)
		s.expectWhere(one, nil, map[string]string{"a": "failed (the registry is down)"})
		s.tags.failManifests(nil)
		s.settle(2 * time.Minute)
		s.expectWhere(one, []string{"a"}, map[string]string{})
	})
}

// untold is a scene in which b holds a digest that nothing tells of any more.
func untold(t *testing.T, test func(s *scene, one registry.Pin)) {
	t.Helper()
	configured(t, []string{"a", "b"}, func(s *scene) { s.entry.Policy.Keep = 0 }, func(s *scene) {
		one := s.live(1)
		s.live(2)
		s.hosts["a"].Forget(one)
		s.stop()
		s.opts.Store = &forgetful{memory: s.store}
		s.start()
		s.settle(time.Second)
		test(s, one)
	})
}

// Where a digest is that nothing tells of is found out when somebody asks.
func TestAskingForADigestThatNothingTellsOf(t *testing.T) {
	t.Parallel()
	untold(t, func(s *scene, one registry.Pin) {
		s.expectWhere(one, nil, map[string]string{"a": "not looked at yet", "b": "not looked at yet"})
		s.settle(time.Second)
		s.expectWhere(one, []string{"b"}, map[string]string{"a": "not there, and nothing wants"})
		if warm, cold := s.w.WarmHosts("jobs", registry.Pin{}); len(warm) != 0 || len(cold) == 0 {
			t.Errorf("no digest is warm: %v %v", warm, cold)
		}
		if warm, cold := s.w.WarmHosts("nope", one); len(warm)+len(cold) != 0 {
			t.Errorf("of no image: %v %v", warm, cold)
		}
		s.w.Seek(context.Background(), "nope", one)
	})
}

func TestSeekKnowsAtOnce(t *testing.T) {
	t.Parallel()
	untold(t, func(s *scene, one registry.Pin) {
		s.w.Seek(context.Background(), "jobs", one)
		s.expectWhere(one, []string{"b"}, map[string]string{"a": "not there, and nothing wants"})
	})
}

// A pin scope makes nobody trust a digest.
func TestAHeldDigestIsNotPulledBeforeItIsTrusted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy func(p *warmer.Policy)
		lives  int // of the server, until it is asked
		why    string
	}{
		"cooldown":               {func(p *warmer.Policy) { p.Cooldown = time.Hour }, 1, "held (cooldown)"},
		"approval":               {func(p *warmer.Policy) { p.Approve = true }, 1, "held (approval)"},
		"verification":           {func(p *warmer.Policy) { p.Verify = &warmer.Verification{Command: []string{"no"}} }, 1, "held (verification)"},
		"approval, and restarts": {func(p *warmer.Policy) { p.Approve = true }, 3, "held (approval)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			configured(t, []string{"a"}, func(s *scene) { c.policy(&s.entry.Policy) }, func(s *scene) {
				one := s.push(1)
				image, track, pin, err := s.w.Fresh(context.Background(), "jobs")
				if err != nil || image != "jobs" || track != "jobs:latest" || pin != one {
					t.Fatalf("%s %s %v %v", image, track, pin, err)
				}
				s.hold(one, true)
				for range c.lives - 1 {
					s.stop()
					s.opts.Store = &forgetful{memory: s.store}
					s.start()
					s.settle(time.Second)
				}
				s.settle(30 * time.Minute)
				s.expectWhere(one, nil, map[string]string{"a": c.why})
				if n := s.hosts["a"].Pulls(one); n != 0 {
					t.Errorf("pulled %d times", n)
				}
			})
		})
	}
}
