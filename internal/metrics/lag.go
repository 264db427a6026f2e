package metrics

import (
	"sync"
	"time"
)

// lagMinute is how long the largest lag of a host is shown at least, and half as
// long as it is at most: long enough that no usual scrape misses it.
const lagMinute = time.Minute

// lags are the largest of the last moments, by host.
type lags struct {
	mu sync.Mutex
	of map[string]*lag
}

// lag is the largest of this minute and of the one before.
type lag struct {
	minute       time.Time
	this, before time.Duration
}

func newLags() *lags { return &lags{of: make(map[string]*lag)} }

func (l *lags) note(host string, by time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.of[host]
	if of == nil {
		of = &lag{minute: now}
		l.of[host] = of
	}
	of.turn(now)
	of.this = max(of.this, by)
}

// turn begins a new minute where the last one is over.
func (l *lag) turn(now time.Time) {
	switch since := now.Sub(l.minute); {
	case since >= 2*lagMinute:
		*l = lag{minute: now}
	case since >= lagMinute:
		*l = lag{minute: l.minute.Add(lagMinute), before: l.this}
	}
}

// largest gives the largest lag of each host of which one was noted.
func (l *lags) largest(now time.Time) map[string]time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]time.Duration, len(l.of))
	for host, of := range l.of {
		of.turn(now)
		all[host] = max(of.this, of.before)
	}
	return all
}

// keep forgets other hosts.
func (l *lags) keep(hosts []string) {
	known := setOf(hosts)
	l.mu.Lock()
	defer l.mu.Unlock()
	for host := range l.of {
		if !known[host] {
			delete(l.of, host)
		}
	}
}
