package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
)

// Sample is what a route makes of an event of a kind.
type Sample struct {
	Kind        notice.Kind
	Title, Text string
	Sent        bool
}

// Try gives what a route makes of samples: of one kind, or of all that it tells.
// With send, that of one kind is delivered, at once and beside the outbox; where
// none is named it is the first that the route tells. A route that is not there
// is problem.RouteNotFound, a channel that refuses problem.NoticeFailed.
func (n *Notifier) Try(ctx context.Context, name, kind string, send bool) ([]Sample, error) {
	r, ok := n.find(name)
	if !ok {
		return nil, n.noRoute(name)
	}
	kinds := r.kinds()
	switch {
	case kind != "":
		kinds = []notice.Kind{notice.Kind(kind)}
	case send:
		kinds = kinds[:1]
	}
	if !slices.Contains(notice.Kinds, kinds[0]) {
		return nil, problem.New(problem.InvalidRequest, fmt.Sprintf("there is no kind %q", kind), "use one of "+listed(notice.Kinds))
	}
	var all []Sample
	for _, k := range kinds {
		m := sampleOf(name, k, time.Now())
		r.words.write(&m, n.pages())
		if send {
			if err := n.try(ctx, r, m); err != nil {
				return nil, err
			}
		}
		all = append(all, Sample{Kind: k, Title: m.Title, Text: m.Text, Sent: send})
	}
	return all, nil
}

// try delivers a sample.
func (n *Notifier) try(ctx context.Context, r route, m notice.Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	// A template of the route's own may not say it.
	if !strings.Contains(strings.ToLower(m.Title), "test") {
		m.Title = cut("Test: "+m.Title, maxTitle)
	}
	if _, err := n.send(ctx, r, m); err != nil {
		f := failureOf(err)
		p := problem.New(problem.NoticeFailed, "send a test by the route "+r.Name+": "+f.Why, "correct the route in the configuration, or what it names")
		p.RetryAfter = f.RetryAfter
		return p
	}
	return nil
}

func (n *Notifier) pages() func(run string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.page
}

func (n *Notifier) noRoute(name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var names []string
	for _, r := range n.routes {
		names = append(names, r.Name)
	}
	mend := "the configuration has none: add one to notify"
	if len(names) > 0 {
		mend = "the configuration has " + strings.Join(names, ", ")
	}
	return problem.New(problem.RouteNotFound, fmt.Sprintf("no route of notices is called %q", name), mend)
}

func listed(kinds []notice.Kind) string {
	var names []string
	for _, k := range kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}
