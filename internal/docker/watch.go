package docker

import (
	"context"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/prewarm/prewarm/warmer"
)

// happenings are the events of an image or a tag that is gone, and of a container
// that was started. A prune tells of each image by a delete, too, but not in
// every engine. The engine takes any of the types with any of the events, so it
// tells of pruned containers as well: see happening.
func happenings() events.ListOptions {
	return events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("type", string(events.ImageEventType)),
		filters.Arg("type", string(events.ContainerEventType)),
		filters.Arg("event", string(events.ActionDelete)),
		filters.Arg("event", string(events.ActionUnTag)),
		filters.Arg("event", string(events.ActionPrune)),
		filters.Arg("event", string(events.ActionStart)),
	)}
}

// Watch calls tell whenever the engine tells that an image or a tag was removed,
// our own removals too, or that a container was started, by whomever. Events are
// a hint: an engine keeps 256 of all kinds, and drops those that a slow reader
// misses; what happened before Watch was called, or between two calls of it, is
// never told. Watch has a connection of its own and returns nil at the end of
// ctx; when the engine stops telling, it returns problem.HostUnreachable, and the
// caller calls it again.
func (h *Host) Watch(ctx context.Context, tell func(warmer.Happening)) error {
	const what = "watch for removed images"
	s, err := h.connect(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	// Whatever ends this ends the request: the client's goroutine waits for it.
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	told, broken := s.api.Events(watching, happenings())
	for {
		select {
		case m := <-told:
			if news, ok := happening(m); ok {
				if news.Used != "" {
					s.stock.started(m.Actor.ID)
				}
				tell(news)
			}
		case err := <-broken:
			return ended(ctx, h.explain(ctx, s, what, err))
		}
	}
}

// happening is what an event means, if it is one of those that were asked for.
func happening(m events.Message) (warmer.Happening, bool) {
	at := time.Unix(m.Time, 0).UTC()
	if m.TimeNano != 0 {
		at = time.Unix(0, m.TimeNano).UTC()
	}
	switch {
	case m.Type == events.ImageEventType && m.Action != events.ActionStart:
		return warmer.Happening{Removed: true, At: at}, true
	case m.Type == events.ContainerEventType && m.Action == events.ActionStart:
		// A container's image can be without a name.
		named := m.Actor.Attributes["image"]
		return warmer.Happening{Used: named, At: at}, named != ""
	}
	return warmer.Happening{}, false
}

// ended is the error of a stream that its caller may have ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
