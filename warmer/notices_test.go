package warmer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/prune"
)

// told gives what people were told of some kinds, in order.
func (s *scene) told(kinds ...notice.Kind) []notice.Event {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var all []notice.Event
	for _, e := range s.store.told {
		if slices.Contains(kinds, e.Kind) {
			all = append(all, e)
		}
	}
	return all
}

// expectTold wants that people were told just this of all but promotions and
// passes, each as its kind and host.
func (s *scene) expectTold(want ...string) {
	s.t.Helper()
	others := slices.DeleteFunc(slices.Clone(notice.Kinds), func(k notice.Kind) bool { return k == notice.ImagePromoted || k == notice.PrunePass })
	var got []string
	for _, e := range s.told(others...) {
		got = append(got, strings.TrimSpace(string(e.Kind)+" "+e.Host))
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("told %q, want %q", got, want)
	}
}

// again begins another life.
func (s *scene) again() {
	s.stop()
	s.start()
	s.settle(3 * time.Minute)
}

func TestPromotionsAreTold(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		one, two := s.live(1), s.live(2)
		s.rollback("")
		s.again()
		all := s.told(notice.ImagePromoted)
		if len(all) != 3 {
			t.Fatalf("%d promotions told", len(all))
		}
		for i, want := range []struct{ digest, before, detail string }{
			{string(one.Digest()), "", "after it was seen"},
			{string(two.Digest()), string(one.Digest()), "after it was seen"},
			{string(one.Digest()), string(two.Digest()), "ana went back to it"},
		} {
			e := all[i]
			if e.Image != "jobs" || e.Tag != "latest" || e.Digest != want.digest || e.Before != want.before || !strings.Contains(e.Detail, want.detail) {
				t.Errorf("%+v", e)
			}
		}
	})
}

// A digest that a host can't get is told once it is clear that it lasts.
func TestFailuresAreTold(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err   error
		times int
		told  bool
		cause string
	}{
		"a blip":               {problem.New(problem.EngineAPI, "pull: no", ""), 2, false, ""},
		"an engine that can't": {problem.New(problem.EngineAPI, "pull: no", ""), -1, true, "host:a"},
		"a registry that is down": {
			problem.New(problem.RegistryUnavailable, "pull: 503", ""), -1, true, "registry:registry.test",
		},
		"no login": {problem.New(problem.RegistryAuth, "pull: denied", "log in"), 1, true, "registry:registry.test"},
		"no space": {problem.New(problem.NoSpace, "pull: no space left", "free some"), 1, true, "host:a"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTime(t, []string{"a"}, func(s *scene) {
				s.live(1)
				two := s.push(2)
				s.hosts["a"].FailPull(two, test.err, test.times)
				s.check()
				s.settle(20 * time.Minute)
				s.again()
				if !test.told {
					s.expectTold()
					return
				}
				s.expectTold("warm_failed a")
				e, want := s.told(notice.WarmFailed)[0], problem.From(test.err)
				if e.Cause != test.cause || e.Image != "jobs" || e.Tag != "latest" || e.Digest != string(two.Digest()) || e.Registry != "registry.test" ||
					e.HostLabels["name"] != "a" || !strings.Contains(e.Detail, want.Message) || e.Mend != want.Mend && want.Code != problem.NoSpace {
					t.Errorf("%+v", e)
				}
				s.hosts["a"].FailPull(two, nil, 0)
				s.settle(20 * time.Minute)
				s.expectCurrent(two)
				s.hosts["a"].FailPull(two, test.err, -1)
				s.hosts["a"].Forget(two)
				s.settle(20 * time.Minute)
				s.expectTold("warm_failed a", "warm_failed a")
			})
		})
	}
}

// A digest that is merely kept for a rollback needs nobody.
func TestAFailureOfWhatIsKeptIsNotTold(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a"}, func(s *scene) {
		one := s.live(1)
		s.live(2)
		s.hosts["a"].FailPull(one, problem.New(problem.RegistryAuth, "pull: denied", ""), -1)
		s.hosts["a"].Forget(one)
		s.settle(time.Hour)
		s.expectTold()
	})
}

// What the registry has lost is one trouble, whatever the number of hosts.
func TestADigestThatIsGoneUpstreamIsToldOnce(t *testing.T) {
	t.Parallel()
	inTime(t, three, func(s *scene) {
		one := s.live(1)
		for _, name := range []string{"b", "c"} {
			s.hosts[name].FailPull(one, problem.New(problem.TagNotFound, "pull: not found", ""), -1)
			s.hosts[name].Forget(one)
		}
		s.settle(3 * time.Hour)
		s.again()
		all := s.told(notice.GoneUpstream)
		if len(all) != 1 || all[0].Digest != string(one.Digest()) || all[0].Cause != "registry:registry.test" || !strings.Contains(all[0].Mend, "prewarm rollback jobs:latest") {
			t.Errorf("%+v", all)
		}
		if failed := s.told(notice.WarmFailed); len(failed) != 0 {
			t.Errorf("told as failures, too: %+v", failed)
		}
	})
}

