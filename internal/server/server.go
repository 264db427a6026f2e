// Package server is the HTTP API: it reads requests, asks the domain, and
// writes answers and problems in the shapes of package api. The OpenAPI document
// is made from the same code that serves, at /openapi.json and /openapi.yaml.
//
// Whatever goes wrong is answered by a problem with a code, also where net/http
// or huma refuse a request by themselves.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// Images is what the API needs of the warmer.
type Images interface {
	Check(ctx context.Context, image string) ([]warmer.Checked, error)
	Rewarm(image string, hosts []string) (registry.Pin, error)
	Images() []warmer.ImageStatus
	Image(name string) (warmer.ImageStatus, error)
	Hosts() []warmer.HostStatus
	Events(ctx context.Context, after int64, follow bool, fn func(warmer.Event) error) error
	Acts
	Pruning
}

// Acts is what people can do to images and to the warmer, who being who they
// say they are.
type Acts interface {
	Approve(ctx context.Context, name, digest, who string) (warmer.Rollout, error)
	Rollback(ctx context.Context, name, digest, who string) (warmer.Rollout, error)
	Hold(ctx context.Context, image, who string) error
	Unhold(ctx context.Context, image, who string) error
	History(ctx context.Context, image string, limit int) ([]warmer.Rollout, []warmer.Act, error)
	Pause(ctx context.Context, what warmer.Activity, host, who string) error
	Resume(ctx context.Context, what warmer.Activity, host, who string) error
	Pauses() []warmer.Pause
}

// Pruning is what can be told and asked of what is on the hosts.
type Pruning interface {
	// Prune returns once its passes have ended.
	Prune(ctx context.Context, ask warmer.PruneAsk) ([]warmer.Pass, error)
	// Passes gives the newest first; an empty host means all.
	Passes(ctx context.Context, host string, limit int) ([]warmer.Pass, error)
	Stock(ctx context.Context, host string) (warmer.Stock, error)
	Explain(ctx context.Context, host, image string) (warmer.Explanation, error)
}

// Registry is what the API needs of the registries.
type Registry interface {
	// Describe reads the image that a host of a platform runs.
	Describe(ctx context.Context, pin registry.Pin, platform registry.Platform) (registry.Image, error)
}

// Runs is what the API needs of the runner.
type Runs interface {
	// Submit answers a run that is on disk.
	Submit(ctx context.Context, ask runner.Ask) (runner.Answer, error)
	// Check tells what would become of a submit, and leaves nothing behind.
	Check(ctx context.Context, ask runner.Ask) (runner.Checked, error)
	// Get gives a run, and renews its keepalive.
	Get(ctx context.Context, id string) (runner.Run, error)
	// List gives the newest runs first.
	List(ctx context.Context, f runner.Filter) ([]runner.Run, error)
	// Look gives a run, and renews nothing.
	Look(ctx context.Context, id string) (runner.Run, error)
	// Namespace tells where a run belongs, and renews nothing.
	Namespace(ctx context.Context, id string) (string, error)
	// Wait gives a run once it has ended, or as it is when ctx ends. It renews
	// its keepalive.
	Wait(ctx context.Context, id string) (runner.Run, error)
	// Cancel returns once the wish is on disk.
	Cancel(ctx context.Context, id string) (runner.Run, error)
	// Withdraw is Cancel for one call, unless another has joined the run since.
	Withdraw(ctx context.Context, id, word string) (runner.Run, error)
	Reject(ctx context.Context, id string) (runner.Run, error)
	Release(ctx context.Context, id string) (runner.Run, error)
	// CopyLog passes the log behind after as whole lines of JSON (api.LogLine),
	// many in a chunk, which is valid until w returns. While it follows it renews
	// the run's keepalive.
	CopyLog(ctx context.Context, id string, after int64, follow bool, w func(chunk []byte) error) error
	// Hosts tells by name what runs take of the hosts.
	Hosts() map[string]runner.HostUse
	Scopes
}

// Scopes are the pin scopes.
type Scopes interface {
	// Scopes gives the last used first; an empty namespace means all.
	Scopes(namespace string) []runner.Scope
	Scope(namespace, name string) (runner.Scope, error)
	EndScope(ctx context.Context, namespace, name string) (runner.Scope, error)
	// Repin moves an image of a scope to its current digest, if its name is one of
	// the patterns allowed; none: all are.
	Repin(ctx context.Context, namespace, scope, image string, allowed []string) (old, new registry.Pin, s runner.Scope, err error)
}

// Options is what a Server is made of.
type Options struct {
	Images   Images
	Runs     Runs
	Registry Registry
	Webhooks Webhooks
	Notices  Notices // nil: nobody is told
	// Reloads tells of the configuration; nil where it can't change.
	Reloads func() Reloads
	// Access says who may come in; nil: everybody on this machine, and there can
	// be no tokens.
	Access  Access
	Audit   Audit   // nil: there is none
	Links   Links   // nil: no link opens a log
	Backups Backups // nil: none are made
	// Certificates make it TLS; nil: plain HTTP.
	Certificates *Certificates
	// Metrics answers scrapes; nil: there is nothing to scrape.
	Metrics http.Handler
	Setup   Setup
	Version string
	Logger  *slog.Logger
}

// Server answers the API.
type Server struct {
	opts Options
	http http.Server
	api  huma.API

	setup     atomic.Pointer[Setup]
	beyond    atomic.Bool // others than this machine reach the listener
	rates     rates
	stops     rates // of cancels and rejects
	followers followers
	strikes   strikes
	endings   endings
	bodies    bodies
}

// New makes a Server. It does not listen yet.
func New(o Options) *Server {
	setGlobals()
	if o.Reloads == nil {
		began := time.Now()
		o.Reloads = func() Reloads { return Reloads{Since: began} }
	}
	if o.Access == nil {
		o.Access = unlocked{}
	}
	if o.Notices == nil {
		o.Notices = noNotices{}
	}
	mux := http.NewServeMux()
	s := &Server{opts: o, api: humago.New(mux, apiConfig())}
	s.Reconfigure(o.Setup)
	s.enumerateCodes()
	s.routes()
	s.openAnswers()
	s.serveDocument(mux)
	s.serveMetrics(mux)
	s.servePages(mux)
	mux.HandleFunc("/", noRoute(mux))
	s.http = http.Server{
		Handler: s.guard(onlyClean(mux)),
		// No write timeout: logs are followed for hours.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
	}
	return s
}

// Reconfigure exchanges what a reload may change.
func (s *Server) Reconfigure(setup Setup) { s.setup.Store(setup.complete()) }

// Serve answers requests on l until ctx ends, then lets those under way finish
// for a moment. It returns nil after an orderly end.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ended := make(chan error, 1)
	defer s.endings.started.Wait()
	s.beyond.Store(!isLoopback(l.Addr()))
	if s.beyond.Load() && s.opts.Access.Open() {
		s.opts.Logger.Warn("nobody can come in: the server listens beyond the loopback, and there are neither tokens nor client certificates; "+
			"add one with the scope admin to auth.tokens of the configuration, which is read again by itself", "address", l.Addr().String())
	}
	go func() { ended <- s.answer(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	return errors.Join(s.shutdown(), ignoreClosed(<-ended))
}

func (s *Server) answer(l net.Listener) error {
	if s.opts.Certificates == nil {
		return s.http.Serve(l)
	}
	s.http.TLSConfig = s.opts.Certificates.config()
	return s.http.ServeTLS(l, "", "")
}

// drain is how long requests under way may take to finish once we stop.
const drain = 3 * time.Second

func (s *Server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close() // those who follow a log are told by a broken stream
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
