package docker

import (
	"context"

	"github.com/docker/docker/api/types/network"
)

// life names the engine's present life, from its start to its end; "" where it
// can't be told. An engine makes its default network anew each time it starts
// (measured on 20.10), except under live-restore with containers running, which
// then survive the restart and keep their outcomes. No other call of the API
// tells a restart.
func (h *Host) life(ctx context.Context) string {
	var id string
	err := h.call(ctx, inspectLimit, "tell the engine's life", func(ctx context.Context, s *session) error {
		seen, err := s.api.NetworkInspect(ctx, "bridge", network.InspectOptions{})
		id = seen.ID
		return err
	})
	if err != nil {
		return "" // an engine without that network, or out of reach: not known
	}
	return id
}

// lifeMark is the engine's life in which a container was started.
type lifeMark struct {
	read chan struct{} // closed when id is there
	id   string
}

// markLife reads the engine's life beside a start, which it must not delay. An
// engine that is restarted before the start has been answered breaks that call,
// so what is read is the life of a start that went well.
func (h *Host) markLife(ctx context.Context, container string) {
	m := &lifeMark{read: make(chan struct{})}
	h.mu.Lock()
	h.lives[container] = m
	h.mu.Unlock()
	go func() {
		defer close(m.read)
		m.id = h.life(context.WithoutCancel(ctx))
	}()
}

// lifeOf gives the life in which a container was started; for one that was
// started before we were, or whose life could not be read, the present one.
func (h *Host) lifeOf(ctx context.Context, container string) string {
	h.mu.Lock()
	m := h.lives[container]
	h.mu.Unlock()
	if m != nil {
		select {
		case <-m.read:
			if m.id != "" {
				return m.id
			}
		case <-ctx.Done():
		}
	}
	return h.life(ctx)
}
