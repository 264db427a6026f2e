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
