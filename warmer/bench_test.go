package warmer

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// BenchmarkReconcile is one look of the whole Warmer at a fleet of 1,000 hosts
// that hold 500 images each: when everything is as it should be, when one copy
// went away, and the first one, which knows nothing.
func BenchmarkReconcile(b *testing.B) {
	w := large(b)
	ctx := context.Background()
	pin := pinOf(1)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			w.unsettleAll()
			w.reconcile(ctx)
		}
	})
	b.Run("nothing_changed", func(b *testing.B) {
		w.reconcile(ctx)
		for b.Loop() {
			w.reconcile(ctx)
		}
	})
	b.Run("one_changed", func(b *testing.B) {
		w.reconcile(ctx)
		for b.Loop() {
			w.mu.Lock()
			c := w.hosts["host7"].copyOf(pin)
			c.Kept = !c.Kept // what a look would have found
			c.NextTry = time.Now().Add(time.Hour)
			w.unsettle("host7", pin)
			w.mu.Unlock()
			w.reconcile(ctx)
		}
	})
}

// noStore forgets everything.
type noStore struct{ Store }

func (noStore) Save(context.Context, Change) error { return nil }

func large(b *testing.B) *Warmer {
	b.Helper()
	s := Setup{}
	var names []string
	for h := range 1000 {
		name := fmt.Sprint("host", h)
		names = append(names, name)
		s.Hosts = append(s.Hosts, HostOptions{Name: name, Pulls: 2})
	}
	for i := range 500 {
		s.Entries = append(s.Entries, Entry{Image: fmt.Sprint("image", i), Repository: pinOf(i).Repository(), Tag: "latest", Hosts: names, Policy: everywhere})
	}
	w := New(Options{Setup: s, Store: noStore{}, Ledger: noLedger{}, Logger: slog.New(slog.DiscardHandler)})
	for i, e := range w.entries {
		r := rolloutN(i, Current, amd64)
		r.Track.Image = e.Image
		e.tracks[0].put(r)
		for _, h := range w.hosts {
			h.contact, h.engine.Platform = Reachable, amd64
			*h.copyOf(r.Pin) = copyState{CopyView: CopyView{State: Warm, Kept: true}}
		}
	}
	return w
}

// BenchmarkPlan plans for 1,000 hosts and 500 images, all of them, and with a
// copy missing on each host.
func BenchmarkPlan(b *testing.B) {
	for name, missing := range map[string]bool{"all_warm": false, "one_missing_on_each": true} {
		b.Run(name, func(b *testing.B) {
			d, o := Desired{}, Observed{Now: noon, Hosts: map[string]HostView{}}
			var names []string
			for h := range 1000 {
				names = append(names, fmt.Sprint("host", h))
			}
			copies := map[registry.Pin]CopyView{}
			for i := range 500 {
				r := rolloutN(i+1, Current, amd64)
				r.Track.Image = fmt.Sprint("image", i)
				d.Tracks = append(d.Tracks, TrackState{Track: Track{ID: r.Track, Hosts: names, Policy: everywhere}, Current: &r})
				copies[r.Pin] = CopyView{State: Warm, Kept: true}
			}
			want := 0
			if missing {
				delete(copies, pinOf(250))
				want = len(names)
			}
			for _, name := range names {
				o.Hosts[name] = HostView{Contact: Reachable, Platform: amd64, FreePulls: 2, Copies: copies}
			}
			for b.Loop() {
				if n := len(Plan(d, o)); n != want {
					b.Fatalf("%d actions, want %d", n, want)
				}
			}
		})
	}
}

// noLedger is never asked anything.
type noLedger struct{ Ledger }

// BenchmarkCounts is what a scrape of the metrics asks of a fleet of 1,000 hosts
// that hold 500 images each.
func BenchmarkCounts(b *testing.B) {
	w := large(b)
	b.Run("images", func(b *testing.B) {
		for b.Loop() {
			if n := w.ImageCounts(); n[0].Warm != 1000 {
				b.Fatalf("%+v", n[0])
			}
		}
	})
	b.Run("hosts", func(b *testing.B) {
		for b.Loop() {
			if n := w.HostCounts(); len(n) != 1000 {
				b.Fatal(len(n))
			}
		}
	})
}
