package registry

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// How long a login that was refused is not sent again: registries lock accounts
// out that show a wrong password by the hundred.
const (
	shortestRefusal = time.Minute
	longestRefusal  = time.Hour
)

// refusal is a login that the registry refused, whatever it was for.
type refusal struct {
	times int // in a row
	until time.Time
}

// errRefused is a login that was refused, now or a short time ago.
type errRefused struct{ until time.Time }

func (e *errRefused) Error() string { return "the registry refuses the login" }

func isRefused(err error) bool {
	var refused *errRefused
	return errors.As(err, &refused)
}

// mayShow tells whether a login may be sent. When a refused one may be tried
// again, one call does; the others wait for what it learns.
func (l *logins) mayShow(auth authn.AuthConfig) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, now := l.refusals[auth], l.endpoint.now()
	switch {
	case r == nil:
		return nil
	case now.Before(r.until):
		return &errRefused{until: r.until}
	}
	r.until = now.Add(shortestRefusal)
	return nil
}

// refuse notes a refused login, and forgets those that nobody has tried again.
func (l *logins) refuse(auth authn.AuthConfig) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.endpoint.now()
	maps.DeleteFunc(l.refusals, func(_ authn.AuthConfig, r *refusal) bool { return now.Sub(r.until) > longestRefusal })
	r := l.refusals[auth]
	if r == nil {
		r = &refusal{}
		l.refusals[auth] = r
	}
	r.until = now.Add(min(shortestRefusal<<min(r.times, 8), longestRefusal))
	r.times++
	return &errRefused{until: r.until}
}

// accept forgets that a login was refused.
func (l *logins) accept(auth authn.AuthConfig) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.refusals, auth)
}

// judge tells a refused login from one that is good but not for this
// repository: it tries whether it is good for anything. It gives err, or what
// there is to know instead.
func (l *login) judge(ctx context.Context, err error, tryIt func(context.Context) error) error {
	if l.auth == (authn.AuthConfig{}) || statusOf(err) != http.StatusUnauthorized {
		return err
	}
	t := trailOf(ctx)
	was := *t
	again := tryIt(ctx)
	was.limited, was.secrets = t.limited, t.secrets
	*t = was // what the call itself asked and got
	switch {
	case again == nil:
		l.at.accept(l.auth)
	case statusOf(again) == http.StatusUnauthorized:
		return l.at.refuse(l.auth)
	}
	return err
}

// plainToken tries a login at the token server, for no repository.
func (l *login) plainToken(challenge *transport.Challenge) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := transport.Exchange(ctx, l.at.target, authn.FromConfig(l.auth), l.at.wire, nil, challenge)
		return err
	}
}

// root tries a header at the root of the registry's API.
func (l *logins) root(header string) func(context.Context) error {
	return func(ctx context.Context) error {
		at := l.endpoint.scheme() + "://" + l.endpoint.host + "/v2/"
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := l.send(req, header)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }() // it was only read
		return transport.CheckError(resp, http.StatusOK)
	}
}
