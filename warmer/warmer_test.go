package warmer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inTime runs a test with a running warmer in controlled time.
func inTime(t *testing.T, hosts []string, test func(s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, hosts...)
		s.start()
		defer func() { s.stop() }()
		test(s)
	})
}

var three = []string{"a", "b", "c"}

func TestPromotesWhenWarmEverywhere(t *testing.T) {
	t.Parallel()
	inTime(t, three, func(s *scene) {
		s.hosts["c"].SetPullSpeed(100) // 11 s and more
		one := s.push(1)
		s.check()
		s.settle(5 * time.Second)
		if !s.current().IsZero() {
			t.Fatal("promoted before it was warm on c")
		}
		s.expectState("a", warmer.StateWarm)
		if c := s.expectState("c", warmer.StatePulling); c.Progress.Bytes == 0 || c.Total != 1000 {
			t.Fatalf("no progress: %+v", c)
		}
		s.settle(10 * time.Second)
		s.expectCurrent(one)
		for name, h := range s.hosts {
			if n := h.Pulls(one); n != 1 {
				t.Errorf("%d pulls on %s", n, name)
			}
		}
	})
}

func TestCurrentStaysUntilTheNextIsWarm(t *testing.T) {
	t.Parallel()
	inTime(t, three, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		s.hosts["b"].HoldPulls()
		two := s.push(2)
		s.check()
		s.settle(time.Minute)
		s.expectCurrent(one)
		s.hosts["b"].ReleasePulls()
		s.settle(time.Second)
		s.expectCurrent(two)
		if got := s.status().SupersededBytes["a"]; got == 0 {
			t.Error("the superseded digest's bytes are not told")
		}
	})
}

func (s *scene) status() warmer.TrackStatus { return s.w.Images()[0].Tracks[0] }

// A push every minute and one slow host must not starve promotion.
func TestPushesDoNotStarvePromotion(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a", "b"}, func(s *scene) {
		s.hosts["b"].SetPullSpeed(7) // some 2.5 min for each
		promoted := 0
		before := s.current()
		for n := 1; n <= 20; n++ {
			s.push(n)
			s.check()
			s.settle(time.Minute)
			if now := s.current(); now != before {
				promoted++
				before = now
			}
		}
		if promoted < 5 {
			t.Fatalf("%d promotions in 20 minutes", promoted)
		}
	})
}

func TestATagMovedBackIsReadyAtOnce(t *testing.T) {
	t.Parallel()
	inTime(t, three, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		two := s.push(2)
		s.check()
		s.settle(time.Second)
		s.expectCurrent(two)
		s.push(1)
		s.check()
		s.settle(time.Second)
		s.expectCurrent(one)
		if n := s.hosts["a"].Pulls(one); n != 1 {
			t.Errorf("%d pulls of a digest that was there", n)
		}
	})
}

func TestAnUnreachableHostDoesNotHoldUpAndIsWarmedWhenBack(t *testing.T) {
	t.Parallel()
	inTime(t, three, func(s *scene) {
		s.hosts["b"].SetDown(true)
		s.settle(30 * time.Second)
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		s.expectCurrent(one)
		if c := s.expectState("b", warmer.StateUnreached); c.Reason == "" {
			t.Error("no reason told")
		}
		s.hosts["b"].SetDown(false)
		s.settle(16 * time.Second) // the next probe
		s.expectState("b", warmer.StateWarm)
	})
}

func TestDriftIsRepaired(t *testing.T) {
	t.Parallel()
	for name, drift := range map[string]func(s *scene){
		"the image was removed":    func(s *scene) { s.hosts["a"].Forget(s.current()) },
		"the keep-tag was removed": func(s *scene) { s.hosts["a"].Untag(s.current()) },
		"the engine was wiped":     func(s *scene) { s.hosts["a"].Wipe() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTime(t, three, func(s *scene) {
				one := s.push(1)
				s.check()
				s.settle(time.Second)
				drift(s)
				s.settle(16 * time.Second)
				s.expectState("a", warmer.StateWarm)
				copied, ok, err := s.hosts["a"].Inspect(context.Background(), one)
				if err != nil || !ok || !copied.Kept {
					t.Fatalf("not kept again: %+v %v %v", copied, ok, err)
				}
				s.expectCurrent(one)
			})
		})
	}
}

