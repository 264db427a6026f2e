package notify

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/notice"
)

// threadOf is what an event is about: the task whose run it tells of, the cause
// that it shares with others, or itself.
func threadOf(e notice.Event) string {
	switch {
	case e.Run != nil:
		return "run:" + e.Run.Namespace + "/" + e.Run.Task
	case e.Cause != "":
		return "cause:" + e.Cause
	}
	return "event:" + e.ID
}

// take gives the message that tells of an event: the newest one of its thread
// (nil: there is none), if it can still be changed, or one behind it. busy tells
// that the newest is being sent at this moment.
func (r Route) take(newest *notice.Message, busy bool, e notice.Event, now time.Time) notice.Message {
	due := now.Add(r.gather(e))
	if newest == nil || newest.State == notice.Dropped {
		return r.begin(e, due, now)
	}
	if newest.Undelivered() && !busy && (e.Run == nil || !begins(newest.Content, e)) {
		return fold(*newest, e, due)
	}
	if begins(newest.Content, e) {
		return r.begin(e, due, now)
	}
	return r.follow(*newest, e, due, now)
}

// gather is how long an event waits for others of its thread. What a run did is
// told at once.
func (r Route) gather(e notice.Event) time.Duration {
	if e.Run != nil || e.Cause == "" {
		return 0
	}
	return r.Group
}

// begin makes the first message of a trouble.
func (r Route) begin(e notice.Event, due, now time.Time) notice.Message {
	m := notice.Message{
		ID: uuid.Must(uuid.NewV7()).String(), Route: r.Name, Thread: threadOf(e), Made: now,
		Delivery: notice.Delivery{State: notice.Waiting, Due: due},
	}
	m.Since = e.At
	add(&m.Content, e)
	return m
}

// fold adds an event to a message that was not sent yet. What the thread has not
// told of yet does not wait for the time to tell of a trouble again, but for the
// end of a backoff, and is no change of what was told.
func fold(m notice.Message, e notice.Event, due time.Time) notice.Message {
	repeated := repeats(m.Content, e)
	if m.Tries == 0 && !repeated && due.Before(m.Due) {
		m.Due = due
	}
	m.InPlace = m.InPlace && quiet(m.Content, e)
	add(&m.Content, e)
	return m
}

// follow makes a message behind one that was sent, of the same trouble. Where the
// channel can, it takes that one's place; where not, what was told already waits
// until it is time to tell it again.
func (r Route) follow(newest notice.Message, e notice.Event, due, now time.Time) notice.Message {
	m := r.begin(e, due, now)
	told := newest.Told
	if !newest.InPlace {
		told = newest.Done
	}
	if told.IsZero() {
		told = now // it is being sent
	}
	again := told.Add(r.Repeat)
	if r.Repeat == 0 {
		again = told.AddDate(never, 0, 0)
	}
	m.Told = told
	repeated := repeats(newest.Content, e)
	// A change in place is seen by nobody who does not look: what is new is posted.
	m.InPlace = r.Channel.InPlace() && quiet(newest.Content, e) && (!repeated || now.Before(again))
	if !m.InPlace && repeated && again.After(due) {
		m.Due = again
	}
	m.Since, m.Count = newest.Since, newest.Count+1
	m.Kinds, m.Hosts = slices.Clone(newest.Kinds), slices.Clone(newest.Hosts)
	note(&m.Content, e)
	return m
}

// never is as good as that, in years.
const never = 100

// add adds an event to what a message says.
func add(c *notice.Content, e notice.Event) {
	c.Count++
	if len(c.IDs) < notice.MaxIDs {
		c.IDs = append(slices.Clip(c.IDs), e.ID)
	}
	if len(c.Events) < notice.MaxEvents {
		c.Events = append(slices.Clip(c.Events), e)
	} else {
		c.Events = slices.Clone(c.Events)
		c.Events[notice.MaxEvents-1] = e
	}
	note(c, e)
}

// note keeps what later events are compared with.
func note(c *notice.Content, e notice.Event) {
	c.Over = ends(e) || final(e)
	if !slices.Contains(c.Kinds, e.Kind) {
		c.Kinds = append(slices.Clip(c.Kinds), e.Kind)
	}
	if e.Host != "" && len(c.Hosts) < notice.MaxHosts && !slices.Contains(c.Hosts, e.Host) {
		c.Hosts = append(slices.Clip(c.Hosts), e.Host)
	}
}

// ends tells that an event ends the trouble of its cause.
func ends(e notice.Event) bool { return e.Kind == notice.HostUp }

// final tells that nothing follows a run, as far as is known.
func final(e notice.Event) bool {
	switch e.Kind {
	case notice.RunFailed, notice.RunSucceeded, notice.RunSkipped, notice.RunCanceled:
		return true
	}
	return false
}

// begins tells that an event is of another trouble than the message tells of. A
// task begins anew with a first try of another run, whatever was told of the one
// before: its end may be nothing that the route tells. So it does where it fails
// for good a second time: somebody had asked for it again. Any other later try, or
// the same run, still belongs to it.
func begins(c notice.Content, e notice.Event) bool {
	if e.Run == nil {
		return c.Over
	}
	was := c.Newest()
	if was.Run == nil || was.Run.ID == e.Run.ID {
		return was.Run == nil
	}
	return e.Run.Try <= 1 || forGood(was) && forGood(e)
}

// forGood tells that a task failed after its last try.
func forGood(e notice.Event) bool { return e.Kind == notice.RunFailed && e.Run.Tries > 0 }

// quiet tells that nobody need be called for an event behind others of its thread.
func quiet(c notice.Content, e notice.Event) bool {
	if e.Run != nil {
		return gravity[e.Kind] <= gravity[c.Newest().Kind]
	}
	return ends(e) || repeats(c, e)
}

// gravity is how much what became of a run needs somebody.
var gravity = map[notice.Kind]int{notice.RunOrphaned: 1, notice.RunLost: 2, notice.RunFailed: 2}

// repeats tells that the trouble was told in the same words before.
func repeats(c notice.Content, e notice.Event) bool {
	return e.Run == nil && !ends(e) && slices.Contains(c.Kinds, e.Kind)
}
