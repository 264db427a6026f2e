package runner_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/runner"
)

// counts is what was measured.
type counts struct {
	mu                 sync.Mutex
	made, joined       int
	started, firstLine []time.Duration
	ended              []runner.State
	lags               []time.Duration
}

func (c *counts) do(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *counts) Submitted(_ string, joined bool) {
	c.do(func() {
		if joined {
			c.joined++
		} else {
			c.made++
		}
	})
}

func (c *counts) Started(_ runner.Run, after time.Duration) {
	c.do(func() { c.started = append(c.started, after) })
}

func (c *counts) FirstLine(_ runner.Run, after time.Duration) {
	c.do(func() { c.firstLine = append(c.firstLine, after) })
}

func (c *counts) Ended(r runner.Run) { c.do(func() { c.ended = append(c.ended, r.State) }) }

func (c *counts) Lagged(_ string, by time.Duration) { c.do(func() { c.lags = append(c.lags, by) }) }

func TestMeasures(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		var c counts
		s.stop()
		s.counts = &c
		s.start()
		s.hosts["a"].Program("late", func(_ context.Context, p *dockertest.Process) int {
			time.Sleep(time.Minute)
			for range 10 {
				time.Sleep(300 * time.Millisecond)
				if _, err := p.Stdout.Write([]byte("a line\n")); err != nil {
					return 1
				}
			}
			return 0
		})
		s.images.set(one, "a")
		run := s.ask(keyed("k", "late")).Run
		s.ask(keyed("k", "late"))
		s.settle(time.Second)
		s.restart() // what was counted is not counted again
		s.end(run.ID)
		s.settle(time.Second)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.made != 1 || c.joined != 1 || len(c.started) != 1 || c.started[0] >= time.Minute || !slices.Equal(c.ended, []runner.State{runner.Succeeded}) {
			t.Errorf("%+v", &c)
		}
		if len(c.firstLine) != 1 || c.firstLine[0] < time.Minute || c.firstLine[0] > 2*time.Minute {
			t.Errorf("first lines %v", c.firstLine)
		}
		if n := len(c.lags); n < 2 || n > 4 || slices.Max(c.lags) > time.Second {
			t.Errorf("lags %v", c.lags)
		}
	})
}
