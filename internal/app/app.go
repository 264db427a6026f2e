// Package app puts Prewarm together: it translates the configuration into the
// options of each package, hands each the others it needs, and runs them until
// it is told to stop. Nothing else sees the whole configuration.
package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/forward"
	"github.com/prewarm/prewarm/internal/metrics"
	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/hints"
)

// Options is what an App is made of.
type Options struct {
	Config *config.Config
	// Watcher follows Config and loads it anew; nil where it can't change.
	Watcher *config.Watcher
	Version string
	// Manager started the program; nil: nobody wants to know how it is.
	Manager Manager
	Logger  *slog.Logger
}

// App is one running Prewarm. New makes it ready (state open, address taken),
// Run works until its context ends and gives everything back.
type App struct {
	opts       Options
	cleanup    []func() error // run in reverse
	listener   net.Listener
	config     atomic.Pointer[config.Config] // in force
	reload     chan struct{}                 // holds one token: "read the configuration again"
	reloads    *reloads
	metrics    *metrics.Metrics
	tell       func(context.Context, ...notice.Event) error // people, beside any other change
	registries *registry.Client
	engines    *engines
	warmer     *warmer.Warmer
	hints      *hints.Receiver
	runner     *runner.Runner
	notifier   *notify.Notifier
	server     *server.Server
	backups    *backups

	state        *store.Store
	keys         *access.Keyring
	links        *access.Links
	certificates *server.Certificates // nil: plain HTTP
}

// New opens the state and takes the address, so that what can be refused is
// refused here. After an error nothing is left open.
func New(ctx context.Context, o Options) (*App, error) {
	if o.Manager == nil {
		o.Manager = unmanaged{}
	}
	a := &App{opts: o, reload: make(chan struct{}, 1), reloads: newReloads()}
	a.config.Store(o.Config)
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// build is one straight function on purpose: it is the list of what there is
// and of who gets whom.
func (a *App) build(ctx context.Context) error {
	c, log := a.opts.Config, a.opts.Logger
	state, err := store.Open(ctx, c.State.Path)
	if err != nil {
		return err
	}
	a.state = state
	a.tell = state.Tell
	a.onStop(state.Close)
	if err := a.buildAccess(ctx, c, state); err != nil {
		return err
	}
	if a.listener, err = listen(ctx, c.Server.Listen); err != nil {
		return err
	}
	a.onStop(func() error { return ignoreClosed(a.listener.Close()) })

	a.metrics = metrics.New(a.opts.Version)
	a.metrics.Use(labels(c))
	a.registries = registry.New(a.registryOptions(c))
	a.onStop(func() error { a.registries.Close(); return nil })
	a.engines = newEngines(state.Instance(), a.registries, a.mirror, log)
	a.onStop(func() error { a.engines.close(); return nil })
	if err := a.engines.use(c.Hosts); err != nil {
		return err
	}
	a.warmer = warmer.New(warmer.Options{
		Setup: setup(c, a.engines), Registry: a.registries, Store: state, Ledger: state, Verifier: verifier{}, Needs: a.needs, Quota: a.registries.Quota,
		Measures: a.metrics, Logger: log,
	})
	a.hints = hints.New(hints.Options{Setup: a.hintSetup(c), Images: looks{a.warmer}, Store: state, Logger: log})
	if err := a.buildRunner(ctx, c, state); err != nil {
		return err
	}
	a.metrics.Watch(a.measured())
	told, err := a.notifySetup(c)
	if err != nil {
		return err
	}
	a.notifier, err = notify.New(notify.Options{Outbox: state, Noticed: state.Noticed(), Setup: told, Logger: log})
	if err != nil {
		return err
	}
	a.server = server.New(server.Options{
		Images: a.warmer, Runs: a.runner, Registry: a.registries, Webhooks: a.hints, Notices: notices{a.notifier, state}, Reloads: a.reloads.status,
		Version: a.opts.Version, Logger: log,
		Access: a.keys, Audit: state, Links: a.links, Certificates: a.certificates, Metrics: a.metrics.Handler(), Backups: a.backups, Setup: a.serverSetup(c),
	})
	if err := a.warmer.Load(ctx); err != nil {
		return err
	}
	return a.runner.Recover(ctx)
}

// buildRunner makes what executes runs, and what it writes with.
func (a *App) buildRunner(ctx context.Context, c *config.Config, state *store.Store) error {
	log := a.opts.Logger
	logs, err := spool.New(spool.Options{Dir: filepath.Join(c.State.Path, logsFolder)})
	if err != nil {
		return err
	}
	a.backups, err = newBackups(ctx, c.State.Path, state, logs, a.opts.Version)
	if err != nil {
		return err
	}
	secrets, err := sealer(c.Runner)
	if err != nil {
		return err
	}
	o := runner.Options{
		Setup: runnerSetup(c, a.engines), Images: warmth{a.warmer}, Store: state, Spool: logs, Sealer: secrets, ReadFile: readSecretFile,
		Measures: a.metrics, Logger: log,
	}
	if len(c.Runner.Forward) > 0 {
		lines, err := forward.New(forwardTargets(c.Runner), log)
		if err != nil {
			return err
		}
		a.onStop(func() error { return lines.Close(context.Background()) })
		o.Forward = lines
	}
	a.runner = runner.New(o)
	return nil
}

// Addr is the address that the API listens on.
func (a *App) Addr() net.Addr { return a.listener.Addr() }

// Run works until ctx ends or something fails, then stops in order and gives
// everything back. It returns nil after an orderly end.
func (a *App) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.warmer.Run(ctx) })
	group.Go(func() error { return a.hints.Run(ctx) })
	group.Go(func() error { return a.runner.Run(ctx) })
	group.Go(func() error { return a.notifier.Run(ctx) })
	group.Go(func() error { return a.server.Serve(ctx, a.listener) })
	group.Go(func() error { a.keepWatching(ctx); return nil })
	group.Go(func() error { a.keepHouse(ctx); return nil })
	group.Go(func() error { a.report(ctx); return nil })
	c := a.config.Load()
	a.opts.Logger.Info("prewarm serves", "address", a.scheme()+a.Addr().String(), "version", a.opts.Version,
		"hosts", len(c.Hosts), "images", len(c.Images), "state", c.State.Path)
	return errors.Join(group.Wait(), a.close())
}

func (a *App) onStop(fn func() error) { a.cleanup = append(a.cleanup, fn) }

func (a *App) close() error {
	var errs []error
	for i := len(a.cleanup) - 1; i >= 0; i-- {
		errs = append(errs, a.cleanup[i]())
	}
	a.cleanup = nil
	return errors.Join(errs...)
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err == nil {
		return l, nil
	}
	mend := "correct server.listen in the configuration"
	if errors.Is(err, syscall.EADDRINUSE) {
		mend = "stop what listens there (another prewarm serve?), or set server.listen to a free port"
	}
	return nil, problem.Wrap(problem.ListenFailed, err, "listen on "+address, mend)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
