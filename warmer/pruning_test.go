package warmer_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/prune"
)

// pruned runs a scene with one kept digest, in which images may go at once.
func pruned(t *testing.T, hosts []string, test func(s *scene)) {
	t.Helper()
	configured(t, hosts, func(s *scene) {
		s.entry.Policy.Keep = 1
		s.rules = warmer.PruneRules{Policy: prune.Policy{Rules: prune.Rules{KeepMin: 0}, Unmanaged: prune.KeepUnmanaged}}
	}, test)
}

// prune makes a pass over all hosts.
func (s *scene) prune(ask warmer.PruneAsk) []warmer.Pass {
	s.t.Helper()
	passes, err := s.w.Prune(context.Background(), ask)
	if err != nil {
		s.t.Fatal(err)
	}
	return passes
}

// expectOn wants exactly these digests on a host.
func (s *scene) expectOn(host string, pins ...registry.Pin) {
	s.t.Helper()
	listed, err := s.hosts[host].List(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	var got, want []string
	for _, l := range listed {
		got = append(got, l.Digests...)
	}
	for _, p := range pins {
		want = append(want, p.String())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.t.Errorf("%s has %v, want %v", host, got, want)
	}
}

// outcomes are what became of the removals of a pass, by rule.
func outcomes(p warmer.Pass) string {
	var all []string
	for _, r := range p.Removals {
		all = append(all, string(r.Rule)+" "+string(r.Outcome))
	}
	return strings.Join(all, ", ")
}

func TestAPassRemovesWhatNothingWants(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a", "b"}, func(s *scene) {
		one, two, three := s.live(1), s.live(2), s.live(3)
		dry := s.prune(warmer.PruneAsk{DryRun: true})
		s.expectOn("a", one, two, three)
		if len(dry) != 2 || outcomes(dry[0]) != "superseded would_go" || dry[0].Predicted != 1001 {
			t.Errorf("dry run: %+v", dry)
		}
		passes := s.prune(warmer.PruneAsk{Who: "ana"})
		for i, name := range []string{"a", "b"} {
			p := passes[i]
			if p.Host != name || outcomes(p) != "superseded removed" || p.Freed != 1001 || p.Stays != 2 || p.Stopped != "" {
				t.Errorf("%+v", p)
			}
			s.expectOn(name, two, three)
		}
		if again := s.prune(warmer.PruneAsk{}); len(again[0].Removals) != 0 {
			t.Errorf("a second pass: %+v", again)
		}
		recorded, err := s.w.Passes(context.Background(), "a", 10)
		if err != nil || len(recorded) != 2 || recorded[1].Who != "ana" || recorded[1].Ended.IsZero() {
			t.Errorf("%+v %v", recorded, err)
		}
		// What was taken away by us is no drift, and is not pulled again.
		s.settle(time.Hour)
		s.expectOn("a", two, three)
		if d := s.w.Hosts()[0].Drift; d.Total != 0 {
			t.Errorf("drift: %+v", d)
		}
	})
}

// Whoever wants a digest keeps it, and lets it go when the want ends.
func TestWhatIsWantedStays(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		begin, end func(s *scene, pin registry.Pin)
		rule       prune.Rule
	}{
		"a run that has not ended": {
			func(s *scene, pin registry.Pin) { s.ledger.lease(pin, true) },
			func(s *scene, pin registry.Pin) { s.ledger.lease(pin, false) }, prune.IsLeased,
		},
		"a live pin scope": {
			func(s *scene, pin registry.Pin) { s.hold(pin, true) },
			func(s *scene, pin registry.Pin) { s.hold(pin, false) }, prune.InScope,
		},
		"somebody's container, which has ended": {
			func(s *scene, pin registry.Pin) {
				if err := s.hosts["a"].Others().Run(context.Background(), "theirs", pin.String(), "exit", "0"); err != nil {
					s.t.Fatal(err)
				}
			},
			func(s *scene, _ registry.Pin) {
				if err := s.hosts["a"].Others().Discard(context.Background(), "theirs"); err != nil {
					s.t.Fatal(err)
				}
			}, prune.InUse,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pruned(t, []string{"a"}, func(s *scene) {
				one, two, three := s.live(1), s.live(2), s.live(3)
				want.begin(s, one)
				s.settle(time.Second)
				if p := s.prune(warmer.PruneAsk{}); len(p[0].Removals) != 0 {
					t.Errorf("%+v", p)
				}
				s.expectOn("a", one, two, three)
				x, err := s.w.Explain(context.Background(), "a", one.String())
				if err != nil || len(x.Images) != 1 || x.Images[0].Verdict.Rule != want.rule {
					t.Errorf("%+v %v", x, err)
				}
				want.end(s, one)
				s.settle(time.Second)
				s.prune(warmer.PruneAsk{})
				s.expectOn("a", two, three)
			})
		})
	}
}

