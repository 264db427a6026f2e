package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/prewarm/prewarm/internal/failpoint"
	"github.com/prewarm/prewarm/internal/notice"
)

// batch is how many events are routed in one transaction.
const batch = 500

// The bounds of what a route keeps.
const (
	maxWaiting = 10_000
	maxAge     = 7 * 24 * time.Hour
)

// routeAll routes what there is.
func (n *Notifier) routeAll(ctx context.Context, w *workers) {
	for ctx.Err() == nil {
		routed, err := n.routeSome(ctx)
		n.report(ctx, err)
		if err != nil {
			pause(ctx, outboxPause)
			n.awake()
			return
		}
		if routed > 0 {
			w.wake()
		}
		if routed < batch {
			return
		}
	}
}

// routeSome routes the oldest events and gives how many they were. No message
// begins to be sent meanwhile.
func (n *Notifier) routeSome(ctx context.Context) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	events, err := n.opts.Outbox.UntoldEvents(ctx, batch)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	now := time.Now()
	var ids []string
	var messages []notice.Message
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	for _, r := range n.routes {
		made, err := n.messagesOf(ctx, r, events, now)
		if err != nil {
			return 0, err
		}
		messages = append(messages, made...)
	}
	err = n.opts.Outbox.RouteEvents(ctx, ids, messages)
	failpoint.Here("notice.routed")
	return len(events), err
}

// messagesOf gives the messages of a route, new or changed, that events become.
func (n *Notifier) messagesOf(ctx context.Context, r route, events []notice.Event, now time.Time) ([]notice.Message, error) {
	newest := make(map[string]int) // by thread, in all
	var all []notice.Message
	for _, e := range events {
		thread := threadOf(e)
		at, here := newest[thread]
		switch {
		case r.Matches(e):
		case !ends(e):
			continue
		case here:
			all[at].Over = true
			continue
		default:
			if err := n.endTrouble(ctx, r.Route, thread, now); err != nil {
				return nil, err
			}
			continue
		}
		// Those of one batch are folded: none of them was sent yet.
		if here {
			if m := r.take(&all[at], false, e, now); m.ID == all[at].ID {
				all[at] = m
			} else { // a task that begins anew
				newest[thread] = len(all)
				all = append(all, m)
			}
			continue
		}
		m, err := n.takeFirst(ctx, r.Route, thread, e, now)
		if err == nil && n.crowded(m, now) {
			thread = crowdOf(e)
			if at, ok := newest[thread]; ok {
				all[at] = fold(all[at], e, now.Add(r.Group))
				continue
			}
			m, err = n.joinCrowd(ctx, r.Route, e, now)
		}
		if err != nil {
			return nil, err
		}
		newest[thread] = len(all)
		all = append(all, m)
	}
	for i := range all {
		r.words.write(&all[i], n.page)
	}
	return all, nil
}

// endTrouble notes that a trouble is over on a route that does not tell of ends:
// what comes next is another one, and told at once. A message that only waits to
// tell the trouble again has nothing to tell any more.
func (n *Notifier) endTrouble(ctx context.Context, r Route, thread string, now time.Time) error {
	for {
		m, ok, err := n.opts.Outbox.LatestMessage(ctx, r.Name, thread)
		if err != nil || !ok || m.Over {
			return err
		}
		if again := m.Undelivered() && m.Tries == 0 && !m.Told.IsZero() && m.Due.After(now); !again || n.busy[m.ID] {
			m.Over = true
			return n.opts.Outbox.SaveContent(ctx, m)
		}
		m.State, m.Done, m.Error = notice.Dropped, now, "the trouble was over before it was to be told again"
		if err := n.opts.Outbox.RouteEvents(ctx, nil, []notice.Message{m}); err != nil {
			return err
		}
	}
}

// takeFirst takes the first event of a thread in a batch.
func (n *Notifier) takeFirst(ctx context.Context, r Route, thread string, e notice.Event, now time.Time) (notice.Message, error) {
	m, ok, err := n.opts.Outbox.LatestMessage(ctx, r.Name, thread)
	if err != nil {
		return m, err
	}
	if !ok {
		return r.take(nil, false, e, now), nil
	}
	return r.take(&m, n.busy[m.ID], e, now), nil
}

// tidy drops what can't be sent for too long, and forgets what was sent.
func (n *Notifier) tidy(ctx context.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := time.Now().Add(-maxAge)
	for _, r := range n.routes {
		dropped, err := n.opts.Outbox.DropExcess(ctx, r.Name, maxWaiting, before, "the route did not take it in time")
		n.report(ctx, err)
		if dropped > 0 {
			n.opts.Logger.Warn(fmt.Sprintf("%d notices were dropped: their route takes none", dropped), "route", r.Name)
		}
	}
	n.report(ctx, n.opts.Outbox.ForgetMessages(ctx, before, maxWaiting))
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
