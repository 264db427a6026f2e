package store_test

import (
	"testing"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/test/outbox"
)

func TestOutbox(t *testing.T) {
	t.Parallel()
	outbox.Contract(t, func(t *testing.T) outbox.Outbox { return open(t, t.TempDir()) })
}

// What was routed and sent is so after a restart.
func TestMessagesOutliveTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	m := outbox.Waiting("r", "a")
	if err := s.RouteEvents(t.Context(), nil, []notice.Message{m}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, ok, err := open(t, dir).NextMessage(t.Context(), "r")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	same(t, m, got)
}