func TestALostKeepTagNeverLeavesTheImageCold(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		pulls := s.hosts["a"].Pulls(one)
		s.hosts["a"].Untag(one)
		for range 40 {
			s.settle(time.Second)
			if warm, _ := s.w.WarmHosts("jobs", one); len(warm) != 1 {
				t.Fatal("cold while the keep-tag was put back")
			}
		}
		if again := s.hosts["a"].Pulls(one); again != pulls {
			t.Errorf("pulled %d times for a keep-tag", again-pulls)
		}
	})
}

func TestFailuresAreToldAndTriedAgainWithBackoff(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a", "b"}, func(s *scene) {
		one := s.push(1)
		s.hosts["b"].FailPull(one, problem.New(problem.NoSpace, "pull: disk full", "make room"), -1)
		s.check()
		s.settle(time.Second)
		c := s.expectState("b", warmer.StateFailed)
		if c.Reason != "pull: disk full; no image is there that could go" || c.Attempts != 1 || time.Until(c.NextTry) <= 0 {
			t.Fatalf("told %+v", c)
		}
		s.settle(10 * time.Minute)
		tried := s.hosts["b"].Pulls(one)
		if tried < 4 || tried > 12 {
			t.Fatalf("%d tries in ten minutes, want a backoff that doubles", tried)
		}
		if !s.current().IsZero() {
			t.Fatal("promoted although b failed for less than the straggler time")
		}
		s.settle(6 * time.Minute)
		s.expectCurrent(one) // b stopped counting
		s.hosts["b"].FailPull(one, nil, 0)
		s.settle(11 * time.Minute)
		s.expectState("b", warmer.StateWarm)
	})
}

func TestRewarmTriesAtOnce(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		one := s.push(1)
		s.hosts["a"].FailPull(one, errors.New("boom"), 5)
		s.check()
		s.settle(time.Minute)
		s.expectState("a", warmer.StateFailed)
		s.hosts["a"].FailPull(one, nil, 0)
		if pin, err := s.w.Rewarm("jobs", []string{"a"}); err != nil || pin != one {
			t.Fatalf("got %v %v", pin, err)
		}
		s.settle(time.Millisecond)
		s.expectState("a", warmer.StateWarm)
	})
}

func TestNeverMorePullsThanAHostMayHave(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		s.hosts["a"].SetPullSpeed(10)
		for n := 1; n <= 8; n++ {
			s.push(n)
			s.check()
			s.settle(20 * time.Second)
		}
		if most := s.hosts["a"].MostPulls(); most != 2 {
			t.Fatalf("%d pulls at once, 2 allowed and needed", most)
		}
	})
}

func TestARegistryInTroubleChangesNothing(t *testing.T) {
	t.Parallel()
	for _, code := range []problem.Code{problem.TagNotFound, problem.RegistryUnavailable, problem.RegistryAuth, problem.RegistryAnswer} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			inTime(t, three, func(s *scene) {
				one := s.push(1)
				s.check()
				s.settle(time.Second)
				s.tags.set(one, problem.New(code, "ask the registry", ""))
				if _, err := s.w.Check(context.Background(), "jobs"); problem.CodeOf(err) != code {
					t.Fatalf("got %v", err)
				}
				s.settle(time.Hour)
				s.expectCurrent(one)
				if s.status().CheckError == nil {
					t.Error("status does not tell")
				}
			})
		})
	}
}

func TestTwoEntriesForOneEngineAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, "a", "b")
		s.hosts["b"] = s.hosts["a"]
		s.start()
		defer s.stop()
		one := s.push(1)
		s.check()
		s.settle(time.Minute)
		s.expectState("a", warmer.StateDuplicate)
		s.expectState("b", warmer.StateDuplicate)
		if warm, cold := s.w.WarmHosts("jobs", one); len(warm) != 0 || len(cold) != 2 {
			t.Fatalf("warm %v cold %v", warm, cold)
		}
	})
}