func TestOutagesAreTold(t *testing.T) {
	t.Parallel()
	down := func(s *scene, is bool) { s.hosts["b"].SetDown(is) }
	tests := map[string]struct {
		do   func(s *scene)
		want []string
	}{
		"a blip": {func(s *scene) {
			down(s, true)
			s.settle(40 * time.Second)
			down(s, false)
		}, nil},
		"an outage": {func(s *scene) {
			down(s, true)
			s.settle(time.Hour)
			down(s, false)
		}, []string{"host_down b", "host_up b"}},
		"two": {func(s *scene) {
			for range 2 {
				down(s, true)
				s.settle(5 * time.Minute)
				down(s, false)
				s.settle(5 * time.Minute)
			}
		}, []string{"host_down b", "host_up b", "host_down b", "host_up b"}},
		"restarts meanwhile": {func(s *scene) {
			down(s, true)
			for range 3 {
				s.settle(5 * time.Minute)
				s.again()
			}
			s.stop()
			down(s, false)
			s.start()
		}, []string{"host_down b", "host_up b"}},
		"one that is drained": {func(s *scene) {
			if err := s.w.Pause(context.Background(), warmer.Placing, "b", "ana"); err != nil {
				s.t.Fatal(err)
			}
			down(s, true)
			s.settle(time.Hour)
			down(s, false)
		}, nil},
		"one that leaves": {func(s *scene) {
			down(s, true)
			s.settle(5 * time.Minute)
			s.present["b"] = false
			s.reconfigure()
			s.settle(5 * time.Minute)
			down(s, false)
			s.present["b"] = true
			s.reconfigure()
		}, []string{"host_down b"}},
		"one that left while we were away": {func(s *scene) {
			down(s, true)
			s.settle(5 * time.Minute)
			s.present["b"] = false
			s.again()
			down(s, false)
			s.present["b"] = true
			s.again()
		}, []string{"host_down b"}},
		"a store that fails": {func(s *scene) {
			s.failStore(errors.New("disk full"))
			down(s, true)
			s.settle(5 * time.Minute)
			s.expectTold()
			s.failStore(nil)
		}, []string{"host_down b"}},
		"the last word of a life": {func(s *scene) {
			down(s, true)
			s.settle(time.Hour)
			s.failStore(errors.New("disk full"))
			down(s, false)
			s.settle(time.Minute)
			s.failStore(nil)
			s.again()
		}, []string{"host_down b", "host_up b"}},
		"one that lasts": {func(s *scene) {
			down(s, true)
			s.settle(31 * 24 * time.Hour)
		}, []string{"host_down b", "host_down b"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTime(t, []string{"a", "b"}, func(s *scene) {
				s.live(1)
				test.do(s)
				s.settle(5 * time.Minute)
				s.expectTold(test.want...)
				for _, e := range s.told(notice.HostDown) {
					if e.Cause != "host:b" || e.HostLabels["name"] != "b" || e.Detail == "" {
						t.Errorf("%+v", e)
					}
				}
				if s.store.violation != "" {
					t.Error(s.store.violation)
				}
			})
		})
	}
}

// Somebody's cron job that prunes is named, once an hour.
func TestDriftIsTold(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		one := s.live(1)
		remove := func(times int) {
			for range times {
				s.hosts["a"].Forget(one)
				s.settle(3 * time.Minute)
			}
		}
		remove(3)
		s.expectTold()
		remove(4)
		s.expectTold("drift_repaired a")
		s.stop()
		s.start()
		remove(5)
		s.expectTold("drift_repaired a")
		s.settle(time.Hour)
		remove(4)
		s.expectTold("drift_repaired a", "drift_repaired a")
		if e := s.told(notice.DriftRepaired)[0]; !strings.Contains(e.Mend, "docker image prune -a") || e.Image != "jobs" || !strings.Contains(e.Detail, "4 times") {
			t.Errorf("%+v", e)
		}
	})
}

// marked lets a host be pruned by itself above 80 % of its disk, down to half.
func marked(s *scene) {
	s.entry.Policy.Keep = 3
	s.rules = warmer.PruneRules{
		Policy: prune.Policy{Rules: prune.Rules{KeepMin: 1}, Unmanaged: prune.KeepUnmanaged},
		Marks:  func(total int64, _ bool) (high, low int64) { return total * 8 / 10, total / 2 },
	}
	s.hosts["a"].SetDisk(warmer.Disk{Free: 20000, Total: 20000})
}