// A rollback that comes before the removal of what it goes back to keeps it; one
// that comes after it pulls it again.
func TestRollbackAndPrune(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a"}, func(s *scene) {
		one, two, _ := s.live(1), s.live(2), s.live(3)
		s.rollback(string(one.Digest()))
		s.prune(warmer.PruneAsk{})
		s.settle(time.Minute)
		s.expectCurrent(one)
		s.expectOn("a", one, two) // what was gone back from is not kept
	})
}

func TestAnEntryThatLeftIsOrphaned(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a"}, func(s *scene) {
		s.rules.Policy.Rules.MinAge = time.Hour
		s.reconfigure()
		s.live(1)
		s.removed = true
		s.reconfigure()
		if p := s.prune(warmer.PruneAsk{}); len(p[0].Removals) != 0 {
			t.Errorf("it is too young: %+v", p)
		}
		s.settle(2 * time.Hour)
		if p := s.prune(warmer.PruneAsk{}); outcomes(p[0]) != "orphaned removed" {
			t.Errorf("%+v", p)
		}
		s.expectOn("a")
	})
}

// What somebody else put on a host stays, unless the policy says otherwise, and
// so does the keep-tag of another installation.
func TestForeignImagesStay(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a"}, func(s *scene) {
		one := s.live(1)
		foreign := s.foreign("a", 7)
		s.prune(warmer.PruneAsk{Free: 1 << 40})
		s.expectOn("a", one, foreign)
		s.rules.Policy.Unmanaged = prune.LeastRecently
		s.reconfigure()
		s.prune(warmer.PruneAsk{})
		s.expectOn("a", one, foreign)
		if p := s.prune(warmer.PruneAsk{Free: 500}); outcomes(p[0]) != "least_recently_used removed" || p[0].Short != 0 {
			t.Errorf("%+v", p)
		}
		s.expectOn("a", one)
	})
}

// foreign lets somebody pull an image that is not ours.
func (s *scene) foreign(host string, n int) registry.Pin {
	s.t.Helper()
	pin := dockertest.Pin("registry.test/other/tool", n)
	s.hosts[host].Push(pin, amd64, []int64{900, 50})
	o := s.hosts[host].Others()
	if err := o.Pull(context.Background(), pin); err != nil {
		s.t.Fatal(err)
	}
	if err := o.Tag(context.Background(), pin, "1"); err != nil {
		s.t.Fatal(err)
	}
	return pin
}

// sized pushes digest n, of which the registry tells the same layers as the
// engines.
func (s *scene) sized(n int) registry.Pin {
	pin := s.push(n)
	s.tags.mu.Lock()
	defer s.tags.mu.Unlock()
	layer := func(n int, bytes int64) registry.Layer {
		return registry.Layer{Digest: dockertest.Pin(s.repository, n).Digest(), Bytes: bytes}
	}
	s.tags.children = []registry.Child{{Platform: amd64, Digest: pin.Digest(), Layers: []registry.Layer{layer(0, 100), layer(n, int64(1000+n))}}}
	return pin
}

// arrives pushes digest n and lets it go live.
func (s *scene) arrives(n int) registry.Pin {
	s.t.Helper()
	pin := s.sized(n)
	s.check()
	s.settle(time.Minute)
	s.expectCurrent(pin)
	return pin
}

// tight is a disk with room for three digests and the pull of a fourth, of an image
// that keeps three.
func tight(s *scene) {
	s.entry.Policy.Keep = 3
	s.hosts["a"].SetDisk(warmer.Disk{Free: 4200, Total: 4200})
	s.hosts["a"].FillDisk()
}

// Where a pull needs the space of what is kept for a rollback, that goes, is not
// pulled again for itself, and comes back when somebody goes back to it.
func TestAPullMakesRoom(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, tight, func(s *scene) {
		// 100 bytes and some 1000 for each; a pull needs twice what the host lacks.
		one, two, three, four := s.arrives(1), s.arrives(2), s.arrives(3), s.arrives(4)
		s.expectOn("a", two, three, four)
		passes, err := s.w.Passes(context.Background(), "a", 10)
		if err != nil || len(passes) != 1 || passes[0].Trigger != warmer.ByPull || outcomes(passes[0]) != "kept_for_rollback removed" {
			t.Errorf("%+v %v", passes, err)
		}
		s.settle(3 * time.Hour)
		s.expectOn("a", two, three, four)
		s.stop()
		s.start()
		s.settle(time.Hour)
		s.expectOn("a", two, three, four)
		x, err := s.w.Explain(context.Background(), "a", one.String())
		if err != nil || !strings.Contains(x.Absent, "given up for want of space") || len(x.Log) == 0 {
			t.Errorf("%+v %v", x, err)
		}
		s.rollback(string(one.Digest()))
		s.settle(time.Hour)
		s.expectCurrent(one)
		if s.store.violation != "" {
			t.Error(s.store.violation)
		}
	})
}

