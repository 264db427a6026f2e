package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// sessionAge is how long a session keeps the credentials it was opened with.
// Credential helpers hand out tokens that live from one hour (Google) to
// twelve (ECR), and go-containerregistry asks for them only once.
const sessionAge = time.Hour

// session is our standing with one repository: the login, and a Puller that
// has been through the registry's challenge already, so that the next request
// is the one that was asked for.
//
// Whoever holds its turn uses it alone. That is what keeps one caller's
// cancelled login from failing the others (the Puller logs in once, with the
// context of whoever came first, and all who came meanwhile share the error),
// and an expired token from being renewed by all of them.
type session struct {
	client   *Client
	repo     Repository
	target   name.Repository
	endpoint *endpoint

	turn chan struct{} // holds one value while somebody uses what is below

	puller   *remote.Puller
	opened   time.Time
	loggedIn bool // with credentials, from wherever
	getOnly  bool // HEAD gives no digest here
}

// do runs op when it is its turn, logged in.
func (s *session) do(ctx context.Context, op func(context.Context, *session) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	err := op(ctx, s)
	if status := statusOf(err); status == http.StatusUnauthorized || status == http.StatusForbidden {
		s.puller = nil // the next call reads the credentials anew
	}
	return err
}

// open makes a Puller of the credentials that hold now, unless there is one
// that is young enough.
func (s *session) open(ctx context.Context) error {
	now := s.client.now()
	if s.puller != nil && now.Sub(s.opened) < sessionAge {
		return nil
	}
	cred, err := s.client.lookup(ctx, s.repo, s.target)
	if err != nil {
		return err
	}
	puller, err := remote.NewPuller(
		remote.WithAuth(cred),
		remote.WithTransport(s.endpoint),
		remote.WithUserAgent(s.client.userAgent),
		// One attempt: the endpoint retries. The library's own retry sleeps on
		// when ctx has ended, and answers "too many requests" with two more.
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
	)
	if err != nil {
		return fmt.Errorf("make puller: %w", err)
	}
	s.puller, s.opened, s.getOnly = puller, now, false
	s.loggedIn = cred != authn.Anonymous
	return nil
}

// resolve asks for the digest of a tag.
func (s *session) resolve(ctx context.Context, tag string) (Digest, error) {
	ref := s.target.Tag(tag)
	if !s.getOnly {
		desc, err := s.puller.Head(ctx, ref)
		if err == nil {
			return ParseDigest(desc.Digest.String())
		}
		if !trailOf(ctx).headFailed(err) {
			return "", err
		}
	}
	headSaysNothing := trailOf(ctx).status == http.StatusOK
	raw, err := s.get(ctx, ref)
	if err != nil {
		return "", err
	}
	// GET counts as a pull where pulls are counted: only a registry that can't
	// do HEAD is asked so from now on, not one where a tag has just appeared.
	s.getOnly = s.getOnly || headSaysNothing
	return raw.digest, nil
}

// headFailed tells whether err means that HEAD is of no use and GET may be:
// HEAD succeeded but its headers lack something, or the registry knows no HEAD
// (some say so by 404, and serve the same tag by GET).
func (t *trail) headFailed(err error) bool {
	if !t.manifest || t.method != http.MethodHead {
		return false
	}
	var broken *url.Error
	switch t.status {
	case http.StatusOK:
		return !errors.As(err, &broken)
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	}
	return false
}

// statusOf gives the HTTP status that the registry refused with, or 0.
func statusOf(err error) int {
	var answer *transport.Error
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

// target is the repository in go-containerregistry's words. Docker Hub is
// index.docker.io there.
func (c *Client) target(repo Repository) (name.Repository, error) {
	var opts []name.Option
	if c.plain(repo) {
		opts = append(opts, name.Insecure)
	}
	return name.NewRepository(repo.String(), opts...)
}
