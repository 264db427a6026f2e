package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/prewarm/prewarm/internal/problem"
)

// sessionAge is how long a session keeps the credentials it was opened with.
// Credential helpers hand out what lives from one hour (Google) to twelve
// (ECR), and don't say how long.
const sessionAge = 45 * time.Minute

// session is our standing with one repository: its login, which it may share
// with others, and a Puller that speaks the protocol.
//
// Whoever holds its turn uses it alone, so that what is learnt of a repository
// (that it is refused, that its registry knows no HEAD) is learnt once.
type session struct {
	client   *Client
	repo     Repository
	target   name.Repository
	logins   *logins
	endpoint *endpoint
	loggedIn atomic.Bool // with credentials, from wherever

	turn chan struct{} // holds one value while somebody uses what is below

	puller *remote.Puller
	wire   http.RoundTripper // what the puller sends by
	login  *login
	auth   authn.AuthConfig
	answer *key      // that auth was in, or was found in again
	opened time.Time // when auth was read
	// refused tells that the repository was refused when last asked for: it
	// shares no token, so that it can't spoil it.
	refused bool
	getOnly bool // HEAD gives no digest here
}

// scope is what a token for the repository is good for.
func (s *session) scope() string {
	if s.repo.path == "" {
		return "" // it asks for no repository
	}
	return s.target.Scope(transport.PullScope)
}

// lookup finds the credentials that hold now.
func (s *session) lookup(ctx context.Context, w wish) (*key, error) {
	w.limit = s.endpoint.timeout
	return s.client.lookup(ctx, s.logins.access, s.logins.target, w)
}

// call runs op and explains its failure, and tells the registry's breaker how
// it went.
func (s *session) call(ctx context.Context, what string, op func(context.Context, *session) error) error {
	ctx, t := withTrail(ctx)
	breaker := s.endpoint.breaker
	defer breaker.leave(t)
	err := breaker.admit(t, s.endpoint.now())
	if err == nil {
		err = s.do(ctx, op)
	}
	f := failure{what: what, session: s, trail: t, cancelled: ctx.Err()}
	if err == nil {
		f.learn(nil, nil)
		return nil
	}
	explained := f.explain(err)
	f.learn(err, explained)
	return explained
}

// learn tells the breaker how a call went. What we held back ourselves and what
// the caller gave up says nothing about the registry.
func (f failure) learn(raw, explained error) {
	now, breaker := f.session.endpoint.now(), f.session.endpoint.breaker
	var held *errHeld
	var p *problem.Error
	switch {
	case errors.As(raw, &held):
	case raw != nil && f.cancelled != nil:
	case errors.As(explained, &p) && (p.Code == problem.RegistryUnavailable || p.Code == problem.RegistryLimited):
		p.RetryAfter = max(p.RetryAfter, breaker.failed(f.trail, p, f.reason(p), now))
	case f.trail.limited >= 0: // by a request that the call could do without
		p = problem.New(problem.RegistryLimited, "asked for fewer requests", "")
		p.RetryAfter = f.trail.limited
		breaker.failed(f.trail, p, p.Message, now)
	case f.trail.manifest && f.trail.status != 0:
		breaker.succeeded(f.trail)
	}
}

// do runs op when it is its turn, logged in; where the registry refuses, again
// with every other login that may do.
func (s *session) do(ctx context.Context, op func(context.Context, *session) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	began := s.endpoint.now()
	reread, wasRefused := false, false
	for {
		err := s.open(ctx)
		if err == nil {
			err = op(ctx, s)
		}
		switch {
		case err == nil && s.refused && wasRefused:
			s.logins.misfit()
			fallthrough
		case err == nil:
			s.refused = false
			return nil
		case ctx.Err() != nil:
			return err
		case s.login != nil && s.login.isGroup() && trailOf(ctx).groupRefused(err):
			wasRefused = s.goAlone()
		case !isDenied(err) && !isRefused(err):
			return err
		case reread || !s.hasNewCredentials(ctx, began):
			if !isRefused(err) {
				s.goAlone()
				s.logins.doubt()
			}
			return err
		default:
			reread = true
		}
	}
}

