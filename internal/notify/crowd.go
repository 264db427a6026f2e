package notify

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

// crowd is how many hosts have a message of their own within crowdTime: a network
// that is cut must not become a message for each host behind it. What more of them
// tell goes into one message for each kind. So it is with the runs that end in one
// way for the sake of one host.
const (
	crowd     = 10
	crowdTime = time.Minute
)

// crowded tells whether the event of a message that is to be made is one of very
// many. The caller holds mu.
func (n *Notifier) crowded(m notice.Message, now time.Time) bool {
	e := m.Newest()
	among, who := m.Route, e.Host
	switch {
	case len(m.IDs) > 1 || m.InPlace: // it joins one that is to be sent anyway, or is seen by nobody
		return false
	case e.Run != nil && ofHost(e):
		among, who = m.Route+" "+crowdOf(e), m.Thread
	case e.Run != nil || e.Host == "" || m.Count > 1:
		return false
	}
	begun := n.begun[among]
	if begun == nil {
		begun = make(map[string]time.Time)
		n.begun[among] = begun
	}
	maps.DeleteFunc(begun, func(_ string, at time.Time) bool { return now.Sub(at) >= crowdTime })
	if _, own := begun[who]; !own && len(begun) >= crowd {
		return true
	}
	begun[who] = now
	return false
}

// ofHost tells that an event has its cause in its host.
func ofHost(e notice.Event) bool { return strings.HasPrefix(e.Cause, "host:") }

// crowdMark begins the threads of crowds.
const crowdMark = "crowd:"

func crowdOf(e notice.Event) string {
	if e.Run != nil {
		return crowdMark + string(e.Kind) + ":" + e.Cause
	}
	return crowdMark + string(e.Kind)
}

// crowdOfRuns tells that a message tells of many runs at once.
func crowdOfRuns(m notice.Message) bool {
	return m.Count > 1 && m.Newest().Run != nil && strings.HasPrefix(m.Thread, crowdMark)
}

// joinCrowd gives the message of a crowd that an event joins: the one that waits to
// be sent, or another one.
func (n *Notifier) joinCrowd(ctx context.Context, r Route, e notice.Event, now time.Time) (notice.Message, error) {
	newest, ok, err := n.opts.Outbox.LatestMessage(ctx, r.Name, crowdOf(e))
	if err != nil {
		return newest, err
	}
	due := now.Add(r.Group)
	if ok && newest.Undelivered() && !n.busy[newest.ID] {
		return fold(newest, e, due), nil
	}
	m := r.begin(e, due, now)
	m.Thread = crowdOf(e)
	return m, nil
}
