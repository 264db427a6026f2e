package app_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/app"
)

// listener is a manager that hears, and looks at the server when it is told to.
type listener struct {
	words chan string
	alive chan func(context.Context) error
}

func newListener() *listener {
	return &listener{words: make(chan string, 10), alive: make(chan func(context.Context) error, 1)}
}

func (l *listener) Ready(status string) { l.words <- "ready: " + status }
func (l *listener) Reloading()          { l.words <- "reloading" }
func (l *listener) Stopping()           { l.words <- "stopping" }

func (l *listener) Watch(ctx context.Context, alive func(context.Context) error) {
	l.alive <- alive
	<-ctx.Done()
}

func (l *listener) next(t *testing.T) string {
	t.Helper()
	select {
	case word := <-l.words:
		return word
	case <-time.After(time.Minute):
		t.Fatal("the manager hears nothing")
		return ""
	}
}

// managed starts an App with a manager, and gives what ends it.
func managed(t *testing.T, c *config.Config) (l *listener, a *app.App, end func()) {
	t.Helper()
	l = newListener()
	o, _ := options(c)
	o.Manager, o.Watcher = l, config.NewWatcher(c)
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return l, a, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestManager(t *testing.T) {
	t.Parallel()
	l, a, end := managed(t, load(t, ""))
	ready := "ready: test serves 0 hosts and 0 images at http://" + a.Addr().String()
	if diff := cmp.Diff(ready, l.next(t)); diff != "" {
		t.Errorf("at the start (-want +got):\n%s", diff)
	}
	a.Reload()
	if diff := cmp.Diff([]string{"reloading", ready}, []string{l.next(t), l.next(t)}); diff != "" {
		t.Errorf("at a reload (-want +got):\n%s", diff)
	}
	end()
	if got := l.next(t); got != "stopping" {
		t.Errorf("at the end: %s", got)
	}
}

// A host that is out of reach is no reason to restart the server; a state that
// does not answer is.
func TestAlive(t *testing.T) {
	t.Parallel()
	l, _, end := managed(t, load(t, "hosts: [{name: away, endpoint: 'tcp://192.0.2.1:2376', insecure: true}]\n"))
	l.next(t)
	alive := <-l.alive
	if err := alive(t.Context()); err != nil {
		t.Errorf("with a host that is away: %v", err)
	}
	end()
	if err := alive(t.Context()); err == nil || !strings.Contains(err.Error(), "ask the state") {
		t.Errorf("with a state that is closed: %v", err)
	}
}
