package registry

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

const (
	// groupSize is how many repositories share a token: 25 make one of 2.3 kB,
	// and many servers take headers of 8 kB at most.
	groupSize = 25
	// challengeAge is how long the way to log in is believed.
	challengeAge = time.Hour
	// misfits is how many repositories may be refused within a group and let in
	// alone, or groups refused as such, until we believe that the registry does
	// not do groups: some look at the first scope only.
	misfits = 3
)

// logins are the ways into one registry: how it wants to be logged in to, asked
// once for all repositories, and the credentials and tokens shown so far.
type logins struct {
	access    Access
	target    name.Registry
	endpoint  *endpoint
	wire      http.RoundTripper // the endpoint, with our name on each request
	elsewhere http.RoundTripper // for requests that it redirects

	turn chan struct{} // holds one value while somebody asks for the challenge

	mu      sync.Mutex
	asked   time.Time // when the challenge was
	how     *transport.Challenge
	groups  map[authn.AuthConfig]*login // that still have room
	misfits int
	// refusals are of logins, not of repositories.
	refusals map[authn.AuthConfig]*refusal
}

func newLogins(target name.Registry, access Access, e *endpoint, userAgent string) (*logins, error) {
	l := &logins{
		access:   access,
		target:   target,
		endpoint: e,
		wire:     transport.NewUserAgent(e, userAgent),
		turn:     make(chan struct{}, 1),
		groups:   make(map[authn.AuthConfig]*login),
		refusals: make(map[authn.AuthConfig]*refusal),
	}
	// The library's own way with a redirect: without our credentials, and with
	// an anonymous token where the other host wants one.
	self := map[string]string{"realm": e.scheme() + "://" + e.host + "/"}
	elsewhere, err := transport.FromToken(target, authn.Anonymous, l.wire,
		&transport.Challenge{Scheme: "bearer", Parameters: self, Insecure: e.plain}, &transport.Token{})
	l.elsewhere = elsewhere
	return l, err
}

// challenge gives how the registry wants to be logged in to. One caller asks
// for all.
func (l *logins) challenge(ctx context.Context) (*transport.Challenge, error) {
	if how := l.known(); how != nil {
		return how, nil
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if how := l.known(); how != nil {
		return how, nil
	}
	return l.ping(ctx)
}

// ping asks the registry, whatever is known.
func (l *logins) ping(ctx context.Context) (*transport.Challenge, error) {
	how, err := transport.Ping(ctx, l.target, l.wire)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.how, l.asked = how, l.endpoint.now()
	return how, nil
}

func (l *logins) known() *transport.Challenge {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.how != nil && l.endpoint.now().Sub(l.asked) < challengeAge {
		return l.how
	}
	return nil
}

// doubt has the challenge asked for again after a refusal: the registry may want
// another kind of login by now. Once a minute is enough.
func (l *logins) doubt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.endpoint.now().Sub(l.asked) > time.Minute {
		l.how = nil
	}
}

func isBearer(c *transport.Challenge) bool { return strings.EqualFold(c.Scheme, "bearer") }

// join gives a login to a repository: a group's, or one of its own.
func (l *logins) join(auth authn.AuthConfig, scope string, alone bool) *login {
	l.mu.Lock()
	defer l.mu.Unlock()
	if alone || l.misfits >= misfits {
		own := newLogin(l, auth, scope)
		own.private = true
		return own
	}
	maps.DeleteFunc(l.groups, func(_ authn.AuthConfig, g *login) bool { return g.isEmpty() })
	group := l.groups[auth]
	if group == nil || !group.admit(scope) {
		group = newLogin(l, auth, scope)
		l.groups[auth] = group
	}
	return group
}

func newLogin(at *logins, auth authn.AuthConfig, scope string) *login {
	return &login{at: at, auth: auth, turn: make(chan struct{}, 1), scopes: []string{scope}}
}

// misfit notes a repository that was refused in a group and let in alone, or a
// group that was refused for being one.
func (l *logins) misfit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.misfits++
}

// admit lets a repository into a group where there is room.
func (l *login) admit(scope string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dissolved || len(l.scopes) >= groupSize {
		return false
	}
	if slices.Contains(l.scopes, scope) {
		return true
	}
	l.scopes = append(l.scopes, scope)
	return true
}

// leave lets a repository go: the next token is without it.
func (l *login) leave(scope string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.scopes = slices.DeleteFunc(slices.Clone(l.scopes), func(s string) bool { return s == scope })
}

func (l *login) isEmpty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.scopes) == 0
}

// send sends a request to the registry itself.
func (l *logins) send(in *http.Request, authorization string) (*http.Response, error) {
	out := in.Clone(in.Context()) // http.Client copies headers to where it is redirected
	out.URL.Scheme = l.endpoint.scheme()
	if authorization != "" {
		out.Header.Set("Authorization", authorization)
	}
	return l.wire.RoundTrip(out)
}
