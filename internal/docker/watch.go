package docker

import (
	"context"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// removals are the events of an image or a tag that is gone. A prune tells of
// each image by a delete, too, but not in every engine.
func removals() events.ListOptions {
	return events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("type", string(events.ImageEventType)),
		filters.Arg("event", string(events.ActionDelete)),
		filters.Arg("event", string(events.ActionUnTag)),
		filters.Arg("event", string(events.ActionPrune)),
	)}
}

// Watch calls lost whenever the engine tells that an image or a tag was
// removed, our own removals too. Events are a hint: an engine keeps 256 of all
// kinds, and drops those that a slow reader misses; what was removed before
// Watch was called, or between two calls of it, is never told. Watch has a
// connection of its own and returns nil at the end of ctx; when the engine stops
// telling, it returns problem.HostUnreachable, and the caller calls it again.
func (h *Host) Watch(ctx context.Context, lost func()) error {
	const what = "watch for removed images"
	s, err := h.connect(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	// Whatever ends this ends the request: the client's goroutine waits for it.
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	told, broken := s.api.Events(watching, removals())
	for {
		select {
		case <-told:
			lost()
		case err := <-broken:
			return ended(ctx, h.explain(ctx, s, what, err))
		}
	}
}

// ended is the error of a stream that its caller may have ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
