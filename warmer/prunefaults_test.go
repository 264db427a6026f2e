package warmer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/prune"
)

// Many pushes that never go live don't make what is kept for a rollback forgotten.
func TestAStormOfPushesCostsNoKeptDigest(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a"}, func(s *scene) {
		one, two := s.live(1), s.live(2)
		if err := s.w.Hold(context.Background(), "jobs", "ana"); err != nil {
			t.Fatal(err)
		}
		for n := 3; n < 130; n++ {
			s.push(n)
			s.check()
			s.settle(time.Second)
		}
		s.expectCurrent(two)
		s.prune(warmer.PruneAsk{})
		if _, ok, err := s.hosts["a"].Inspect(context.Background(), one); !ok {
			t.Errorf("the digest that is kept for a rollback is gone: %v", err)
		}
	})
}

// An image that others named, and that has no keep-tag any more, is wanted again by
// whoever comes to want its digest while a pass is under way.
func TestADigestWithoutAKeepTag(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"rollback", "lease"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			configured(t, []string{"a"}, func(s *scene) {
				s.entry.Policy.Keep = 0
				s.rules = warmer.PruneRules{Policy: prune.Policy{Unmanaged: prune.LeastRecently}}
			}, func(s *scene) {
				one := s.live(1)
				if err := s.hosts["a"].Others().Tag(context.Background(), one, "mine"); err != nil {
					t.Fatal(err)
				}
				s.live(2)
				s.live(3)
				s.prune(warmer.PruneAsk{}) // its keep-tag goes, "mine" stays; the second goes
				s.foreign("a", 7)
				s.settle(2 * time.Minute)
				s.hosts["a"].HoldRemovals()
				passes := make(chan []warmer.Pass)
				go func() { passes <- s.prune(warmer.PruneAsk{Free: 1 << 40}) }()
				s.settle(time.Second)
				if what == "rollback" {
					s.rollback(string(one.Digest()))
				} else if warm, _ := s.w.WarmHosts("jobs", one); len(warm) > 0 && !s.ledger.lease(one, true) {
					t.Error("it is warm, and no run of it can begin")
				}
				s.hosts["a"].ReleaseRemovals()
				<-passes
				s.settle(time.Hour)
				_, there, err := s.hosts["a"].Inspect(context.Background(), one)
				if what == "rollback" {
					s.expectCurrent(one)
				} else if warm, _ := s.w.WarmHosts("jobs", one); len(warm) > 0 != there {
					t.Errorf("warm on %v, and there: %v %v", warm, there, err)
				}
				if s.store.violation != "" {
					t.Error(s.store.violation)
				}
			})
		})
	}
}

// What was given up for want of space is pulled for a run that waits for it.
func TestWhatWasGivenUpIsPulledForRuns(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, tight, func(s *scene) {
		one := s.arrives(1)
		s.arrives(2)
		s.arrives(3)
		s.arrives(4)
		s.hosts["a"].SetDisk(warmer.Disk{Free: 40000, Total: 40000}) // space abounds now
		s.hosts["a"].FillDisk()
		s.settle(time.Hour)
		s.needs.mu.Lock()
		s.needs.pins = map[registry.Pin]bool{one: true}
		s.needs.mu.Unlock()
		s.w.Kick()
		s.w.Seek(context.Background(), "jobs", one)
		s.settle(2 * time.Hour)
		if _, ok, _ := s.hosts["a"].Inspect(context.Background(), one); !ok {
			warm, cold := s.w.WarmHosts("jobs", one)
			t.Errorf("a run waits for it for two hours, and it was not pulled: %v %v", warm, cold)
		}
	})
}

// failingSettle is a ledger whose first writes of ends fail.
type failingSettle struct {
	*ledger
	n int
}

func (l *failingSettle) Settle(ctx context.Context, host string, pins, givenUp []registry.Pin) error {
	if l.n > 0 {
		l.n--
		return errors.New("disk full")
	}
	return l.ledger.Settle(ctx, host, pins, givenUp)
}

// The end of a removal that could not be written down is written down later: runs
// of the digest don't wait for ever.
func TestAnEndThatIsWrittenDownLater(t *testing.T) {
	t.Parallel()
	pruned(t, []string{"a"}, func(s *scene) {
		s.over = &failingSettle{s.ledger, 1}
		s.stop()
		s.start()
		s.settle(time.Minute)
		one := s.live(1)
		s.live(2)
		s.live(3)
		s.prune(warmer.PruneAsk{})
		s.settle(time.Hour)
		s.rollback(string(one.Digest()))
		s.settle(time.Hour)
		s.expectCurrent(one)
		warm, _ := s.w.WarmHosts("jobs", one)
		s.prune(warmer.PruneAsk{})
		s.settle(24 * time.Hour)
		if !s.ledger.lease(one, true) {
			t.Errorf("it is current and warm on %v, and no run of it can begin a day later", warm)
		}
	})
}

// stubborn carries a removal out although whoever asked for it left.
type stubborn struct {
	*dockertest.Fake
	slow time.Duration
}

