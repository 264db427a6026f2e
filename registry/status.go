package registry

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Outcome is how a request to a registry ended.
type Outcome string

// The outcomes.
const (
	Answered   Outcome = "ok"
	Missing    Outcome = "not_found"
	Denied     Outcome = "denied"     // 401 and 403, that to ask for a login included
	Limited    Outcome = "limited"    // 429
	Faulty     Outcome = "fault"      // any other status of 400 and more
	NoAnswer   Outcome = "no_answer"  // none in time, or no connection
	NotSent    Outcome = "not_sent"   // held back by us: a rate, a quota, an open breaker
	Redirected Outcome = "redirected" // to where the request is sent next
)

// Outcomes are all of them.
var Outcomes = []Outcome{Answered, Missing, Denied, Limited, Faulty, NoAnswer, NotSent, Redirected}

// Status is what is known of a registry without asking it.
type Status struct {
	// Name is the host, as Access has it.
	Name string
	// Requests counts those since the start, by their end: those to its token
	// server and those that it redirects are among them.
	Requests map[Outcome]int64
	// Quota is what it said last; Seen is zero where it never did.
	Quota Quota
	// ClosedUntil is until when it is left alone; zero: it is not.
	ClosedUntil time.Time
}

// Statuses gives what is known of the registries that were asked something, by
// name. Nothing is sent.
func (c *Client) Statuses() []Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Status, 0, len(c.paces))
	for _, host := range slices.Sorted(maps.Keys(c.paces)) {
		p := c.paces[host]
		s := Status{Name: canonicalHost(host), Requests: p.tally.counts(), ClosedUntil: p.breaker.closedUntil(c.now())}
		if l, ok := c.registries[host]; ok {
			s.Quota, _ = l.endpoint.quota.last()
		}
		all = append(all, s)
	}
	return all
}

// closedUntil is until when calls are kept away; zero: they are not.
func (b *breaker) closedUntil(now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !now.Before(b.until) {
		return time.Time{}
	}
	return b.until
}

// tally counts requests by their end.
type tally struct {
	mu sync.Mutex
	of map[Outcome]int64
}

func newTally() *tally { return &tally{of: make(map[Outcome]int64, len(Outcomes))} }

func (t *tally) count(o Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of[o]++
}

func (t *tally) counts() map[Outcome]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.of)
}

// turned counts a request that had to wait for its turn and got none. One whose
// caller left is nobody's failure.
func (t *tally) turned(err error) {
	if held := new(errHeld); errors.As(err, &held) {
		t.count(NotSent)
	}
}

func outcomeOf(status int) Outcome {
	switch {
	case status == http.StatusNotFound:
		return Missing
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return Denied
	case status == http.StatusTooManyRequests:
		return Limited
	case status >= http.StatusBadRequest:
		return Faulty
	case status >= http.StatusMultipleChoices && status != http.StatusNotModified:
		return Redirected
	}
	return Answered
}
