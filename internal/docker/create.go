package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// Create makes the container of a run, and lets it stand only if the engine
// took the very image that was verified. It never pulls: the engine's create
// knows no pull. Called again for the same run, after a reply was lost, it
// gives the container that is there, as long as nobody has started it.
//
// It ends with problem.ImageLost where the image is not on the host (any more),
// StartFailed for a spec that the engine refuses, NoSpace, HostUnreachable or
// EngineAPI.
func (h *Host) Create(ctx context.Context, c runner.Container) (string, error) {
	if _, err := h.expected(ctx, c); err != nil {
		return "", err
	}
	id, err := h.create(ctx, c)
	if err != nil {
		return "", err
	}
	if err := h.same(ctx, id, c); err != nil {
		return "", err
	}
	if s := h.current(); s != nil {
		s.markFresh(id)
	}
	return id, nil
}

// expected gives the engine's id of the container's image. An id that was
// verified in this session is believed: it names content in both stores, and
// same compares the container with it.
func (h *Host) expected(ctx context.Context, c runner.Container) (string, error) {
	if s := h.current(); s != nil {
		if id, ok := s.imageID(c.Pin); ok {
			return id, nil
		}
	}
	seen, err := h.look(ctx, c.Pin)
	if err != nil {
		return "", err
	}
	if seen.verdict != held {
		return "", h.imageLost(creating(c), errors.New("the engine holds no verified copy"))
	}
	return seen.ID, nil
}

func (h *Host) create(ctx context.Context, c runner.Container) (string, error) {
	var made container.CreateResponse
	err := h.call(ctx, createLimit, creating(c), func(ctx context.Context, s *session) (err error) {
		made, err = s.api.ContainerCreate(ctx, config(h.instance, c), hostConfig(c.Spec), nil, nil, c.Name)
		return err
	})
	switch {
	case err == nil:
		return made.ID, nil
	case errdefs.IsConflict(err):
		return h.adopt(ctx, c, err)
	case problem.CodeOf(err) != problem.EngineAPI:
		return "", err
	}
	return "", h.refused(c, err)
}

// refused says why the engine did not create a container.
func (h *Host) refused(c runner.Container, err error) error {
	said := problem.From(err).Err
	found, known := heard(createSayings, said.Error())
	message := creating(c) + " on host " + h.name
	switch {
	case known && found.code == problem.ImageLost:
		h.lose(c)
		return h.imageLost(creating(c), said)
	case known:
		return problem.Wrap(found.code, said, message+": "+found.means, found.mend)
	case errdefs.IsInvalidArgument(err), errdefs.IsNotFound(err), errdefs.IsPermissionDenied(err):
		return problem.Wrap(problem.StartFailed, said, message+": the engine refuses it", "correct what the engine names")
	}
	return err
}

// adopt gives the container that has our name already, if an earlier Create for
// the same run made it and it was never started. A conflict alone proves
// nothing: only labels tell whose it is.
func (h *Host) adopt(ctx context.Context, c runner.Container, conflict error) (string, error) {
	there, err := h.inspect(ctx, c.Name)
	if errdefs.IsNotFound(err) {
		return "", conflict // the conflict was about something else, or is over
	}
	if err != nil {
		return "", err
	}
	message := fmt.Sprintf("%s on host %s: the name is taken", creating(c), h.name)
	labels := there.Config.Labels
	switch {
	case labels[labelInstance] != h.instance || labels[labelRun] != c.Run || labels[labelDigest] != string(c.Pin.Digest()):
		return "", problem.New(problem.EngineAPI, message+" by a container that is not this run's", "remove or rename that container")
	case !neverStarted(there.State):
		return "", problem.New(problem.EngineAPI, message+" by this run's own container, which was started before", "")
	}
	return there.ID, nil
}

// same compares what was created with what was verified. Between the two the
// image may have been removed, and its name given to another.
func (h *Host) same(ctx context.Context, id string, c runner.Container) error {
	made, err := h.inspect(ctx, id)
	if err != nil {
		return err
	}
	// Twice: an id from this session may be out of date, one that was just
	// looked up is not.
	for range 2 {
		want, err := h.expected(ctx, c)
		if problem.CodeOf(err) == problem.ImageLost {
			break
		}
		if err != nil {
			return err
		}
		if made.Image == want {
			return nil
		}
		h.lose(c)
	}
	if err := h.Remove(ctx, id); err != nil {
		h.log.Warn("a container of an image that went away stays behind", "container", id, "error", err)
	}
	return h.imageLost(creating(c), fmt.Errorf("the engine took %s", made.Image))
}

// lose forgets what was verified of a container's image.
func (h *Host) lose(c runner.Container) {
	if s := h.current(); s != nil {
		s.forget(c.Pin)
	}
}

func creating(c runner.Container) string { return "create container " + c.Name }

// inspect looks at a container by its id or its name.
func (h *Host) inspect(ctx context.Context, id string) (container.InspectResponse, error) {
	var seen container.InspectResponse
	err := h.call(ctx, inspectLimit, "inspect container "+short(id), func(ctx context.Context, s *session) (err error) {
		if seen, err = s.api.ContainerInspect(ctx, id); err != nil {
			return err
		}
		if seen.ContainerJSONBase == nil || seen.State == nil || seen.Config == nil {
			return errors.New("the engine's answer is incomplete")
		}
		return nil
	})
	return seen, err
}

// neverStarted tells a container that may be started from one that ran, runs,
// or could not be started: that one stays "created", with an error.
func neverStarted(s *container.State) bool {
	return s.Status == container.StateCreated && engineTime(s.StartedAt).IsZero() && s.Error == ""
}

// engineTime reads a time of the engine; what it never set is the zero time.
func engineTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t
}

// short is as much of a container's id as people use; a name stays whole.
func short(id string) string {
	if len(id) == 64 {
		return id[:12]
	}
	return id
}
