package notify_test

import (
	"testing"

	"github.com/prewarm/prewarm/test/outbox"
)

func TestMemoryIsAnOutbox(t *testing.T) {
	t.Parallel()
	outbox.Contract(t, func(*testing.T) outbox.Outbox { return outbox.NewMemory() })
}
