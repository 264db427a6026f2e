package docker

import (
	"context"
	"strings"

	"github.com/docker/docker/api/types/network"

	"github.com/prewarm/prewarm/internal/problem"
)

// restores marks the lives of an engine that runs with live-restore: its
// containers outlive it.
const restores = "+live-restore"

func liveRestore(life string) bool { return strings.HasSuffix(life, restores) }

// sameLife tells whether two names are of one default network. An engine takes
// live-restore on and off without a restart.
func sameLife(a, b string) bool {
	return strings.TrimSuffix(a, restores) == strings.TrimSuffix(b, restores)
}

// life names the engine's present life, from its start to its end; "" for an
// engine without a default network, where it can't be told. An engine makes its default network anew each time it starts
// (measured on 20.10), except under live-restore with containers running. No
// other call of the API tells a restart.
//
// A life is read before the look that finds a container running, and after the
// one that finds it ended: a restart between the two calls then shows.
//
// It fails with problem.HostUnreachable only: no answer is not "can't be told".
func (h *Host) life(ctx context.Context) (string, error) {
	var life string
	err := h.call(ctx, inspectLimit, "tell the engine's life", func(ctx context.Context, s *session) error {
		seen, err := s.api.NetworkInspect(ctx, "bridge", network.InspectOptions{})
		if err != nil {
			return err
		}
		survives, err := h.survives(ctx, s, seen.ID)
		life = seen.ID
		if survives {
			life += restores
		}
		return err
	})
	if problem.CodeOf(err) == problem.EngineAPI {
		return "", nil
	}
	return life, err
}

// survives tells whether containers outlive the engine. It is asked once in a
// life, for some engines start programs to answer.
func (h *Host) survives(ctx context.Context, s *session, bridge string) (bool, error) {
	s.mu.Lock()
	known, answer := s.bridge == bridge, s.facts.liveRestore
	s.mu.Unlock()
	if known {
		return answer, nil
	}
	info, err := h.info(ctx, s)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bridge = bridge
	return info.LiveRestoreEnabled, nil
}

// lifeReading is a life that is read beside another call.
type lifeReading struct {
	life   string
	err    error
	done   chan struct{}
	cancel context.CancelFunc
}

// lifeBeside begins to read the life. A container that is started afterwards is
// started in that life, or its start is seen to have been in another.
func (h *Host) lifeBeside(ctx context.Context) *lifeReading {
	ctx, cancel := context.WithCancel(ctx)
	r := &lifeReading{done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(r.done)
		r.life, r.err = h.life(ctx)
	}()
	return r
}

func (r *lifeReading) get() (string, error) {
	<-r.done
	return r.life, r.err
}

// stop ends a reading that nobody waits for.
func (r *lifeReading) stop() {
	r.cancel()
	<-r.done
}
