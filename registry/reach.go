package registry

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/prewarm/prewarm/internal/problem"
)

// Reach tells whether a registry (registry.example.com:5000, docker.io) answers
// and takes our credentials, asking it anew whatever is known. It asks for no
// repository: a login that is good may still not read each of them.
//
// The error is like Resolve's.
func (c *Client) Reach(ctx context.Context, host string) error {
	s, err := c.lobby(host)
	if err != nil {
		return err
	}
	return s.call(ctx, "log in to "+host, func(ctx context.Context, s *session) error { return s.reach(ctx) })
}

// lobby is a session at a registry and no repository of it. It is made anew
// each time, so that it knows nothing.
func (c *Client) lobby(host string) (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	access := c.access[canonicalHost(host)]
	var opts []name.Option
	if access.PlainHTTP {
		opts = append(opts, name.Insecure)
	}
	target, err := name.NewRegistry(canonicalHost(host), opts...)
	if err != nil || host == "" {
		return nil, problem.New(problem.InvalidRequest, fmt.Sprintf("log in to registry %q: that is no registry's name", host), "")
	}
	l, err := c.loginsAt(target, access)
	if err != nil {
		return nil, err
	}
	return &session{
		client: c, repo: Repository{host: canonicalHost(host)}, logins: l, endpoint: l.endpoint,
		turn: make(chan struct{}, 1), refused: true, // it shares no token
	}, nil
}

func (s *session) reach(ctx context.Context) error {
	challenge, err := s.logins.ping(ctx)
	if err != nil || challenge.Scheme == "" {
		return err
	}
	if isBearer(challenge) {
		if s.auth.RegistryToken != "" || !s.loggedIn.Load() {
			return nil // a token of ours needs no other; without one there is nothing to refuse
		}
		err = s.login.plainToken(challenge)(ctx)
	} else {
		err = s.knock(ctx)
	}
	if err == nil {
		s.logins.accept(s.auth)
	}
	return err
}

// knock asks for the registry's root with a password.
func (s *session) knock(ctx context.Context) error {
	header, err := s.login.header(ctx, "")
	if err != nil {
		return err
	}
	return s.logins.root(header)(ctx)
}
