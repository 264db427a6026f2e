package docker

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/warmer"
)

// user tells of a container that was made of an image.
func (l *lister) user(ctx context.Context, c container.Summary) (warmer.ContainerOf, error) {
	u := warmer.ContainerOf{
		ID: c.ID, Name: nameOf(c), Running: running(c.State),
		Ours: c.Labels[labelInstance] == l.host.instance,
		Used: time.Unix(c.Created, 0).UTC(),
	}
	switch {
	case u.Running:
		u.Used = time.Now().UTC()
		l.session.stock.started(c.ID)
	case c.State != container.StateCreated:
		end, err := l.ended(ctx, c.ID)
		if err != nil {
			return u, err
		}
		if end.After(u.Used) {
			u.Used = end
		}
	}
	return u, nil
}

// nameOf is a container's own name; a list adds those that links gave it.
func nameOf(c container.Summary) string {
	for _, name := range c.Names {
		if own := strings.TrimPrefix(name, "/"); !strings.Contains(own, "/") {
			return own
		}
	}
	return short(c.ID)
}

// ended is when a container ended, which the list does not tell; zero where the
// engine can't tell it, as of one that it failed to remove.
func (l *lister) ended(ctx context.Context, id string) (time.Time, error) {
	if at, ok := l.session.stock.end(id); ok {
		return at, nil
	}
	var seen container.InspectResponse
	err := l.host.call(ctx, inspectLimit, "inspect container "+short(id), func(ctx context.Context, s *session) (err error) {
		seen, err = s.api.ContainerInspect(ctx, id)
		if err == nil && (seen.ContainerJSONBase == nil || seen.State == nil) {
			err = errors.New("the engine's answer is incomplete")
		}
		return err
	})
	switch {
	case err == nil:
	case errdefs.IsNotFound(err), problem.CodeOf(err) != problem.EngineAPI:
		return time.Time{}, err
	default:
		return time.Time{}, nil
	}
	at := endOf(seen.State)
	l.session.stock.learnEnd(id, at)
	return at, nil
}
