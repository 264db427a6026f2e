package warmer_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// pulled is a pull that was measured.
type pulled struct {
	host, image string
	took        time.Duration
	bytes       int64
	err         error
}

// counts is what was measured.
type counts struct {
	mu         sync.Mutex
	pulls      []pulled
	promoted   []time.Duration
	looks      []string
	repaired   int
	removed    int
	stopped    int
	freed      int64
	reconciled int
}

func (c *counts) do(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *counts) Pulled(host, image string, _ registry.Pin, took time.Duration, bytes int64, err error) {
	c.do(func() { c.pulls = append(c.pulls, pulled{host, image, took, bytes, err}) })
}

func (c *counts) Promoted(_ string, after time.Duration) {
	c.do(func() { c.promoted = append(c.promoted, after) })
}

func (c *counts) Looked(image, why string, err error) {
	word := image + " " + why
	if err != nil {
		word += " failed"
	}
	c.do(func() { c.looks = append(c.looks, word) })
}

func (c *counts) Repaired(string) { c.do(func() { c.repaired++ }) }

func (c *counts) Pruned(_ string, removed int, freed int64, err error) {
	c.do(func() {
		c.removed, c.freed = c.removed+removed, c.freed+freed
		if err != nil {
			c.stopped++
		}
	})
}

func (c *counts) Reconciled(time.Duration) { c.do(func() { c.reconciled++ }) }

// measured runs a test with a warmer that is measured, with room for one digest
// beside the current one.
func measured(t *testing.T, test func(s *scene, c *counts)) {
	t.Helper()
	c := &counts{}
	configured(t, []string{"a"}, func(s *scene) {
		s.opts.Measures = c
		s.entry.Policy.Keep = 1
	}, func(s *scene) { test(s, c) })
}

func TestPullsAndPromotionsAreMeasured(t *testing.T) {
	t.Parallel()
	measured(t, func(s *scene, c *counts) {
		s.hosts["a"].SetPullSpeed(100) // 1101 bytes in some 11 s
		s.live(1)
		s.again() // what is there is no pull, and current already
		one := c.pulls[0]
		if len(c.pulls) != 1 || one.host != "a" || one.image != "jobs" || one.bytes != 1101 || one.took < 10*time.Second || one.took > 13*time.Second || one.err != nil {
			t.Errorf("%+v", c.pulls)
		}
		if len(c.promoted) != 1 || c.promoted[0] < 10*time.Second || c.promoted[0] > 15*time.Second {
			t.Errorf("promoted after %v", c.promoted)
		}
		s.live(2)
		s.rollback("") // nobody pushed anything
		s.settle(time.Minute)
		if len(c.promoted) != 2 || c.reconciled == 0 {
			t.Errorf("promoted after %v, %d looks at the whole", c.promoted, c.reconciled)
		}
		three := s.push(3)
		s.hosts["a"].FailPull(three, problem.New(problem.EngineAPI, "no", ""), 1)
		s.check()
		s.settle(10 * time.Second)
		s.stop()
		s.start()
		last := c.pulls[len(c.pulls)-2:]
		if problem.CodeOf(last[0].err) != problem.EngineAPI || !errors.Is(last[1].err, context.Canceled) {
			t.Errorf("%+v", last)
		}
	})
}

func TestLooksRepairsAndPassesAreMeasured(t *testing.T) {
	t.Parallel()
	measured(t, func(s *scene, c *counts) {
		one := s.live(1)
		s.tags.set(one, errors.New("no"))
		if _, err := s.w.Look(context.Background(), "jobs"); err == nil {
			t.Fatal("the registry answered")
		}
		if want := []string{"jobs asked", "jobs schedule failed"}; !slices.Equal(c.looks, want) {
			t.Errorf("looks %q", c.looks)
		}
		s.hosts["a"].Forget(one)
		s.settle(time.Minute)
		s.live(2)
		s.live(3)
		s.prune(warmer.PruneAsk{DryRun: true})
		s.prune(warmer.PruneAsk{})
		if c.repaired != 1 || c.removed != 1 || c.freed == 0 || c.stopped != 0 {
			t.Errorf("%+v", c)
		}
		s.ledger.fail(errors.New("disk full"))
		_, _ = s.w.Prune(context.Background(), warmer.PruneAsk{}) // that it fails is the point
		if s.ledger.fail(nil); c.stopped != 1 {
			t.Errorf("%+v", c)
		}
	})
}
