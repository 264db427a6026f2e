package notify

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

// Channel is where messages go.
type Channel interface {
	// Send delivers a message and gives the channel's name for it, which is Earlier
	// of the thread's next one; it may be empty. A *Failure says more of an error;
	// any other may pass. No error holds a secret.
	Send(ctx context.Context, m notice.Message) (ref string, err error)
	// InPlace tells that Send can let a message take the place of its earlier one.
	InPlace() bool
}

// Failure is why a message was not delivered.
type Failure struct {
	// Why never holds a secret, which is why there is no cause to unwrap.
	Why string
	// Lasting tells that it does not pass by itself, All that it would be the same
	// for every message.
	Lasting, All bool
	// RetryAfter is how long the channel asks to be left alone; zero: it does not
	// say.
	RetryAfter time.Duration
}

func (f *Failure) Error() string { return f.Why }

// failureOf finds the Failure of an error.
func failureOf(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Why: err.Error()}
}

// sentAs is the id under which a message is sent. One that was taken without our
// knowing of it may have got more events before it is sent again: a receiver that
// drops what it has by its id must not drop those.
func sentAs(m notice.Message) string {
	if len(m.IDs) < 2 {
		return m.ID
	}
	return m.ID + "-" + strconv.Itoa(m.Count)
}