// What is told of an image says that it was pruned, or that somebody took it away,
// and when it was warm again.
func TestTheStoryOfAnImageHasItsRemovalsAndRepairs(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a"}, func(s *scene) {
		one := s.live(1)
		s.hosts["a"].Forget(one)
		s.settle(time.Minute)
		s.live(2)
		s.live(3)
		s.prune(warmer.PruneAsk{})
		s.settle(time.Minute)
		s.rollback(string(one.Digest()))
		s.settle(time.Minute)
		s.expectCurrent(one)
		x, err := s.w.Explain(context.Background(), "a", one.String())
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, e := range x.Log {
			for _, what := range []string{"became warm", "somebody took it away", "prune pass (person): removed"} {
				if strings.HasPrefix(e.What, what) {
					told = append(told, what)
				}
			}
		}
		want := []string{"became warm", "somebody took it away", "became warm", "prune pass (person): removed", "became warm"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q of %+v, want %q", told, x.Log, want)
		}
	})
}

// A pull that can't fit whatever goes costs nothing, and says what holds the
// space.
func TestAPullThatCantFitCostsNothing(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"told by the registry": true, "found out by the engine": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			configured(t, []string{"a"}, func(s *scene) {
				s.entry.Policy.Keep = 2
				s.hosts["a"].SetDisk(warmer.Disk{Free: 4500, Total: 4500})
				s.hosts["a"].FillDisk()
			}, func(s *scene) {
				one, two := s.arrives(1), s.arrives(2)
				s.sized(9000)
				if !known {
					s.tags.children[0].Layers[1].Bytes = 1100
				}
				s.check()
				s.settle(time.Minute)
				s.expectOn("a", one, two)
				c := s.expectState("a", warmer.StateFailed)
				for _, words := range []string{"space", "current of jobs"} {
					if !strings.Contains(c.Reason, words) {
						t.Errorf("the reason does not say %q: %s", words, c.Reason)
					}
				}
			})
		})
	}
}

// Above its high mark a disk is pruned by itself, down to the low one, once.
func TestAFullDiskIsPruned(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) {
		s.entry.Policy.Keep = 3
		s.rules = warmer.PruneRules{
			Policy: prune.Policy{Rules: prune.Rules{KeepMin: 1}, Unmanaged: prune.KeepUnmanaged},
			Marks:  func(total int64, _ bool) (high, low int64) { return total * 8 / 10, total / 2 },
		}
		s.hosts["a"].SetDisk(warmer.Disk{Free: 20000, Total: 20000})
		s.hosts["a"].FillDisk()
	}, func(s *scene) {
		s.live(1)
		two, three := s.live(2), s.live(3)
		s.hosts["a"].SetDisk(warmer.Disk{Free: 3000, Total: 20000}) // somebody else fills it
		s.settle(5 * time.Minute)
		s.expectOn("a", two, three)
		passes, _ := s.w.Passes(context.Background(), "a", 10)
		if len(passes) != 1 || passes[0].Trigger != warmer.ByPressure || passes[0].Short == 0 {
			t.Errorf("%+v", passes)
		}
	})
}

// What can't be removed is left alone for a day, and holds up no other.
func TestWhatCantBeRemovedHoldsUpNothing(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a"}, func(s *scene) {
		one := s.live(1)
		s.live(2)
		three, four := s.live(3), s.live(4)
		s.hosts["a"].FailRemoval(one, problem.New(problem.EngineAPI, "it does not want to", ""), 1)
		p := s.prune(warmer.PruneAsk{})[0]
		if outcomes(p) != "superseded failed, superseded removed" || p.Stopped != "" {
			t.Errorf("%+v", p)
		}
		s.settle(time.Minute)
		s.expectOn("a", one, three, four)
		if p := s.prune(warmer.PruneAsk{})[0]; len(p.Removals) != 0 {
			t.Errorf("it is tried again at once: %+v", p)
		}
		s.settle(25 * time.Hour)
		s.prune(warmer.PruneAsk{})
		s.expectOn("a", three, four)
	})
}

