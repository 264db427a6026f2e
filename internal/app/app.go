// Package app puts Prewarm together: it translates the configuration into the
// options of each package, hands each the others it needs, and runs them until
// it is told to stop. Nothing else sees the whole configuration.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/docker"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/schedule"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// Options is what an App is made of.
type Options struct {
	Config  *config.Config
	Version string
	Logger  *slog.Logger
}

// App is one running Prewarm. New makes it ready (state open, address taken),
// Run works until its context ends and gives everything back.
type App struct {
	opts     Options
	cleanup  []func() error // run in reverse
	listener net.Listener
	warmer   *warmer.Warmer
	runner   *runner.Runner
	server   *server.Server
}

// New opens the state and takes the address, so that what can be refused is
// refused here. After an error nothing is left open.
func New(ctx context.Context, o Options) (*App, error) {
	a := &App{opts: o}
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
	a.onStop(state.Close)
	if a.listener, err = listen(ctx, c.Server.Listen); err != nil {
		return err
	}
	a.onStop(func() error { return ignoreClosed(a.listener.Close()) })

	registries := registry.New(registryOptions(c, a.opts.Version))
	a.onStop(func() error { registries.Close(); return nil })
	hosts, err := a.engines(c, state.Instance(), registries)
	if err != nil {
		return err
	}
	a.warmer = warmer.New(warmer.Options{
		Tracks: tracks(c), Hosts: warmerHosts(c, hosts), Registry: registries, Store: state, Logger: log,
	})
	a.runner = runner.New(runner.Options{
		Hosts: runnerHosts(c, hosts), Images: a.warmer, Store: state, LogDir: filepath.Join(c.State.Path, "logs"), Logger: log,
	})
	a.server = server.New(server.Options{Images: a.warmer, Runs: a.runner, Version: a.opts.Version, Logger: log})
	if err := a.warmer.Load(ctx); err != nil {
		return err
	}
	return a.runner.Recover(ctx)
}

// engines makes a client for each host. None is dialled yet.
func (a *App) engines(c *config.Config, instance string, registries *registry.Client) (map[string]*docker.Host, error) {
	hosts := make(map[string]*docker.Host, len(c.Hosts))
	for _, h := range c.Hosts {
		engine, err := docker.New(docker.Options{
			Name: h.Name, Instance: instance, Endpoint: h.Endpoint, Insecure: h.Insecure,
			Credentials: registries.Credentials, Logger: a.opts.Logger,
		})
		if err != nil {
			return nil, fmt.Errorf("host %s: %w", h.Name, err)
		}
		a.onStop(func() error { engine.Close(); return nil })
		hosts[h.Name] = engine
	}
	return hosts, nil
}

// Addr is the address that the API listens on.
func (a *App) Addr() net.Addr { return a.listener.Addr() }

// Run works until ctx ends or something fails, then stops in order and gives
// everything back. It returns nil after an orderly end.
func (a *App) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.warmer.Run(ctx) })
	group.Go(func() error { return a.runner.Run(ctx) })
	group.Go(func() error { return a.server.Serve(ctx, a.listener) })
	for _, image := range a.opts.Config.Images {
		group.Go(func() error {
			a.watch(ctx, image)
			return nil
		})
	}
	a.opts.Logger.Info("prewarm serves", "address", "http://"+a.Addr().String(), "version", a.opts.Version,
		"hosts", len(a.opts.Config.Hosts), "images", len(a.opts.Config.Images), "state", a.opts.Config.State.Path)
	return errors.Join(group.Wait(), a.close())
}

// watchJitter spreads the looks at tags by a tenth of their interval.
const watchJitter = 0.1

// watch looks at an image's tags now and then by its schedule.
func (a *App) watch(ctx context.Context, image config.Image) {
	for wait := firstRetry; !a.look(ctx, image.Name) && ctx.Err() == nil; wait = min(2*wait, maxRetry) {
		// The next firing may be a day away, and a digest has none at all.
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	schedule.Loop(ctx, image.Watch, watchJitter, func(ctx context.Context) { a.look(ctx, image.Name) })
}

// The first look at a tag is tried again until it succeeds once: after
// firstRetry, then after twice as long, up to maxRetry.
const (
	firstRetry = time.Second
	maxRetry   = 5 * time.Minute
)

// look tells whether an image's tags could be looked at.
func (a *App) look(ctx context.Context, image string) bool {
	_, err := a.warmer.Check(ctx, image)
	if err != nil && ctx.Err() == nil {
		a.opts.Logger.Warn("tag not looked at; what is current stays", "image", image, "error", err)
	}
	return err == nil
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
