package notify_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
	"github.com/prewarm/prewarm/test/outbox"
)

// stuck is an outbox that gives no events for as long as it is held.
type stuck struct {
	*outbox.Memory
	asked, held chan struct{}
}

func (s stuck) UntoldEvents(ctx context.Context, limit int) ([]notice.Event, error) {
	s.asked <- struct{}{}
	<-s.held
	return s.Memory.UntoldEvents(ctx, limit)
}

// Who asks for numbers does not wait for a disk.
func TestStatsWaitForNoOutbox(t *testing.T) {
	t.Parallel()
	box := stuck{outbox.NewMemory(), make(chan struct{}, 10), make(chan struct{})}
	routes := []notify.Route{{Name: "b", Channel: &channel{}}, {Name: "a", Channel: &channel{}}}
	n, err := notify.New(notify.Options{Outbox: box, Noticed: box.Noticed(), Setup: notify.Setup{Routes: routes}, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = n.Run(ctx) })
	<-box.asked
	given := make(chan []notify.RouteStats, 1)
	running.Go(func() { given <- n.Stats() })
	select {
	case all := <-given:
		if len(all) != 2 || all[0].Name != "b" || all[1].Name != "a" {
			t.Errorf("got %+v", all)
		}
	case <-time.After(time.Minute):
		t.Error("the numbers wait for the outbox")
	}
	close(box.held)
	cancel()
	running.Wait()
}
