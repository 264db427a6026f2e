package notice

import "time"

// State is how far a Message is.
type State string

// The states.
const (
	Waiting State = "waiting" // to be sent, perhaps after failures that may pass
	Failed  State = "failed"  // refused in a way that does not pass by itself: tried again rarely
	Sent    State = "sent"
	Dropped State = "dropped" // given up
)

// Message is what one route tells of one or more events.
type Message struct {
	ID    string // UUIDv7; the same however often it is sent
	Route string
	// Thread is what it is about: the messages of one thread are sent in their
	// order.
	Thread string
	Made   time.Time
	Content
	Delivery

	// Earlier is the channel's name for the thread's message before, and Lost how
	// many messages of the route were dropped and nobody was told yet. Both are
	// found out when it is to be sent.
	Earlier string
	Lost    int
}

// Content is what a Message says.
type Content struct {
	Title, Text string
	Link        string // what to look at next; may be empty
	// Kinds are those of the trouble so far, each once, in the order in which they
	// came.
	Kinds []Kind
	// IDs are of the events that it tells, the newest last: all but those beyond
	// MaxIDs.
	IDs []string
	// Events are the first of these, at most MaxEvents, of which the last is always
	// the newest.
	Events []Event
	// Count is how many events the trouble has had so far, those that earlier
	// messages told included; Since is when the first was.
	Count int
	Since time.Time
	// Hosts on which they were, at most MaxHosts.
	Hosts []string
	// Over tells that the trouble has ended: the next event of its cause begins
	// another.
	Over bool
	// InPlace tells that it takes the place of the thread's message before.
	InPlace bool
	// Told is when a message before that was not InPlace told of the same trouble;
	// zero: none did.
	Told time.Time
	// Test tells that it is a sample.
	Test bool
}

// The bounds of a Message.
const (
	MaxIDs    = 1000
	MaxEvents = 100
	MaxHosts  = 50
)

// Delivery is what became of a Message.
type Delivery struct {
	State State
	// Due is when it is to be sent, or tried again.
	Due   time.Time
	Tries int
	Ref   string    // the channel's name for what was sent; may be empty
	Error string    // why the last try failed
	Done  time.Time // when it was sent or dropped
}

// Undelivered tells that a message is still to be sent.
func (d Delivery) Undelivered() bool { return d.State == Waiting || d.State == Failed }

// Newest is the event that a message tells last.
func (c Content) Newest() Event { return c.Events[len(c.Events)-1] }
