// Package notify turns events into messages and delivers them: to Slack, by
// e-mail, and as signed JSON.
//
// The outbox makes it durable. The domain writes events in the transaction of
// what they tell; one goroutine routes them, which replaces them by messages in
// one transaction; one goroutine for each route delivers its messages and notes
// that it did. A message is sent twice only where the process ended between the
// sending and the noting; its id, and those of its events, are in it.
package notify

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// Options is what a Notifier is made of.
type Options struct {
	Outbox Outbox
	// Noticed gives a token when there are events; nil: the outbox is asked from
	// time to time.
	Noticed <-chan struct{}
	Setup
	Logger *slog.Logger
}

// Setup is what can change while a Notifier runs.
type Setup struct {
	Routes []Route
	// Page gives the address at which people read the log of a run; nil: there
	// are no links.
	Page func(run string) string
	// Sign gives the query by which whoever has a link may read the log of a run;
	// nil: links have none, and ask for a token. It is asked when a message is
	// sent: what it gives is kept nowhere.
	Sign func(run string) string
}

// Notifier routes and delivers. Its methods may be called from any goroutine.
type Notifier struct {
	opts   Options
	stats  *stats
	wake   chan struct{} // holds one token: "route, and look at the routes"
	mu     sync.Mutex    // of what follows; held while the outbox is changed by routing
	routes []route
	page   func(run string) string
	sign   func(run string) string
	hurry  bool                            // what failed is to be tried again
	busy   map[string]bool                 // messages that are being sent, by id
	begun  map[string]map[string]time.Time // by what can be a crowd: when one of it had a message of its own last
}

// route is a Route that is in force.
type route struct {
	Route
	words *words
}

// New makes a Notifier. A template that can't be is problem.InvalidConfig.
func New(o Options) (*Notifier, error) {
	n := &Notifier{opts: o, wake: make(chan struct{}, 1), busy: make(map[string]bool), begun: make(map[string]map[string]time.Time), stats: newStats()}
	return n, n.Reconfigure(o.Setup)
}

// Reconfigure puts other routes into force. What is to be sent by one that is no
// more is dropped; what failed is tried again. After an error nothing is changed.
func (n *Notifier) Reconfigure(s Setup) error {
	var routes []route
	for _, r := range s.Routes {
		w, err := newWords(r.Title, r.Text)
		if err != nil {
			p := problem.From(err)
			return problem.New(p.Code, "notify "+r.Name+": "+p.Message, p.Mend)
		}
		routes = append(routes, route{Route: r, words: w})
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.routes, n.page, n.sign, n.hurry = routes, s.Page, s.Sign, true
	n.stats.use(routes)
	n.awake()
	return nil
}

func (n *Notifier) awake() {
	select {
	case n.wake <- struct{}{}:
	default: // it was woken already
	}
}

// Hurry tries again at once what failed.
func (n *Notifier) Hurry() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hurry = true
	n.awake()
}

// hurryMessages makes those that were tried in vain due now: of a route, or of all
// where it is empty. None is changed by routing meanwhile.
func (n *Notifier) hurryMessages(ctx context.Context, route string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.opts.Outbox.HurryMessages(ctx, route)
}

// find gives the route of a name.
func (n *Notifier) find(name string) (route, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.routes {
		if r.Name == name {
			return r, true
		}
	}
	return route{}, false
}

// The times of the work.
const (
	lookEvery   = time.Minute      // whether there are events that nobody told of
	tidyEvery   = 10 * time.Minute // what is old
	outboxPause = 5 * time.Second  // after the outbox failed
)

// Run routes and delivers until ctx ends. A message that is being sent then may
// finish for a moment.
func (n *Notifier) Run(ctx context.Context) error {
	workers := newWorkers(n)
	defer workers.stop()
	look, tidy := time.NewTicker(lookEvery), time.NewTicker(tidyEvery)
	defer look.Stop()
	defer tidy.Stop()
	n.awake()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
			n.renew(ctx, workers)
		case <-n.opts.Noticed:
		case <-look.C:
		case <-tidy.C:
			n.tidy(ctx)
			continue
		}
		n.routeAll(ctx, workers)
	}
}

// renew makes workers what the routes say.
func (n *Notifier) renew(ctx context.Context, w *workers) {
	n.mu.Lock()
	names, hurry := make([]string, 0, len(n.routes)), n.hurry
	for _, r := range n.routes {
		names = append(names, r.Name)
	}
	n.hurry = false
	n.mu.Unlock()
	w.use(names)
	err := n.opts.Outbox.DropOthers(ctx, names, "its route was removed from the configuration")
	if err == nil && hurry {
		err = n.hurryMessages(ctx, "")
	}
	n.report(ctx, err)
	if hurry {
		w.hurry()
	}
	n.tidy(ctx)
}

// report logs that the outbox failed.
func (n *Notifier) report(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		n.opts.Logger.Error("the outbox of notices failed; it is tried again", "error", err)
	}
}
