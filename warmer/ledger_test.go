package warmer_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/prune"
)

// ledger is one in memory, over the rollouts of a store in memory.
type ledger struct {
	store *memory

	mu      sync.Mutex
	leases  map[registry.Pin][]prune.Claim
	intents map[string]map[registry.Pin]bool // by host: those under way
	ended   map[registry.Pin]time.Time       // when a removal of it ended last
	given   map[string]map[registry.Pin]bool
	uses    map[string][]warmer.Use
	passes  []warmer.Pass // in the order of their ends
	runs    map[string]map[registry.Pin]time.Time
	err     error // what each call fails with
}

func newLedger(store *memory) *ledger {
	return &ledger{
		store: store, leases: make(map[registry.Pin][]prune.Claim), intents: make(map[string]map[registry.Pin]bool),
		ended: make(map[registry.Pin]time.Time), given: make(map[string]map[registry.Pin]bool), uses: make(map[string][]warmer.Use), runs: make(map[string]map[registry.Pin]time.Time),
	}
}

// lease lets a run want a digest that was drafted at a time, unless the digest is
// being removed or was since; with no, the run ends.
func (l *ledger) lease(pin registry.Pin, yes bool) (ok bool) {
	return l.leaseFor("run 1", pin, time.Now().Add(1), yes)
}

func (l *ledger) leaseFor(run string, pin registry.Pin, drafted time.Time, yes bool) (ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, under := range l.intents {
		if yes && under[pin] {
			return false
		}
	}
	if yes && !l.ended[pin].Before(drafted) {
		return false
	}
	l.leases[pin] = slices.DeleteFunc(slices.Clone(l.leases[pin]), func(c prune.Claim) bool { return c.Detail == run })
	if yes {
		l.leases[pin] = append(l.leases[pin], prune.Claim{Rule: prune.IsLeased, Detail: run})
	}
	if len(l.leases[pin]) == 0 {
		delete(l.leases, pin)
	}
	return true
}

func (l *ledger) Recall(context.Context) (map[string][]registry.Pin, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.intents)
	all := make(map[string][]registry.Pin)
	for host, pins := range l.given {
		all[host] = slices.Collect(maps.Keys(pins))
	}
	return all, l.err
}

func (l *ledger) Leases(context.Context) (map[registry.Pin][]prune.Claim, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.leases), l.err
}

func (l *ledger) Intend(_ context.Context, host, _ string, pins []registry.Pin) ([]prune.Claim, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, pin := range pins {
		if claims := l.leases[pin]; len(claims) > 0 {
			return claims, l.err
		}
	}
	set(l.intents, host, pins, true)
	return nil, l.err
}

func set(of map[string]map[registry.Pin]bool, host string, pins []registry.Pin, yes bool) {
	if of[host] == nil {
		of[host] = make(map[registry.Pin]bool)
	}
	for _, pin := range pins {
		delete(of[host], pin)
		if yes {
			of[host][pin] = true
		}
	}
}

func (l *ledger) Settle(_ context.Context, host string, pins, givenUp []registry.Pin) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	set(l.intents, host, pins, false)
	for _, pin := range pins {
		l.ended[pin] = time.Now()
	}
	set(l.given, host, givenUp, true)
	return l.err
}

func (l *ledger) TakeBack(_ context.Context, host string, pins []registry.Pin) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	set(l.given, host, pins, false)
	return l.err
}

func (l *ledger) Uses(_ context.Context, host string) ([]warmer.Use, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.uses[host]), l.err
}

func (l *ledger) SaveUses(_ context.Context, host string, uses []warmer.Use) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.uses[host] = uses
	return l.err
}

func (l *ledger) LastRuns(_ context.Context, host string) (map[registry.Pin]time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.runs[host]), l.err
}

func (l *ledger) Remembered(ctx context.Context) ([]warmer.Memory, error) {
	rollouts, err := l.store.Rollouts(ctx)
	var all []warmer.Memory
	for _, r := range rollouts {
		all = append(all, warmer.Memory{Pin: r.Pin, Track: r.Track, Promoted: r.Promoted, Ended: r.Ended})
	}
	return all, err
}

func (l *ledger) SavePass(_ context.Context, p warmer.Pass, notices ...notice.Event) error {
	l.store.tell(notices)
	l.mu.Lock()
	defer l.mu.Unlock()
	p.Removals = slices.Clone(p.Removals)
	l.passes = append(slices.DeleteFunc(l.passes, func(o warmer.Pass) bool { return o.ID == p.ID }), p)
	return l.err
}

func (l *ledger) Passes(_ context.Context, host string, limit int) ([]warmer.Pass, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []warmer.Pass
	for _, p := range slices.Backward(l.passes) {
		if host == "" || p.Host == host {
			all = append(all, p)
		}
	}
	return all[:min(len(all), limit)], l.err
}

// fail lets every call fail; nil ends that.
func (l *ledger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}