func (q *stubborn) RemoveImage(ctx context.Context, r warmer.Removal) (warmer.Removed, error) {
	done := make(chan struct{})
	var got warmer.Removed
	var err error
	go func() {
		defer close(done)
		time.Sleep(q.slow)
		got, err = q.Fake.RemoveImage(context.WithoutCancel(ctx), r)
	}()
	select {
	case <-done:
		return got, err
	case <-ctx.Done():
		return warmer.Removed{}, problem.New(problem.HostUnreachable, ctx.Err().Error(), "")
	}
}

// Whoever asked for a pass may leave: what was begun is brought to its end, and is
// no drift.
func TestWhoAskedMayLeave(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) {
		s.entry.Policy.Keep = 3
		s.rules = warmer.PruneRules{Policy: prune.Policy{Unmanaged: prune.KeepUnmanaged}}
		s.custom = map[string]warmer.Host{"a": &stubborn{s.hosts["a"], 10 * time.Second}}
	}, func(s *scene) {
		one, two, three, four := s.live(1), s.live(2), s.live(3), s.live(4)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		p, err := s.w.Prune(ctx, warmer.PruneAsk{Free: 500})
		if err != nil || outcomes(p[0]) != "kept_for_rollback removed" {
			t.Errorf("%+v %v", p, err)
		}
		s.settle(time.Hour)
		s.expectOn("a", two, three, four)
		if d := s.w.Hosts()[0].Drift; d.Total != 0 || s.hosts["a"].Pulls(one) != 1 {
			t.Errorf("%+v, pulled %d times", d, s.hosts["a"].Pulls(one))
		}
	})
}

// Where removals free nothing, what is kept is not thrown after them.
func TestRemovalsThatFreeNothing(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) {
		s.entry.Policy.Keep = 6
		s.rules = warmer.PruneRules{Policy: prune.Policy{Unmanaged: prune.KeepUnmanaged, Rules: prune.Rules{KeepMin: 1}}}
		s.hosts["a"].SetDisk(warmer.Disk{Free: 10000, Total: 10000})
		s.hosts["a"].FillDisk()
	}, func(s *scene) {
		for n := 1; n < 8; n++ {
			s.arrives(n)
		}
		s.hosts["a"].LeakRemovals(true)
		s.hosts["a"].SetDisk(warmer.Disk{Free: 500, Total: 8000})
		s.hosts["a"].FillDisk()
		s.sized(8)
		s.check()
		s.settle(5 * time.Hour)
		listed, err := s.hosts["a"].List(context.Background())
		if err != nil || len(listed) < 4 { // the first pass takes what it believes to be enough
			t.Errorf("%d of 7 images are left, %v", len(listed), err)
		}
	})
}

// A host that could not be looked at for a moment gets nothing back that was given
// up there.
func TestDoubtTakesNothingBack(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, tight, func(s *scene) {
		one, two, three, four := s.arrives(1), s.arrives(2), s.arrives(3), s.arrives(4)
		s.expectOn("a", two, three, four)
		s.settle(3 * time.Hour)
		s.hosts["a"].SetDown(true)
		s.w.Seek(context.Background(), "jobs", one)
		s.hosts["a"].SetDown(false)
		s.settle(time.Hour)
		s.expectOn("a", two, three, four)
	})
}

// A budget hides no full disk.
func TestABudgetHidesNoFullDisk(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) {
		s.entry.Policy.Keep = 3
		s.rules = warmer.PruneRules{
			Policy: prune.Policy{Rules: prune.Rules{KeepMin: 1}, Unmanaged: prune.KeepUnmanaged},
			Marks:  func(total int64, _ bool) (high, low int64) { return total * 8 / 10, total / 2 },
			Budget: 20000,
		}
		s.hosts["a"].SetDisk(warmer.Disk{Free: 1000000, Total: 1000000})
	}, func(s *scene) {
		s.live(1)
		s.live(2)
		s.live(3)
		s.live(4)
		s.hosts["a"].SetDisk(warmer.Disk{Free: 17000, Total: 1000000}) // 98 % used
		s.settle(time.Hour)
		if passes, err := s.w.Passes(context.Background(), "a", 10); len(passes) == 0 {
			t.Error("the disk is 98% used, high is 80%, and no pass was made:", err)
		}
	})
}

// A budget holds over pulls that come one close upon the other.
func TestABudgetHolds(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) {
		s.entry.Policy.Keep = 6
		s.rules = warmer.PruneRules{
			Policy: prune.Policy{Rules: prune.Rules{KeepMin: 6}, Unmanaged: prune.KeepUnmanaged},
			Marks:  func(total int64, _ bool) (high, low int64) { return total, total },
			Budget: 5000,
		}
	}, func(s *scene) {
		s.arrives(1)
		for n := 2; n < 8; n++ {
			s.sized(n)
			s.check()
			s.settle(2 * time.Second)
		}
		stock, err := s.w.Stock(context.Background(), "a")
		if err != nil || stock.Bytes > 5000 {
			t.Errorf("%d of 5000, %v", stock.Bytes, err)
		}
	})
}
