package notify

import (
	"context"
	"strings"

	"github.com/prewarm/prewarm/internal/notice"
)

// linkOf is where to look at what an event is about.
func linkOf(e notice.Event, page func(run string) string) string {
	if page == nil || e.Run == nil || e.Run.ID == "" {
		return ""
	}
	return page(e.Run.ID)
}

// send delivers a message by a route, with its link signed. A channel may repeat
// in its refusal what it was sent.
func (n *Notifier) send(ctx context.Context, r route, m notice.Message) (ref string, err error) {
	query := n.queryOf(m)
	ref, err = r.Channel.Send(ctx, signed(m, query))
	if err == nil || query == "" {
		return ref, err
	}
	f := *failureOf(err)
	f.Why = scrub(f.Why, query)
	return ref, &f
}

// queryOf is what a message's link is signed with; empty: nothing.
func (n *Notifier) queryOf(m notice.Message) string {
	n.mu.Lock()
	sign := n.sign
	n.mu.Unlock()
	run := m.Newest().Run
	if sign == nil || run == nil || m.Link == "" {
		return ""
	}
	return sign(run.ID)
}

// signed is a message whose link opens the log by itself, wherever its text has
// it. A title stays: it is shown where more people look.
func signed(m notice.Message, query string) notice.Message {
	if query == "" {
		return m
	}
	link := m.Link + "?" + query
	m.Text = strings.ReplaceAll(m.Text, m.Link, link)
	m.Link = link
	return m
}
