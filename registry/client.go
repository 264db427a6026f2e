package registry

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/time/rate"

	"github.com/prewarm/prewarm/internal/problem"
)

// defaultTimeout ends one request. A HEAD takes well under a second on every
// registry that we measured; ten leave room for a cold token server.
const defaultTimeout = 10 * time.Second

// Access is how one registry is reached. Printing it never shows the password.
type Access struct {
	// Name is the host, with its port where references write one:
	// registry.example.com:5000; docker.io for Docker Hub.
	Name string
	// Username and Password log in. Without a username the Docker config file
	// and its credential helpers are asked.
	Username, Password string
	// PlainHTTP speaks http, not https. Nothing else ever does: a registry at
	// localhost or in a private network is spoken to with https too.
	PlainHTTP bool
	// CAFile holds authorities, in PEM form, that are trusted here beside the
	// system's. CertFile and KeyFile are a client certificate, shown to this
	// registry alone. All are read again when they change.
	CAFile, CertFile, KeyFile string
	// Rate is how many requests a second it gets; 0 is the default: 1 for Docker
	// Hub, 100 for this machine and private networks, 10 for others.
	Rate float64
}

// Options is what a Client is made from. The zero Options reach every registry
// over https with the logins of the Docker config file.
type Options struct {
	Access    []Access
	UserAgent string        // before the library's own: prewarm/1.0
	Timeout   time.Duration // of one request, its body included; default 10 s
	Rate      float64       // requests a second to all registries together; default 50
	// Logger is told what fails no call: certificates that are half renewed.
	// Without one nothing is told.
	Logger *slog.Logger
}

// Client asks registries. It is safe for use by many goroutines, keeps its
// connections and logins between calls, and is to be closed.
//
// In the steady state a tag costs one request. Repositories with the same
// credentials share a token, which one call renews for all before it expires.
// Calls that concern one repository go one after the other; repositories don't
// wait for each other. Each registry has its rate; its quota is spread over its
// window; and one that asks for fewer requests, or is down, is left alone for a
// while: calls then fail at once, and their problem says until when.
type Client struct {
	keychain authn.Keychain
	pauses   []time.Duration // before the second, the third … attempt
	now      func() time.Time
	overall  *rate.Limiter

	mu         sync.Mutex
	options    Options
	access     map[string]Access  // by canonicalHost
	registries map[string]*logins // by the host that requests go to
	sessions   map[Repository]*session
	keyrings   map[string]*keyring // by the host that requests go to
	paces      map[string]pace     // likewise
}

// pace is what a registry is owed however it is logged in to.
type pace struct {
	limiter *limiter
	breaker *breaker
	tally   *tally
}

// New makes a Client. It does no I/O.
func New(o Options) *Client {
	c := &Client{
		keychain:   authn.DefaultKeychain,
		pauses:     []time.Duration{500 * time.Millisecond, 2 * time.Second},
		now:        time.Now,
		overall:    newOverall(o.Rate),
		registries: make(map[string]*logins),
		sessions:   make(map[Repository]*session),
		keyrings:   make(map[string]*keyring),
		paces:      make(map[string]pace),
	}
	c.Reconfigure(o)
	return c
}

// Close drops the idle connections. Calls still under way end by themselves.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.registries {
		l.endpoint.close()
	}
}

// Resolve asks the registry which digest a tag has now. In the steady state
// that is one HEAD request; now and then a call renews the login before, for
// all. A registry that answers HEAD without a digest is asked by GET instead.
//
// The error is a *problem.Error, or wraps the end of ctx. TagNotFound means
// that the registry says so now: never take it for a deletion.
func (c *Client) Resolve(ctx context.Context, ref Ref) (Pin, error) {
	if ref.IsZero() {
		return Pin{}, problem.New(problem.InvalidRequest, "resolve a tag: no reference given", "")
	}
	var digest Digest
	err := c.call(ctx, ref.repo, "resolve "+ref.String(), func(ctx context.Context, s *session) (err error) {
		digest, err = s.resolve(ctx, ref.tag)
		return err
	})
	if err != nil {
		return Pin{}, err
	}
	return NewPin(ref.repo, digest), nil
}

// Manifest reads what pin holds, verified against its digest: one child for
// each platform, with the layers of the children that hosts of the given
// platforms run. An index costs one request and one more for each of those
// children; a single image one request and one for its configuration, which
// alone names its platform. Where an index does not say of what source it was
// built, the configuration of one of those children is read too, if it can be.
func (c *Client) Manifest(ctx context.Context, pin Pin, platforms []Platform) (Manifest, error) {
	if pin.repo.IsZero() || pin.digest == "" {
		return Manifest{}, problem.New(problem.InvalidRequest, "read a manifest: no pin given", "")
	}
	m := Manifest{Pin: pin}
	err := c.call(ctx, pin.repo, "read "+pin.String(), func(ctx context.Context, s *session) (err error) {
		m.Children, m.Origin, err = s.describe(ctx, pin.digest, platforms)
		return err
	})
	if err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// call runs op in the repository's session and explains its failure.
func (c *Client) call(ctx context.Context, repo Repository, what string, op func(context.Context, *session) error) error {
	s, err := c.session(repo)
	if err != nil {
		return err
	}
	return s.call(ctx, what, op)
}

// session gives the one session of a repository.
func (c *Client) session(repo Repository) (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.sessions[repo]; ok {
		return s, nil
	}
	access := c.access[canonicalHost(repo.Host())]
	target, err := targetOf(repo, access.PlainHTTP)
	if err != nil {
		return nil, problem.New(problem.InvalidRequest, err.Error(), "")
	}
	l, err := c.loginsAt(target.Registry, access)
	if err != nil {
		return nil, err
	}
	s := &session{client: c, repo: repo, target: target, logins: l, endpoint: l.endpoint, turn: make(chan struct{}, 1)}
	c.sessions[repo] = s
	return s, nil
}

// loginsAt gives what all sessions at a registry share. The caller holds mu.
func (c *Client) loginsAt(target name.Registry, access Access) (*logins, error) {
	host := target.RegistryStr()
	if l, ok := c.registries[host]; ok {
		return l, nil
	}
	p, ok := c.paces[host]
	if !ok {
		p = pace{limiter: newLimiter(host, access.Rate, c.overall), breaker: &breaker{}, tally: newTally()}
		c.paces[host] = p
	}
	e := &endpoint{
		host: host, plain: access.PlainHTTP, timeout: c.options.Timeout, pauses: c.pauses, now: c.now,
		inner:   newWire(host, access, c.options.Timeout, c.options.Logger),
		limiter: p.limiter,
		breaker: p.breaker,
		tally:   p.tally,
		quota:   quota{freeHeads: canonicalHost(host) == "docker.io"},
	}
	l, err := newLogins(target, access, e, c.options.UserAgent)
	if err != nil {
		return nil, fmt.Errorf("prepare the login at %s: %w", host, err)
	}
	c.registries[host] = l
	return l, nil
}

// canonicalHost is a host as Access and references are compared: host names
// know no case, and Docker Hub has an old name that config files still use.
func canonicalHost(host string) string {
	host = strings.ToLower(host)
	if host == "index.docker.io" {
		return "docker.io"
	}
	return host
}
