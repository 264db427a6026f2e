package app

import (
	"context"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/notice"
)

// Reload asks for the configuration to be read again. It never blocks; what
// comes of it is logged.
func (a *App) Reload() {
	select {
	case a.reload <- struct{}{}:
	default: // a reload is owed already
	}
}

// keepWatching looks at tags, and puts a changed configuration into force, until
// ctx ends.
func (a *App) keepWatching(ctx context.Context) {
	loops := &watchers{app: a, running: make(map[string]watcher)}
	defer loops.end()
	loops.use(ctx, a.config.Load().Images)
	passes := &pruner{app: a}
	passes.use(ctx, loops, a.config.Load().Prune)
	if a.opts.Watcher != nil {
		loops.started.Go(func() {
			a.opts.Watcher.Run(ctx, a.Reload, func(err error) {
				a.opts.Logger.Warn("changes of the configuration are noticed late", "error", err)
			})
		})
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.reload:
			a.opts.Manager.Reloading()
			if a.renew(ctx) {
				loops.use(ctx, a.config.Load().Images)
				passes.use(ctx, loops, a.config.Load().Prune)
			}
			a.opts.Manager.Ready(a.summary())
		}
	}
}

// renew reads the configuration and puts it into force. One that is refused
// changes nothing.
func (a *App) renew(ctx context.Context) bool {
	log := a.opts.Logger
	if a.opts.Watcher == nil {
		return false
	}
	next, err := a.opts.Watcher.Load()
	if err != nil {
		a.refuse(ctx, err)
		return false
	}
	now := a.config.Load()
	changes := config.Diff(now, next)
	if len(changes) == 0 {
		a.renewAccess(next)
		a.notifier.Hurry()
		a.reloads.took(false)
		log.Info("configuration read again; nothing changed")
		return false
	}
	if !sameListener(next.Server, now.Server) || next.State != now.State {
		log.Warn("server.listen, server.insecure, whether there is TLS, and state of the configuration take effect at the next start")
	}
	if next.Runner.SecretKey != now.Runner.SecretKey || !slices.Equal(next.Runner.Forward, now.Runner.Forward) {
		log.Warn("runner.secret_key_file and runner.forward of the configuration take effect at the next start")
	}
	// What can be refused comes first.
	told, err := a.notifySetup(next)
	if err == nil {
		err = a.engines.use(next.Hosts)
	}
	if err == nil {
		err = a.notifier.Reconfigure(told)
	}
	if err != nil {
		a.refuse(ctx, err)
		return false
	}
	a.config.Store(next)
	a.registries.Reconfigure(a.registryOptions(next))
	a.warmer.Reconfigure(setup(next, a.engines))
	a.hints.Use(a.hintSetup(next))
	a.runner.Reconfigure(runnerSetup(next, a.engines))
	a.metrics.Use(labels(next))
	a.renewAccess(next)
	a.reloads.took(true)
	for _, change := range changes {
		log.Info("configuration changed", "what", change)
	}
	return true
}

// refuse tells that a changed configuration does not come into force: people
// once, however often the same is read again.
func (a *App) refuse(ctx context.Context, err error) {
	log := a.opts.Logger
	log.Error("changed configuration refused; the one before stays in force", "error", err)
	if !a.reloads.refused(err) {
		return
	}
	e := notice.New(notice.ConfigRefused)
	e.Detail = strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
	e.Mend = "correct it, and look at it with prewarm config check; the configuration before stays in force"
	if err := a.tell(ctx, e); err != nil {
		log.Error("that the configuration was refused is told to nobody", "error", err)
	}
}
