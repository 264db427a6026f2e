package metrics

import (
	"container/list"
	"sync"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// maxPulls is how many pulls are remembered that no run has profited from yet:
// those of 1,000 hosts with 100 images each. Beyond, the oldest is forgotten, and
// its run counts for nothing.
const maxPulls = 100_000

// avoided remembers the pulls whose digests no run has started from yet, each on
// its host. It does not outlive the process: what is warm at a restart counts
// for nothing after it.
type avoided struct {
	most int

	mu    sync.Mutex
	of    map[copyKey]*list.Element
	order *list.List // of pull, oldest first
}

type copyKey struct {
	host string
	pin  registry.Pin
}

type pull struct {
	copyKey
	began time.Time
	took  time.Duration
}

func newAvoided(most int) *avoided {
	return &avoided{most: most, of: make(map[copyKey]*list.Element), order: list.New()}
}

// pulled notes a pull. One of the same digest to the same host, after somebody
// removed it, takes the place of the one before.
func (a *avoided) pulled(host string, pin registry.Pin, began time.Time, took time.Duration) {
	key := copyKey{host, pin}
	a.mu.Lock()
	defer a.mu.Unlock()
	if before := a.of[key]; before != nil {
		a.drop(before)
	}
	a.of[key] = a.order.PushBack(pull{key, began, took})
	if len(a.of) > a.most {
		a.drop(a.order.Front())
	}
}

// started gives how much of its pull was over when the first run of a digest on
// a host was submitted: it would have waited for that. Later runs would have
// found the image in any case.
func (a *avoided) started(host string, pin registry.Pin, submitted time.Time) (saved time.Duration, first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := a.of[copyKey{host, pin}]
	if found == nil {
		return 0, false
	}
	p := a.drop(found)
	return min(max(0, submitted.Sub(p.began)), p.took), true
}

// keep forgets the pulls to other hosts.
func (a *avoided) keep(hosts []string) {
	known := setOf(hosts)
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, e := range a.of {
		if !known[key.host] {
			a.drop(e)
		}
	}
}

// drop forgets a pull. The caller holds mu.
func (a *avoided) drop(e *list.Element) pull {
	p := a.order.Remove(e).(pull) // the list holds nothing else
	delete(a.of, p.copyKey)
	return p
}
