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
// What the run has to be able to write to whatever its user, it can: see room.
//
// It ends with problem.ImageLost where the image is not on the host (any more),
// InvalidRequest for a result file that can't be had, StartFailed for a spec
// that the engine refuses, NoSpace, HostUnreachable or EngineAPI.
func (h *Host) Create(ctx context.Context, c runner.Container) (runner.Created, error) {
	space, err := roomFor(c)
	if err != nil {
		return runner.Created{}, err
	}
	if len(c.Spec.Aliases) > 0 && c.Spec.Network == "" {
		return runner.Created{}, problem.New(problem.InvalidRequest, creating(c)+": aliases are names in a network, and none was given", "give the network, too")
	}
	if _, err := h.expected(ctx, c); err != nil {
		return runner.Created{}, err
	}
	life := h.lifeBeside(ctx)
	defer life.stop()
	id, err := h.create(ctx, c, space)
	if err != nil {
		return runner.Created{}, err
	}
	made, err := h.same(ctx, id, c)
	if err != nil {
		return runner.Created{}, err
	}
	err = h.furnish(ctx, made, c, space)
	if code := problem.CodeOf(err); code == problem.StartFailed || code == problem.NoSpace {
		h.discard(ctx, id)
	}
	if err != nil {
		return runner.Created{}, err
	}
	// Without an answer the container stays, for the call after this one.
	present, err := life.get()
	if err != nil {
		return runner.Created{}, err
	}
	created := runner.Created{ID: id, Life: present}
	if s := h.current(); s != nil {
		s.markFresh(id)
		created.Version = s.version()
	}
	return created, nil
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

// create has the engine create a container, or gives the one that an earlier
// call made.
func (h *Host) create(ctx context.Context, c runner.Container, space room) (string, error) {
	id, err := h.ask(ctx, c, space)
	switch {
	case errdefs.IsConflict(err):
		return h.adopt(ctx, c, err)
	case problem.CodeOf(err) == problem.EngineAPI:
		return "", h.refused(c, err)
	}
	return id, err
}

// ask has the engine create a container.
func (h *Host) ask(ctx context.Context, c runner.Container, space room) (string, error) {
	of, host := config(h.instance, c), hostConfig(c)
	host.Mounts = append(host.Mounts, space.own...)
	if err := publish(c.Spec.Ports, of, host); err != nil {
		return "", problem.Wrap(problem.Internal, err, creating(c)+": publish its ports", "")
	}
	var made container.CreateResponse
	err := h.call(ctx, createLimit, creating(c), func(ctx context.Context, s *session) (err error) {
		made, err = createFor(ctx, s.api.ContainerCreate, s.api.ClientVersion(), c.Spec.Platform, of, host, networking(c.Spec), c.Name)
		return err
	})
	return made.ID, err
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
func (h *Host) same(ctx context.Context, id string, c runner.Container) (container.InspectResponse, error) {
	made, err := h.inspect(ctx, id)
	if err != nil {
		return made, err
	}
	// Twice: an id from this session may be out of date, one that was just
	// looked up is not.
	for range 2 {
		want, err := h.expected(ctx, c)
		if problem.CodeOf(err) == problem.ImageLost {
			break
		}
		if err != nil {
			return made, err
		}
		if made.Image == want {
			return made, nil
		}
		h.lose(c)
	}
	h.discard(ctx, id)
	return made, h.imageLost(creating(c), fmt.Errorf("the engine took %s", made.Image))
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
		s.sawTTY(seen.ID, seen.Config.Tty)
		return nil
	})
	return seen, err
}

// gone is the error for a container that is not there (any more).
func (h *Host) gone(what string, err error) error {
	return problem.Wrap(problem.ContainerLost, err, fmt.Sprintf("%s on host %s: somebody removed it", what, h.name), "find out who removes containers there")
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
