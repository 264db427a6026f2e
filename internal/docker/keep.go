package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	dockerregistry "github.com/docker/docker/api/types/registry"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// errStalled is the cause under which a silent pull is cancelled.
var errStalled = errors.New("the pull went silent")

// Keep makes pin warm: adopts what is there, pulls what is not, sets the
// keep-tag, and inspects the result. The pull is by digest: when a tag moves,
// the containerd store loses repo@old of an image that was pulled by tag.
//
// It ends with problem.PlatformMissing for an image made for other machines,
// TagNotFound for a digest that is gone upstream, RegistryAuth,
// RegistryLimited, RegistryUnavailable, NoSpace, PullStalled, HostUnreachable
// or EngineAPI. Cancelling ctx stops the transfer within milliseconds.
func (h *Host) Keep(ctx context.Context, pin registry.Pin, progress func(warmer.Progress)) (warmer.Copy, error) {
	seen, err := h.look(ctx, pin)
	if err != nil {
		return warmer.Copy{}, err
	}
	if seen.verdict != held {
		sum := tally{report: progress}
		if err := h.fetch(ctx, pin, &sum); err != nil {
			return warmer.Copy{}, err
		}
		if seen, err = h.proven(ctx, pin); err != nil {
			return warmer.Copy{}, err
		}
		sum.finish(seen.layers)
	}
	if seen.Kept {
		return seen.Copy, nil
	}
	// Before the keep-tag: a pin that is kept is not looked at again, and what
	// was left of the mirror would stay for good.
	h.dropMirrored(ctx, pin)
	return h.keep(ctx, pin)
}

// keep sets the keep-tag, and believes it only when the engine shows it.
func (h *Host) keep(ctx context.Context, pin registry.Pin) (warmer.Copy, error) {
	what := "set the keep-tag of image " + pin.String()
	seen, err := h.tag(ctx, pin, keepTag(pin), what)
	if err == nil && !seen.Kept {
		err = h.imageLost(what, errRemovedAtOnce)
	}
	if err != nil {
		return warmer.Copy{}, err
	}
	return seen.Copy, nil
}

// Publish lets a tag of the pin's repository mean pin on this engine, whatever
// it meant before, and believes it only when the engine shows it. What the tag
// meant before keeps its keep-tag and its digest.
//
// It ends with problem.ImageLost for an image that is not there (any more),
// InvalidRequest for a tag that no image can be published under,
// HostUnreachable or EngineAPI.
func (h *Host) Publish(ctx context.Context, pin registry.Pin, tag string) error {
	what := fmt.Sprintf("publish image %s as %q", pin, tag)
	if _, err := registry.NewRef(pin.Repository(), tag); err != nil {
		return problem.Wrap(problem.InvalidRequest, err, what+" on host "+h.name, "correct the tag")
	}
	if strings.HasPrefix(tag, ownTags) {
		return problem.New(problem.InvalidRequest, what+" on host "+h.name+": tags that begin with "+ownTags+" are prewarm's own", "take another tag")
	}
	seen, err := h.tag(ctx, pin, tag, what)
	if err == nil && !slices.Contains(seen.Tags, tag) {
		err = h.imageLost(what, errRemovedAtOnce)
	}
	return err
}

var errRemovedAtOnce = errors.New("the tag was removed at once")

// tag lets a tag of the pin's repository mean pin, and looks at it again.
func (h *Host) tag(ctx context.Context, pin registry.Pin, tag, what string) (sight, error) {
	err := h.call(ctx, inspectLimit, what, func(ctx context.Context, s *session) error {
		return s.api.ImageTag(ctx, pin.String(), tagged(pin, tag))
	})
	if errdefs.IsNotFound(err) {
		return sight{}, h.imageLost(what, err)
	}
	if err != nil {
		return sight{}, err
	}
	return h.proven(ctx, pin)
}

// proven looks at a pin that must be there now.
func (h *Host) proven(ctx context.Context, pin registry.Pin) (sight, error) {
	seen, err := h.look(ctx, pin)
	if err != nil {
		return sight{}, err
	}
	what := "verify image " + pin.String()
	switch seen.verdict {
	case held:
		return seen, nil
	case alien:
		return sight{}, problem.New(problem.PlatformMissing,
			fmt.Sprintf("%s on host %s: it is made for %s", what, h.name, seen.Platform),
			"build the image for the host's platform, or take the host out of the image's hosts")
	case unproven:
		return sight{}, problem.New(problem.EngineAPI,
			fmt.Sprintf("%s on host %s: the engine holds something under that name and does not vouch for its digest", what, h.name),
			"remove it there (docker rmi "+pin.String()+") and let prewarm pull it")
	}
	return sight{}, h.imageLost(what, errors.New("the engine does not know it"))
}

func (h *Host) imageLost(what string, err error) error {
	return problem.Wrap(problem.ImageLost, err, what+" on host "+h.name+": the image went away",
		"it is pulled again; look for what removes images on that host (a cron job with docker system prune, usually)")
}

// pull has the engine fetch pin and follows it to its end. That the engine says
// it is done proves nothing yet.
func (h *Host) pull(ctx context.Context, pin registry.Pin, progress func(warmer.Progress)) error {
	auth, err := h.auth(ctx, pin.Repository())
	if err != nil {
		return err
	}
	s, err := h.connect(ctx)
	if err != nil {
		return err
	}
	pulling, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := watchStall(h.stall, &h.pulled, func() { cancel(errStalled) })
	defer stall.stop()
	stream, err := s.api.ImagePull(pulling, pin.String(), image.PullOptions{RegistryAuth: auth})
	if err == nil {
		defer func() { _ = stream.Close() }() // nothing is read from it any more
		err = followPull(stream, func(p warmer.Progress, waits bool) {
			stall.moved(waits)
			progress(p)
		})
	}
	if err != nil && errors.Is(context.Cause(pulling), errStalled) && ctx.Err() == nil {
		return problem.New(problem.PullStalled,
			fmt.Sprintf("pull %s on host %s: nothing moved for %s", pin, h.name, h.stall),
			"check the way from the host to the registry, and the engine's log (journalctl -u docker)")
	}
	return h.explainPull(ctx, s, pin, err)
}

// auth is what the engine shows to the registry: empty where there are no
// credentials.
func (h *Host) auth(ctx context.Context, repo registry.Repository) (string, error) {
	if h.credentials == nil {
		return "", nil
	}
	c, err := h.credentials(ctx, repo)
	if err != nil || c.Anonymous() {
		return "", err
	}
	auth, err := dockerregistry.EncodeAuthConfig(dockerregistry.AuthConfig{
		Username: c.Username, Password: c.Password,
		IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken,
		ServerAddress: c.Server, // exactly the registry's, or the containerd store drops all of it
	})
	if err != nil {
		return "", fmt.Errorf("encode credentials for %s: %w", repo.Host(), err)
	}
	return auth, nil
}