// A removal that did not do what was predicted ends the pass there.
func TestAPassStopsWhereItWasWrong(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) {
		s.entry.Policy.Keep = 1
		s.odd("a").clings = true
	}, func(s *scene) {
		s.live(1)
		s.live(2)
		s.live(3)
		s.live(4)
		p := s.prune(warmer.PruneAsk{})[0]
		if outcomes(p) != "superseded not_gone, superseded skipped" || !strings.Contains(p.Stopped, "not gone as predicted") {
			t.Errorf("%+v", p)
		}
	})
}

func TestPausedPruning(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a"}, func(s *scene) {
		one, two, three := s.live(1), s.live(2), s.live(3)
		if err := s.w.Pause(context.Background(), warmer.Pruning, "a", "ana"); err != nil {
			t.Fatal(err)
		}
		if err := s.w.PruneBySchedule(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.expectOn("a", one, two, three)
		if err := s.w.Resume(context.Background(), warmer.Pruning, "a", "ana"); err != nil {
			t.Fatal(err)
		}
		if err := s.w.PruneBySchedule(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.expectOn("a", two, three)
	})
}

// An engine tells of containers that are gone by the next listing.
func TestUseIsHeard(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a"}, func(s *scene) {
		s.rules.Policy.Rules.UnusedFor = 3 * time.Hour
		s.reconfigure()
		one, two, three := s.live(1), s.live(2), s.live(3)
		s.settle(2 * time.Hour)
		o := s.hosts["a"].Others()
		if err := o.Run(context.Background(), "short", one.String(), "exit", "0"); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Second)
		if err := o.Discard(context.Background(), "short"); err != nil {
			t.Fatal(err)
		}
		s.settle(2 * time.Hour)
		s.prune(warmer.PruneAsk{})
		s.expectOn("a", one, two, three)
		s.settle(2 * time.Hour)
		s.prune(warmer.PruneAsk{})
		s.expectOn("a", two, three)
	})
}

// A life that ends in a removal leaves nothing that the next one can't put right.
func TestALifeThatEndsInARemoval(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a"}, func(s *scene) {
		one, two, three := s.live(1), s.live(2), s.live(3)
		s.hosts["a"].HoldRemovals()
		cut := s.w
		ended := make(chan bool)
		go func() {
			defer close(ended)
			_, _ = cut.Prune(context.Background(), warmer.PruneAsk{}) // its life ends before
		}()
		s.settle(time.Second)
		if s.ledger.lease(one, true) {
			t.Error("a run began on what is being removed")
		}
		warm, _ := s.w.WarmHosts("jobs", one)
		if len(warm) > 0 {
			t.Errorf("what is being removed is warm on %v", warm)
		}
		s.stop()
		s.hosts["a"].ReleaseRemovals()
		s.start()
		s.settle(time.Minute)
		if !s.ledger.lease(one, true) {
			t.Error("no run of it can begin after the restart")
		}
		s.ledger.lease(one, false)
		s.prune(warmer.PruneAsk{})
		s.expectOn("a", two, three)
		<-ended
	})
}

// Who comes to want a digest while a pass is under way, after it was decided and
// before its turn, keeps it.
func TestALeaseThatBeginsInAPass(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a"}, func(s *scene) {
		_, two := s.live(1), s.live(2)
		s.live(3)
		s.live(4)
		s.hosts["a"].HoldRemovals()
		passes := make(chan []warmer.Pass)
		go func() { passes <- s.prune(warmer.PruneAsk{}) }()
		s.settle(time.Second)
		if !s.ledger.lease(two, true) {
			t.Error("a digest whose turn has not come is not to be had")
		}
		s.hosts["a"].ReleaseRemovals()
		if p := (<-passes)[0]; outcomes(p) != "superseded removed, superseded claimed" || !strings.Contains(p.Removals[1].Detail, "run 1") {
			t.Errorf("%+v", p)
		}
	})
}

// The age of an image says nothing of the same image on another engine.
func TestAnotherEngineBeginsAnew(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a"}, func(s *scene) {
		s.rules.Policy.Rules.MinAge = 3 * time.Hour
		s.reconfigure()
		one := s.live(1)
		s.live(2)
		s.live(3)
		s.settle(4 * time.Hour)
		s.hosts["a"].Wipe()
		s.settle(time.Hour)
		if err := s.hosts["a"].Others().Pull(context.Background(), one); err != nil {
			t.Fatal(err)
		}
		s.rules.Policy.Unmanaged = prune.LeastRecently
		s.reconfigure()
		if p := s.prune(warmer.PruneAsk{Free: 1 << 40}); len(p[0].Removals) != 0 {
			t.Errorf("it is not three hours old there: %+v", p)
		}
	})
}
