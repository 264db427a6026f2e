// Package outbox holds an outbox of notices in memory, and what every outbox has
// to do.
package outbox

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

// Memory is an outbox that forgets all with the process.
type Memory struct {
	mu       sync.Mutex
	events   []notice.Event
	messages map[string]notice.Message
	lost     map[string]int
	news     chan struct{}
}

// NewMemory makes an empty one.
func NewMemory() *Memory {
	return &Memory{messages: make(map[string]notice.Message), lost: make(map[string]int), news: make(chan struct{}, 1)}
}

// Tell writes down what people are to be told of.
func (o *Memory) Tell(_ context.Context, all ...notice.Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, all...)
	select {
	case o.news <- struct{}{}:
	default:
	}
	return nil
}

// Noticed gives a token when there are events.
func (o *Memory) Noticed() <-chan struct{} { return o.news }

// UntoldEvents is as that of store.Store.
func (o *Memory) UntoldEvents(_ context.Context, limit int) ([]notice.Event, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	slices.SortFunc(o.events, func(a, b notice.Event) int { return cmp.Compare(a.ID, b.ID) })
	return slices.Clone(o.events[:min(limit, len(o.events))]), nil
}

// Backlog is as that of store.Store.
func (o *Memory) Backlog(_ context.Context, route string) (n int, since time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.messages {
		if m.Route != route || !m.Undelivered() || m.Tries == 0 && m.Due.After(time.Now()) {
			continue
		}
		n++
		if since.IsZero() || m.Made.Before(since) {
			since = m.Made
		}
	}
	return n, since, nil
}

// RouteEvents is as that of store.Store.
func (o *Memory) RouteEvents(_ context.Context, events []string, messages []notice.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range messages {
		m.Earlier, m.Lost = "", 0
		m.IDs, m.Events, m.Hosts, m.Kinds = slices.Clone(m.IDs), slices.Clone(m.Events), slices.Clone(m.Hosts), slices.Clone(m.Kinds)
		o.messages[m.ID] = m
	}
	o.events = slices.DeleteFunc(o.events, func(e notice.Event) bool { return slices.Contains(events, e.ID) })
	return nil
}

// all gives the messages that fit, oldest first.
func (o *Memory) all(fits func(notice.Message) bool) []notice.Message {
	var found []notice.Message
	for _, m := range o.messages {
		if fits(m) {
			found = append(found, m)
		}
	}
	slices.SortFunc(found, func(a, b notice.Message) int { return cmp.Compare(a.ID, b.ID) })
	return found
}

// LatestMessage is as that of store.Store.
func (o *Memory) LatestMessage(_ context.Context, route, thread string) (notice.Message, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := o.all(func(m notice.Message) bool {
		return m.Route == route && m.Thread == thread && m.State != notice.Dropped
	})
	if len(found) == 0 {
		return notice.Message{}, false, nil
	}
	return found[len(found)-1], true, nil
}

// SaveContent is as that of store.Store.
func (o *Memory) SaveContent(_ context.Context, m notice.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if was, ok := o.messages[m.ID]; ok {
		was.Content = m.Content
		o.messages[m.ID] = was
	}
	return nil
}

// NextMessage is as that of store.Store.
func (o *Memory) NextMessage(_ context.Context, route string) (notice.Message, bool, error) {
	return o.first(route, func(a, b notice.Message) int { return a.Due.Compare(b.Due) }, func(notice.Message) bool { return true })
}

// DueMessage is as that of store.Store.
func (o *Memory) DueMessage(_ context.Context, route string) (notice.Message, bool, error) {
	now := time.Now()
	return o.first(route, func(a, b notice.Message) int { return cmp.Compare(a.ID, b.ID) }, func(m notice.Message) bool { return !m.Due.After(now) })
}

// first gives the least of those that fit and are the first of their threads.
func (o *Memory) first(route string, compare func(a, b notice.Message) int, fits func(notice.Message) bool) (notice.Message, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var firsts []notice.Message
	threads := make(map[string]bool)
	for _, m := range o.all(func(m notice.Message) bool { return m.Route == route && m.Undelivered() }) {
		if !threads[m.Thread] && fits(m) {
			firsts = append(firsts, m)
		}
		threads[m.Thread] = true
	}
	if len(firsts) == 0 {
		return notice.Message{}, false, nil
	}
	next := slices.MinFunc(firsts, compare)
	next.Lost = o.lost[route]
	for _, m := range o.all(func(m notice.Message) bool { return m.Route == route && m.Thread == next.Thread && m.ID < next.ID }) {
		if m.State == notice.Sent && m.Ref != "" {
			next.Earlier = m.Ref
		}
	}
	return next, true, nil
}

// SettleMessage is as that of store.Store.
func (o *Memory) SettleMessage(_ context.Context, m notice.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	was, ok := o.messages[m.ID]
	if !ok || !was.Undelivered() {
		return nil
	}
	was.Delivery = m.Delivery
	o.messages[m.ID] = was
	if m.State == notice.Sent {
		o.lost[m.Route] = max(o.lost[m.Route]-m.Lost, 0)
	}
	return nil
}

// HurryMessages is as that of store.Store.
func (o *Memory) HurryMessages(_ context.Context, route string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for _, m := range o.all(func(m notice.Message) bool { return m.Undelivered() && m.Tries > 0 && m.Due.After(now) }) {
		if route != "" && m.Route != route {
			continue
		}
		m.Due = now
		o.messages[m.ID] = m
	}
	return nil
}

// Messages is as that of store.Store.
func (o *Memory) Messages(_ context.Context, route string, limit int) ([]notice.Message, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := o.all(func(m notice.Message) bool { return route == "" || m.Route == route })
	slices.Reverse(found)
	return found[:min(limit, len(found))], nil
}

// DropOthers is as that of store.Store.
func (o *Memory) DropOthers(_ context.Context, routes []string, why string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(o.all(func(m notice.Message) bool { return m.Undelivered() && !slices.Contains(routes, m.Route) }), why)
	return nil
}

// DropExcess is as that of store.Store.
func (o *Memory) DropExcess(_ context.Context, route string, most int, before time.Time, why string) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := o.all(func(m notice.Message) bool { return m.Undelivered() && m.Route == route })
	excess := len(found) - most
	var gone []notice.Message
	for i, m := range found {
		if i < excess || m.Made.Before(before) && (m.Tries > 0 || !m.Due.After(time.Now())) {
			gone = append(gone, m)
		}
	}
	o.drop(gone, why)
	return len(gone), nil
}

func (o *Memory) drop(gone []notice.Message, why string) {
	for _, m := range gone {
		m.Content = notice.Content{Title: m.Title, Kinds: m.Kinds, Count: m.Count}
		m.State, m.Error, m.Done = notice.Dropped, why, time.Now()
		o.messages[m.ID] = m
		o.lost[m.Route]++
	}
}

// ForgetMessages is as that of store.Store.
func (o *Memory) ForgetMessages(_ context.Context, before time.Time, most int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	kept := make(map[string]int)
	done := o.all(func(m notice.Message) bool { return !m.Undelivered() })
	slices.Reverse(done)
	for _, m := range done {
		if kept[m.Route]++; kept[m.Route] > most || m.Done.Before(before) {
			delete(o.messages, m.ID)
		}
	}
	return nil
}
