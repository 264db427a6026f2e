package app

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/internal/store"
)

// buildAccess makes what says who may come in, and what they are answered with.
func (a *App) buildAccess(ctx context.Context, c *config.Config, state *store.Store) (err error) {
	if a.keys, err = access.NewKeyring(ctx, state, accessSetup(c.Auth)); err != nil {
		return err
	}
	a.onStop(func() error { return a.keys.Flush(context.WithoutCancel(ctx)) })
	if a.links, err = access.OpenLinks(filepath.Join(c.State.Path, "link.key")); err != nil {
		return err
	}
	if c.Server.TLS != nil {
		a.certificates, err = server.LoadCertificates(certificateFiles(*c.Server.TLS))
	}
	return err
}

// accessSetup is who the configuration lets in.
func accessSetup(auth config.Auth) access.Setup {
	var s access.Setup
	for _, t := range auth.Tokens {
		s.Tokens = append(s.Tokens, access.Token{Name: t.Name, Hash: access.HashOf(t.Value.Reveal()), Grant: grantOf(t.Grant), Expires: t.Expires})
	}
	for _, c := range auth.Certificates {
		s.Certificates = append(s.Certificates, access.Caller{Name: c.Name, Grant: grantOf(c.Grant)})
	}
	return s
}

func grantOf(g config.Grant) access.Grant {
	grant := access.Grant{Namespace: g.Namespace, Images: g.Images, Meta: g.Meta, Policy: (*access.Policy)(g.Policy)}
	for _, s := range g.Scopes {
		grant.Scopes = append(grant.Scopes, access.Scope(s))
	}
	return grant
}

func certificateFiles(t config.ServerTLS) server.CertificateFiles {
	return server.CertificateFiles{Cert: t.Cert, Key: t.Key, ClientCA: t.ClientCA}
}

// serverSetup is what the server takes of a changed configuration.
func (a *App) serverSetup(c *config.Config) server.Setup {
	s := server.Setup{
		Rate: c.Server.Limits.Rate, Followers: c.Server.Limits.Followers, Links: c.Server.LinkLife > 0, LogLink: a.logLink(c.Server),
		Hosts: make(map[string]server.HostSetup, len(c.Hosts)),
	}
	if public, err := url.Parse(c.Server.PublicURL); err == nil {
		s.PublicHost = public.Hostname()
	}
	for _, h := range c.Hosts {
		s.Hosts[h.Name] = server.HostSetup{Endpoint: h.Endpoint, Aliases: h.Aliases, Labels: h.Labels, Binds: h.Binds}
	}
	return s
}

// renewAccess takes from a configuration who may come in, and what they are
// answered with.
func (a *App) renewAccess(next *config.Config) {
	empty := a.keys.Empty()
	a.keys.Reconfigure(accessSetup(next.Auth))
	if !empty && a.keys.Empty() {
		a.opts.Logger.Warn("the last token was taken out of the configuration: nobody can come in until there is one in auth.tokens again; " +
			"after the next start without one, everybody on this machine may do everything")
	}
	a.server.Reconfigure(a.serverSetup(next))
	a.renewCertificates(next.Server)
}

// renewCertificates reads the files of the certificates again: they change while
// the configuration that names them does not. What can't be read leaves those in
// force.
func (a *App) renewCertificates(c config.Server) {
	if a.certificates == nil || c.TLS == nil {
		return
	}
	if err := a.certificates.Reload(certificateFiles(*c.TLS)); err != nil {
		a.opts.Logger.Error("the API's certificates could not be read again; those before stay in force", "error", err)
	}
}

// sameListener tells whether a changed configuration leaves what was decided when
// the server began to listen.
func sameListener(a, b config.Server) bool {
	return a.Listen == b.Listen && a.Insecure == b.Insecure && (a.TLS == nil) == (b.TLS == nil)
}

const (
	// flushEvery is how often the use of tokens is written down.
	flushEvery = time.Minute
	// mostCalls bounds the audit log, of each caller.
	mostCalls   = 100_000
	forgetEvery = time.Hour
)

// keepHouse writes down when tokens were used, and forgets what has been
// remembered long enough.
func (a *App) keepHouse(ctx context.Context) {
	flush, forget := time.NewTicker(flushEvery), time.NewTicker(forgetEvery)
	defer flush.Stop()
	defer forget.Stop()
	a.forget(ctx, time.Now())
	for {
		select {
		case <-ctx.Done():
			return
		case <-flush.C:
			if err := a.keys.Flush(ctx); err != nil && ctx.Err() == nil {
				a.opts.Logger.Warn("the use of tokens was not written down; trying again", "error", err)
			}
		case now := <-forget.C:
			a.forget(ctx, now)
		}
	}
}

func (a *App) forget(ctx context.Context, now time.Time) {
	before := now.Add(-a.config.Load().State.Keep)
	err := errors.Join(a.state.TrimCalls(ctx, before, mostCalls), a.state.Forget(ctx, before))
	if err != nil && ctx.Err() == nil {
		a.opts.Logger.Warn("what is old was not forgotten; trying again", "error", err)
	}
}

// scheme is that of the API's address.
func (a *App) scheme() string {
	if a.certificates != nil {
		return "https://"
	}
	return "http://"
}