// goAlone gives the repository a login of its own. It tells whether it was the
// repository that the registry refused, and not its group as a whole.
func (s *session) goAlone() bool {
	if s.login == nil {
		return false // no credentials were found, so nobody was asked
	}
	s.refused = !s.login.isDissolved()
	if !s.login.private {
		s.login.leave(s.scope())
		s.use(s.logins.join(s.auth, s.scope(), true))
	}
	return s.refused
}

// hasNewCredentials reads the credentials anew after a refusal: somebody may
// have logged in meanwhile, or a helper's have expired. What another call has
// read since this one began will do.
func (s *session) hasNewCredentials(ctx context.Context, began time.Time) bool {
	if s.logins.access.Username != "" {
		return false
	}
	sinceThen := s.endpoint.now().Sub(began) + 1
	found, err := s.lookup(ctx, wish{youngerThan: sinceThen, not: s.answer})
	if err != nil {
		return false
	}
	s.answer = found
	if found.auth == s.auth {
		return false
	}
	s.opened = time.Time{}
	return true
}

// open logs in with the credentials that hold now, unless that was done a short
// time ago. It asks the registry nothing; the first request does.
func (s *session) open(ctx context.Context) error {
	now := s.endpoint.now()
	if s.puller != nil && now.Sub(s.opened) < sessionAge {
		if s.login.isDissolved() {
			s.use(s.logins.join(s.auth, s.scope(), true))
		}
		return nil
	}
	found, err := s.lookup(ctx, wish{youngerThan: sessionAge})
	if err != nil {
		return err
	}
	auth := found.auth
	s.loggedIn.Store(auth != (authn.AuthConfig{}))
	same := s.login != nil && auth == s.auth
	s.auth, s.answer, s.opened, s.getOnly = auth, found, found.at, false
	if same && !s.login.private && !s.login.isDissolved() {
		return nil
	}
	if s.login != nil && !same {
		s.login.leave(s.scope())
		s.refused = false
	}
	s.use(s.logins.join(auth, s.scope(), s.refused))
	return nil
}

// use makes a Puller that sends by a login.
func (s *session) use(l *login) {
	if s.login == l {
		return
	}
	s.login, s.wire = l, keyed{login: l, scope: s.scope()}
	s.puller = newPuller(s.logins.target, s.wire)
}

// newPuller makes a Puller over a wire that logs in and retries by itself: to
// find a Wrapper is what keeps go-containerregistry from doing either. Its own
// retry sleeps on when ctx has ended, and answers "too many requests" with two
// more. Neither call can fail: there is no challenge and no odd option.
func newPuller(target name.Registry, wire http.RoundTripper) *remote.Puller {
	wrapped, err := transport.FromToken(target, authn.Anonymous, wire, &transport.Challenge{}, nil)
	if err != nil {
		panic(fmt.Sprintf("wrap a transport: %v", err))
	}
	puller, err := remote.NewPuller(remote.WithTransport(wrapped))
	if err != nil {
		panic(fmt.Sprintf("make a puller: %v", err))
	}
	return puller
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
	headIsNoUse := !s.getOnly && trailOf(ctx).status != http.StatusNotFound
	raw, err := s.get(ctx, ref)
	if err != nil {
		return "", err
	}
	// GET counts as a pull where pulls are counted: only a registry that can't
	// do HEAD is asked so from now on, not one where a tag has just appeared.
	s.getOnly = s.getOnly || headIsNoUse
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

// groupRefused tells whether err, of a request with or for a group's token, may
// concern the group and not the repository. Token servers that want one scope,
// or shorter addresses, say so by whichever 4xx; registries that find the token
// too long say so by 400 or 431.
func (t *trail) groupRefused(err error) bool {
	switch status := statusOf(err); status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge:
		return true
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	case 0:
		return errors.Is(err, errDissolved)
	default:
		return !t.manifest && status/100 == 4
	}
}

// isDenied tells whether the registry, or its token server, refused a login.
func isDenied(err error) bool {
	status := statusOf(err)
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// statusOf gives the HTTP status that the registry refused with, or 0.
func statusOf(err error) int {
	var answer *transport.Error
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

// targetOf is the repository in go-containerregistry's words. Docker Hub is
// index.docker.io there.
func targetOf(repo Repository, plain bool) (name.Repository, error) {
	var opts []name.Option
	if plain {
		opts = append(opts, name.Insecure)
	}
	return name.NewRepository(repo.String(), opts...)
}
