package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/warmer/hints"
)

func delivery(hook string, verdict hints.Verdict) hints.Delivery {
	return hints.Delivery{ID: uuid.Must(uuid.NewV7()).String(), Hook: hook, At: now(), From: "10.0.0.1", Verdict: verdict, Stands: 1}
}

func deliveries(t *testing.T, s *store.Store, hook string, limit int) []hints.Delivery {
	t.Helper()
	all, err := s.Deliveries(t.Context(), hook, limit)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDeliveriesRoundTrip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	first, second, other := delivery("ci", hints.Accepted), delivery("ci", hints.Refused), delivery("hub", hints.Irrelevant)
	first.Events, first.IDs, first.Images = 2, []string{"e1", "e2"}, []string{"jobs", "archive"}
	second.Stands, second.Detail = 7, "forged"
	if err := s.Record(t.Context(), []hints.Delivery{first, second, other}); err != nil {
		t.Fatal(err)
	}
	first.Led = "new digest sha256:a"
	if err := s.Led(t.Context(), map[string]string{first.ID: first.Led, "gone": "nothing"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if diff := cmp.Diff([]hints.Delivery{second, first}, deliveries(t, s, "ci", 10), cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]hints.Delivery{second}, deliveries(t, s, "ci", 1), cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Error(diff)
	}
	if all := deliveries(t, s, "nobody", 10); len(all) > 0 {
		t.Errorf("%+v", all)
	}
}

// The newest are kept, and refused ones drive out no others.
func TestOldDeliveriesAreForgotten(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	record := func(n int, hook string, verdict hints.Verdict) (last string) {
		all := make([]hints.Delivery, n)
		for i := range all {
			all[i] = delivery(hook, verdict)
		}
		if err := s.Record(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		return all[n-1].ID
	}
	record(1, "hub", hints.Accepted)
	record(600, "ci", hints.Accepted)
	record(1200, "ci", hints.Refused)
	last := record(600, "ci", hints.Irrelevant)
	counts := make(map[string]int)
	all := deliveries(t, s, "ci", 5000)
	for _, d := range all {
		counts[string(d.Verdict)]++
	}
	if want := map[string]int{"accepted": 400, "irrelevant": 600, "refused": 1000}; !cmp.Equal(want, counts) || all[0].ID != last {
		t.Errorf("%v, the newest is %s, want %s", counts, all[0].ID, last)
	}
	if n := len(deliveries(t, s, "hub", 10)); n != 1 {
		t.Errorf("%d deliveries of another hook", n)
	}
}

// All of a batch, or nothing of it: a sender that is told of a failure sends it
// again.
func TestABatchOfDeliveriesIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	d := delivery("ci", hints.Accepted)
	if err := s.Record(t.Context(), []hints.Delivery{d, d}); err == nil {
		t.Error("two of one id were taken")
	}
	if all := deliveries(t, s, "ci", 10); len(all) > 0 {
		t.Errorf("%+v", all)
	}
}

func BenchmarkRecordDeliveries(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, err := store.Open(b.Context(), b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for b.Loop() {
				all := make([]hints.Delivery, n)
				for i := range all {
					all[i] = delivery("ci", hints.Accepted)
				}
				if err := s.Record(b.Context(), all); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
