package notify

import (
	"context"
	"sync"
	"time"
)

// RouteStats is a route in numbers.
type RouteStats struct {
	Name    string
	Waiting int       // messages that are to be sent, as counted last
	Oldest  time.Time // since when the first of them is; zero: there is none
	// Delivered and Failed count tries since the start.
	Delivered, Failed int64
}

// stats counts, under a lock of its own: who asks waits for no outbox.
type stats struct {
	mu     sync.Mutex
	routes []string
	all    map[string]RouteStats
}

func newStats() *stats { return &stats{all: make(map[string]RouteStats)} }

// use makes these the routes, in this order.
func (s *stats) use(routes []route) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes = nil
	for _, r := range routes {
		s.routes = append(s.routes, r.Name)
	}
}

// change changes the numbers of a route.
func (s *stats) change(route string, by func(*RouteStats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.all[route]
	by(&now)
	s.all[route] = now
}

// Stats gives the routes in the order of the configuration. It asks nobody.
func (n *Notifier) Stats() []RouteStats {
	n.stats.mu.Lock()
	defer n.stats.mu.Unlock()
	all := make([]RouteStats, 0, len(n.stats.routes))
	for _, name := range n.stats.routes {
		s := n.stats.all[name]
		s.Name = name
		all = append(all, s)
	}
	return all
}

// tried counts a try to send by a route.
func (n *Notifier) tried(route string, err error) {
	n.stats.change(route, func(s *RouteStats) {
		if err == nil {
			s.Delivered++
		} else {
			s.Failed++
		}
	})
}

// count counts what a route is to send.
func (n *Notifier) count(ctx context.Context, route string) {
	waiting, oldest, err := n.opts.Outbox.Backlog(ctx, route)
	if err != nil {
		n.report(ctx, err)
		return
	}
	n.stats.change(route, func(s *RouteStats) { s.Waiting, s.Oldest = waiting, oldest })
}
