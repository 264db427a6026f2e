package registry

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

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
}

// Options is what a Client is made from. The zero Options reach every registry
// over https with the logins of the Docker config file.
type Options struct {
	Access    []Access
	UserAgent string        // before the library's own: prewarm/1.0
	Timeout   time.Duration // of one request, its body included; default 10 s
}

// Client asks registries. It is safe for use by many goroutines, keeps its
// connections and logins between calls, and is to be closed.
//
// Calls that concern one repository go one after the other: the first of them
// logs in for all, and when a token has expired one call renews it where a
// hundred at once would each fetch their own. Repositories don't wait for each
// other.
type Client struct {
	access    map[string]Access // by canonicalHost
	keychain  authn.Keychain
	helper    chan struct{} // held while a credential helper runs
	userAgent string
	timeout   time.Duration
	pauses    []time.Duration // before the second, the third … attempt
	now       func() time.Time

	mu        sync.Mutex
	endpoints map[string]*endpoint // by host
	sessions  map[Repository]*session
}

// New makes a Client. It does no I/O.
func New(o Options) *Client {
	c := &Client{
		access:    make(map[string]Access, len(o.Access)),
		keychain:  authn.DefaultKeychain,
		helper:    make(chan struct{}, 1),
		userAgent: o.UserAgent,
		timeout:   o.Timeout,
		pauses:    []time.Duration{500 * time.Millisecond, 2 * time.Second},
		now:       time.Now,
		endpoints: make(map[string]*endpoint),
		sessions:  make(map[Repository]*session),
	}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	for _, a := range o.Access {
		c.access[canonicalHost(a.Name)] = a
	}
	return c
}

// Close drops the idle connections. Calls still under way end by themselves.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.endpoints {
		e.close()
	}
}

// Resolve asks the registry which digest a tag has now. In the steady state
// that is one HEAD request; the first call of a repository, and one call an
// hour, log in before. A registry that answers HEAD without a digest is asked
// by GET instead.
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
// alone names its platform.
func (c *Client) Manifest(ctx context.Context, pin Pin, platforms []Platform) (Manifest, error) {
	if pin.repo.IsZero() || pin.digest == "" {
		return Manifest{}, problem.New(problem.InvalidRequest, "read a manifest: no pin given", "")
	}
	m := Manifest{Pin: pin}
	err := c.call(ctx, pin.repo, "read "+pin.String(), func(ctx context.Context, s *session) (err error) {
		m.Children, err = s.describe(ctx, pin.digest, platforms)
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
	ctx, t := withTrail(ctx)
	if err := s.do(ctx, op); err != nil {
		return failure{what: what, session: s, trail: t, cancelled: ctx.Err()}.explain(err)
	}
	return nil
}

// session gives the one session of a repository.
func (c *Client) session(repo Repository) (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.sessions[repo]; ok {
		return s, nil
	}
	target, err := c.target(repo)
	if err != nil {
		return nil, problem.New(problem.InvalidRequest, err.Error(), "")
	}
	host := target.RegistryStr()
	if c.endpoints[host] == nil {
		c.endpoints[host] = newEndpoint(host, c.plain(repo), c.timeout, c.pauses)
	}
	s := &session{client: c, repo: repo, target: target, endpoint: c.endpoints[host], turn: make(chan struct{}, 1)}
	c.sessions[repo] = s
	return s, nil
}

func (c *Client) plain(repo Repository) bool {
	a, ok := c.access[canonicalHost(repo.Host())]
	return ok && a.PlainHTTP
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
