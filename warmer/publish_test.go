package warmer

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/prewarm/prewarm/registry"
)

// publisher is a host that notes which tags it moves.
type publisher struct {
	Host

	mu   sync.Mutex
	tags []string
}

func (p *publisher) Publish(_ context.Context, _ registry.Pin, tag string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tags = append(p.tags, tag)
	return nil
}

// Of two tags that show one digest, each moves on the hosts when it is current
// itself: the promotion of one may not be written down yet.
func TestATagMovesForItsOwnPromotionOnly(t *testing.T) {
	t.Parallel()
	pin, host := pinOf(1), &publisher{}
	entry := func(image, tag string) Entry {
		return Entry{Image: image, Tag: tag, Repository: pin.Repository(), Hosts: []string{"a"}, Policy: everywhere}
	}
	w := New(Options{
		Setup:  Setup{Entries: []Entry{entry("jobs", "latest"), entry("other", "next")}, Hosts: []HostOptions{{Name: "a", Host: host}}},
		Logger: slog.New(slog.DiscardHandler),
	})
	w.hosts["a"].life = t.Context()
	for i, phase := range []Phase{Current, Warming} {
		r := rolloutN(1, phase, amd64)
		r.Track = w.entries[i].tracks[0].ID
		w.entries[i].tracks[0].put(r)
		w.startPublish(Publish{Host: "a", Track: r.Track, Pin: pin})
	}
	w.started.Wait()
	if !slices.Equal(host.tags, []string{"latest"}) {
		t.Errorf("moved %q", host.tags)
	}
}
