package runner_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// An engine that crashes after it started a program, and before it wrote that
// down, shows a container that was never started: it must not be started again.
func TestAnEngineThatForgotAStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		liveRestore, seen bool
		words             []string
		log               string
	}{
		"its life tells":             {words: []string{"sleep", "1h"}, log: "sleeping"},
		"it was seen running":        {seen: true, words: []string{"sleep", "1h"}, log: "sleeping"},
		"what was printed tells":     {words: []string{"lines", "1000", "1s"}, log: "line 1"},
		"only what was printed does": {liveRestore: true, words: []string{"lines", "1000", "1s"}, log: "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTime(t, func(s *scene) {
				for _, host := range s.hosts {
					host.SetLiveRestore(c.liveRestore)
					host.Fail(dockertest.CallStart, true) // it is started, and its answer is lost
				}
				run := s.ask(command(c.words...)).Run
				s.settle(100 * time.Millisecond)
				if !c.seen {
					s.stop()
				}
				for _, host := range s.hosts {
					host.HaltForgetting()
					host.Resume()
				}
				if !c.seen {
					s.start()
				}
				ended := s.expectEnd(run.ID, runner.Interrupted, problem.EngineRestarted)
				starts := 0
				for _, host := range s.hosts {
					starts += host.Started(run.ID)
				}
				if starts != 1 || !strings.Contains(ended.Detail, "can't be known") || ended.Log.Complete || s.log(run.ID) != c.log {
					t.Errorf("%d starts, %s, complete %v, %q", starts, ended.Detail, ended.Log.Complete, s.log(run.ID))
				}
			})
		})
	}
}
