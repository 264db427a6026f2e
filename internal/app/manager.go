package app

import (
	"context"
	"fmt"
	"time"
)

// Manager is who started the program and wants to know how it is.
type Manager interface {
	// Ready tells that the server works, or works on after Reloading.
	Ready(status string)
	Reloading()
	Stopping()
	// Watch looks at the server by alive until ctx ends.
	Watch(ctx context.Context, alive func(context.Context) error)
}

// unmanaged is for a program that nobody manages.
type unmanaged struct{}

func (unmanaged) Ready(string)                                       {}
func (unmanaged) Reloading()                                         {}
func (unmanaged) Stopping()                                          {}
func (unmanaged) Watch(context.Context, func(context.Context) error) {}

// report tells the manager that the server is ready, once it answers itself, and
// lives, until ctx ends.
func (a *App) report(ctx context.Context) {
	m := a.opts.Manager
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := a.alive(ctx)
		if err == nil {
			break
		}
		if ctx.Err() == nil {
			a.opts.Logger.Warn("the server does not answer itself yet", "error", err)
		}
		select {
		case <-ctx.Done():
			m.Stopping()
			return
		case <-time.After(wait):
		}
	}
	m.Ready(a.summary())
	m.Watch(ctx, a.alive)
	<-ctx.Done()
	m.Stopping()
}

// alive tells whether the server itself works: its state answers, nobody holds
// what the domain shares, and the API answers a caller. It asks no host and no
// registry: they may be slow, or gone, and a restart would not mend that.
func (a *App) alive(ctx context.Context) error {
	if err := a.state.Alive(ctx); err != nil {
		return err
	}
	a.warmer.Hosts()
	a.runner.Hosts()
	return a.server.Alive(ctx, a.Addr())
}

// summary is the server in a line.
func (a *App) summary() string {
	c := a.config.Load()
	text := fmt.Sprintf("%s serves %d hosts and %d images at %s%s", a.opts.Version, len(c.Hosts), len(c.Images), a.scheme(), a.Addr())
	if told := a.reloads.status(); told.Err != "" {
		text += "; the changed configuration is refused: " + told.Err
	}
	return text
}