// A fleet of two platforms: each host gets its child of the index, and one whose
// platform the image lacks is told and not waited for.
func TestAFleetOfTwoPlatforms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, "a", "b")
		s.hosts["arm"] = dockertest.NewFake(dockertest.Options{Name: "arm", Platform: arm64})
		s.hosts["s390"] = dockertest.NewFake(dockertest.Options{Name: "s390", Platform: registry.Platform{OS: "linux", Architecture: "s390x"}})
		s.present["arm"], s.present["s390"] = true, true
		s.tags.children = []registry.Child{
			{Platform: amd64, Digest: "sha256:a", Layers: []registry.Layer{{Digest: "sha256:1", Bytes: 1000}}},
			{Platform: arm64, Digest: "sha256:b", Layers: []registry.Layer{{Digest: "sha256:2", Bytes: 2000}}},
		}
		s.start()
		defer s.stop()
		one := s.push(1)
		s.hosts["arm"].Push(one, arm64, []int64{2000})
		s.check()
		s.settle(time.Second)
		s.expectCurrent(one)
		if c := s.expectState("arm", warmer.StateWarm); c.PlatformDigest != "sha256:b" || c.Total != 2000 {
			t.Errorf("arm: %+v", c)
		}
		if c := s.expectState("a", warmer.StateWarm); c.PlatformDigest != "sha256:a" || c.Total != 1000 {
			t.Errorf("a: %+v", c)
		}
		if c := s.expectState("s390", warmer.StateNoPlatform); c.Reason != "the image has nothing for linux/s390x" {
			t.Errorf("s390: %+v", c)
		}
		if warm, cold := s.w.WarmHosts("jobs", one); len(warm) != 3 || len(cold) != 1 {
			t.Errorf("warm on %v, cold on %v", warm, cold)
		}
	})
}

func TestAnImageForAnotherPlatform(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		s.tags.platform.Architecture = "arm64"
		one := s.push(1)
		s.check()
		s.settle(time.Minute)
		if c := s.expectState("a", warmer.StateNoPlatform); c.Reason != "the image has nothing for linux/amd64" {
			t.Errorf("told %q", c.Reason)
		}
		if n := s.hosts["a"].Pulls(one); n != 0 {
			t.Errorf("pulled %d times in vain", n)
		}
	})
}

func TestARestartKeepsWhatIsCurrentWithoutAPull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, three...)
		s.start()
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		s.hosts["b"].HoldPulls()
		two := s.push(2)
		s.check()
		s.settle(time.Second)
		s.stop() // in the middle of a pull
		s.hosts["b"].ReleasePulls()
		s.start()
		defer s.stop()
		s.expectCurrent(one)
		s.settle(time.Second)
		s.expectCurrent(two)
		if n := s.hosts["a"].Pulls(two); n != 1 {
			t.Errorf("%d pulls on a host that had it", n)
		}
	})
}

func TestNothingIsPromotedThatWasNotWrittenDown(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		s.hosts["a"].HoldPulls()
		one := s.push(1)
		s.check()
		s.store.mu.Lock()
		s.store.err = errors.New("disk full")
		s.store.mu.Unlock()
		s.hosts["a"].ReleasePulls()
		s.settle(time.Minute)
		if !s.current().IsZero() {
			t.Fatal("promoted without a record")
		}
		s.store.mu.Lock()
		s.store.err = nil
		s.store.mu.Unlock()
		s.settle(2 * time.Second)
		s.expectCurrent(one)
	})
}

func TestConcurrentChecksMakeOneRollout(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		s.push(1)
		done := make(chan error, 20)
		for range 20 {
			go func() {
				_, err := s.w.Check(context.Background(), "jobs")
				done <- err
			}()
		}
		for range 20 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		s.settle(time.Second)
		if n := len(s.store.rollouts); n != 1 {
			t.Fatalf("%d rollouts of one sighting", n)
		}
		if n := s.hosts["a"].Pulls(dockertest.Pin(repository, 1)); n != 1 {
			t.Fatalf("%d pulls", n)
		}
	})
}