func TestAFullDiskIsTold(t *testing.T) {
	t.Parallel()
	full, empty := warmer.Disk{Free: 3000, Total: 20000}, warmer.Disk{Free: 20000, Total: 20000}
	tests := map[string]struct {
		before func(s *scene)
		detail string
		passes int
	}{
		"nothing more may go": {func(*scene) {}, "nothing more may", 1},
		"pruning is paused": {func(s *scene) {
			if err := s.w.Pause(context.Background(), warmer.Pruning, "", "ana"); err != nil {
				s.t.Fatal(err)
			}
		}, "pruning is paused", 0},
		"a dry run": {func(s *scene) {
			s.rules.DryRun = true
			s.reconfigure()
		}, "prune.dry_run", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			configured(t, []string{"a"}, marked, func(s *scene) {
				s.live(1)
				s.live(2)
				s.live(3)
				test.before(s)
				s.hosts["a"].SetDisk(full) // somebody else fills it
				s.settle(time.Hour)
				s.again()
				s.expectTold("disk_pressure a")
				if e := s.told(notice.DiskPressure)[0]; e.Cause != "host:a" || !strings.Contains(e.Detail, test.detail) || !strings.Contains(e.Detail, "used of") || e.Mend == "" {
					t.Errorf("%+v", e)
				}
				if passes := s.told(notice.PrunePass); len(passes) != test.passes {
					t.Errorf("%d passes told", len(passes))
				}
				s.hosts["a"].SetDisk(empty)
				s.settle(time.Minute)
				s.hosts["a"].SetDisk(full)
				s.settle(time.Hour)
				s.expectTold("disk_pressure a", "disk_pressure a")
			})
		})
	}
}

// A pass that makes enough room needs nobody.
func TestAPassIsTold(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) {
		marked(s)
		s.hosts["a"].SetDisk(warmer.Disk{Free: 6000, Total: 6000})
		s.hosts["a"].FillDisk()
	}, func(s *scene) {
		for n := range 6 {
			s.live(n + 1)
		}
		s.settle(time.Hour)
		s.expectTold()
		all := s.told(notice.PrunePass)
		if len(all) == 0 || all[0].Host != "a" || all[0].Cause != "" || !strings.Contains(all[0].Detail, "images went") {
			t.Errorf("%+v", all)
		}
		told := len(all)
		s.prune(warmer.PruneAsk{DryRun: true})
		s.prune(warmer.PruneAsk{Image: "jobs"})
		s.prune(warmer.PruneAsk{}) // nothing is left to go
		if all := s.told(notice.PrunePass); len(all) > told+1 {
			t.Errorf("%d passes told after those that did nothing", len(all)-told)
		}
	})
}

func TestALowQuotaIsTold(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		limit, left int
		window      time.Duration
		want        int // in eight hours
	}{
		"plenty":            {100, 50, 6 * time.Hour, 0},
		"a tenth":           {1000, 99, 6 * time.Hour, 2},
		"few":               {100, 10, 6 * time.Hour, 2},
		"a small one":       {10, 8, 6 * time.Hour, 0},
		"without a window":  {100, 5, 0, 2},
		"an hour's":         {100, 5, time.Hour, 8},
		"that says nothing": {0, 0, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			configured(t, []string{"a"}, func(s *scene) {
				s.opts.Quota = func(host string) (registry.Quota, bool) {
					return registry.Quota{Limit: test.limit, Remaining: test.left, Window: test.window, Seen: time.Now()}, host == "registry.test" && test.limit > 0
				}
			}, func(s *scene) {
				s.push(1)
				for range 8 {
					s.check()
					s.settle(30 * time.Minute)
					s.again()
					s.check()
					s.settle(27 * time.Minute)
				}
				all := s.told(notice.QuotaLow)
				if len(all) != test.want {
					t.Errorf("told %d times, want %d", len(all), test.want)
				}
				for _, e := range all {
					if e.Registry != "registry.test" || e.Cause != "registry:registry.test" || !strings.Contains(e.Detail, fmt.Sprintf("%d of %d", test.left, test.limit)) {
						t.Errorf("%+v", e)
					}
				}
			})
		})
	}
}

// What was written down once is not written again with every look.
func TestATroubleThatLastsIsWrittenOnce(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a", "b"}, func(s *scene) {
		s.live(1)
		s.hosts["b"].SetDown(true)
		s.settle(5 * time.Minute)
		before := s.store.saves
		s.settle(time.Hour)
		if n := s.store.saves - before; n != 0 {
			t.Errorf("%d writes in an hour in which nothing happened", n)
		}
	})
}

// What people were told of a digest is not remembered for longer than anybody
// waits for it: a host that gets none of the pushes of years must not fill the
// state.
func TestTroublesGoWithTheirDigests(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a", "b"}, func(s *scene) {
		s.live(1)
		for n := 2; n < 8; n++ {
			s.hosts["b"].FailPull(s.push(n), problem.New(problem.NoSpace, "pull: no space left", "free some"), -1)
			s.check()
			s.settle(20 * time.Minute)
		}
		if n := len(s.told(notice.WarmFailed)); n != 6 {
			t.Errorf("%d failures told", n)
		}
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		if n := len(s.store.troubles); n != 1 {
			t.Errorf("%d troubles are kept: %v", n, s.store.troubles)
		}
	})
}

// What nobody will see again is written down with the end of a life.
func TestTheLastNewsOfALifeIsTold(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		one := s.live(1)
		for n := range 4 {
			if n == 3 {
				s.failStore(errors.New("disk full"))
			}
			s.hosts["a"].Forget(one)
			s.settle(3 * time.Minute)
		}
		s.failStore(nil)
		s.stop() // before the next try
		s.expectTold("drift_repaired a")
		s.start()
		s.settle(time.Hour)
		s.expectTold("drift_repaired a")
	})
}
