package runner_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/runner"
)

// blind is a store in which no run can be found for a while.
type blind struct {
	*memory
	until time.Time
}

func (m *blind) Run(ctx context.Context, id string) (runner.Run, error) {
	if time.Now().Before(m.until) {
		return runner.Run{}, errors.New("the disk can't be read")
	}
	return m.memory.Run(ctx, id)
}

// beside expects that the retry of a forgotten run, whose container is at work for
// 20 minutes, waits for its end.
func (s *scene) beside(first, retry runner.Run) {
	s.t.Helper()
	s.settle(10 * time.Minute) // longer than between two sweeps
	if run := s.expectState(retry.ID, runner.Queued); !strings.Contains(run.Waiting, "that the state does not know on") {
		s.t.Errorf("waits %s", run.Waiting)
	}
	if s.passed() {
		s.t.Error("the hosts are taken for looked at")
	}
	run := s.expectEnd(retry.ID, runner.Succeeded, "")
	if begun := run.Started.Sub(first.Submitted); begun < 20*time.Minute || begun > 21*time.Minute {
		s.t.Errorf("begun after %v", begun)
	}
}

// What a sweep can't ask the store is no word that a container is nobody's.
func TestAStoreThatCantBeReadOpensNoGate(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "20m")).Run
		s.settle(time.Second)
		s.instead = &blind{memory: s.store, until: time.Now().Add(15 * time.Minute)}
		s.restore(first.ID)
		s.beside(first, s.ask(keyed("k", "sleep", "1m")).Run)
	})
}

// The same without a restore: what may be somebody's is left alone.
func TestASweepThatCantReadTheStoreRemovesNothing(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "1h")).Run
		s.settle(time.Second)
		s.stop()
		s.store.mu.Lock()
		delete(s.store.runs, first.ID)
		s.store.mu.Unlock()
		s.instead = &blind{memory: s.store, until: time.Now().Add(20 * time.Minute)}
		s.start()
		s.settle(15 * time.Minute)
		if n := s.left(); n != 1 {
			t.Errorf("%d containers are left, and nobody could be asked whose they are", n)
		}
		s.settle(15 * time.Minute)
		if n := s.left(); n != 0 {
			t.Errorf("%d containers are left that no run claims", n)
		}
	})
}

// slow answers which containers it has only when it is let.
type slow struct {
	*dockertest.Fake
	let chan struct{}
}

func (e *slow) Owned(ctx context.Context) ([]runner.Owned, error) {
	owned, err := e.Fake.Owned(ctx)
	<-e.let
	return owned, err
}

// A reload gives the host another engine while it is looked at: what the one
// before told says nothing of that.
func TestASweepThatAReloadOvertookOpensNoGate(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "20m")).Run
		s.settle(time.Second)
		busy, empty := s.hosts["a"], s.hosts["b"]
		if s.get(first.ID).Host == "b" {
			busy, empty = empty, busy
		}
		before := &slow{Fake: empty, let: make(chan struct{})}
		at := func(e runner.Engine) runner.Setup {
			return runner.Setup{Hosts: []runner.HostOptions{{Name: "a", Engine: e, Slots: 2}}}
		}
		s.setup = at(before)
		s.restore(first.ID)
		retry := s.ask(keyed("k", "sleep", "1m")).Run
		s.settle(time.Second) // the sweep is under way
		s.r.Reconfigure(at(busy))
		close(before.let)
		s.beside(first, retry)
	})
}

// overtaken is a store that takes so long to forget the restore that a reload comes
// in between.
type overtaken struct {
	*memory
	reload func()
}

func (m *overtaken) ForgetRestore(ctx context.Context) error {
	m.reload()
	return m.memory.ForgetRestore(ctx)
}

// A host that comes into the configuration while the gate is being opened has not
// been looked at.
func TestAHostThatComesWhileTheGateOpens(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "20m")).Run
		s.settle(time.Second)
		busy := s.get(first.ID).Host
		other := map[string]string{"a": "b", "b": "a"}[busy]
		at := func(names ...string) (setup runner.Setup) {
			for _, name := range names {
				setup.Hosts = append(setup.Hosts, runner.HostOptions{Name: name, Engine: s.hosts[name], Slots: 2})
			}
			return setup
		}
		s.setup = at(other)
		s.instead = &overtaken{memory: s.store, reload: func() { s.r.Reconfigure(at(other, busy)) }}
		s.restore(first.ID)
		retry := s.ask(keyed("k", "sleep", "1m")).Run
		run := s.expectEnd(retry.ID, runner.Succeeded, "")
		if begun := run.Started.Sub(first.Submitted); begun < 20*time.Minute {
			t.Errorf("begun after %v", begun)
		}
	})
}
