package notify

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

// Source is where the domain writes what people are to be told of.
type Source interface {
	Tell(ctx context.Context, all ...notice.Event) error
	// Noticed gives a token when there are events.
	Noticed() <-chan struct{}
}

// Outbox keeps events until they are routed, and messages until they are sent
// and for a while after.
type Outbox interface {
	Events
	Messages
	Limits
}

// Events are those that no route has taken yet.
type Events interface {
	// UntoldEvents gives the oldest, at most limit.
	UntoldEvents(ctx context.Context, limit int) ([]notice.Event, error)
	// RouteEvents writes down the messages, new or changed, that events became, and
	// forgets the events: all of it, or nothing.
	RouteEvents(ctx context.Context, events []string, messages []notice.Message) error
	// LatestMessage gives the newest message of a thread that was not dropped, if
	// there is one.
	LatestMessage(ctx context.Context, route, thread string) (notice.Message, bool, error)
	// SaveContent writes down what a message says, and leaves what becomes of it.
	SaveContent(ctx context.Context, m notice.Message) error
}

// Messages are those that are to be sent, or were.
type Messages interface {
	// NextMessage gives, of those of a route that are the first to be sent of their
	// threads, the one that is due first, if there is one; with what came before it.
	NextMessage(ctx context.Context, route string) (notice.Message, bool, error)
	// DueMessage gives, of those that are the first to be sent of their threads and
	// that are due, the one that was made first, if there is one; with what came
	// before it.
	DueMessage(ctx context.Context, route string) (notice.Message, bool, error)
	// SettleMessage writes down what became of trying to send one.
	SettleMessage(ctx context.Context, m notice.Message) error
	// HurryMessages makes those of a route, or of all where it is empty, that were
	// tried in vain due now.
	HurryMessages(ctx context.Context, route string) error
	// Backlog tells how many of a route are late, or were tried in vain, and since
	// when the first is there; zero: none. One that waits for the time to tell of a
	// trouble again is not late.
	Backlog(ctx context.Context, route string) (n int, since time.Time, err error)
	// Messages gives the newest of a route, or of all, newest first.
	Messages(ctx context.Context, route string, limit int) ([]notice.Message, error)
}

// Limits keep an outbox from growing.
type Limits interface {
	// DropOthers gives up what is to be sent by routes that are not given.
	DropOthers(ctx context.Context, routes []string, why string) error
	// DropExcess gives up what a route was to send and that was made before and is
	// due or was tried, or is older than its most newest ones, and counts it.
	DropExcess(ctx context.Context, route string, most int, before time.Time, why string) (int, error)
	// ForgetMessages deletes what was sent or dropped before, and of each route all
	// but the newest of them.
	ForgetMessages(ctx context.Context, before time.Time, most int) error
}
