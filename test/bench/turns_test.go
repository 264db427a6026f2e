package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestByTurnsChangesWhoGoesFirstAndDropsTheFirstRound(t *testing.T) {
	t.Parallel()
	var order []string
	calls := map[string]int{}
	does := func(name string, unit time.Duration) way {
		return func(context.Context) (time.Duration, error) {
			order = append(order, name)
			calls[name]++
			return time.Duration(calls[name]) * unit, nil
		}
	}
	rest := func(context.Context) error {
		order = append(order, "rest")
		return nil
	}
	took, err := byTurns(t.Context(), 2, rest, does("ours", 1), does("theirs", 100))
	if err != nil {
		t.Fatal(err)
	}
	want := "rest ours rest theirs rest theirs rest ours rest ours rest theirs"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("it went %s\nwant    %s", got, want)
	}
	if diff := cmp.Diff([][]time.Duration{{2, 3}, {200, 300}}, took); diff != "" {
		t.Errorf("what was measured (-want +got):\n%s", diff)
	}
}

func TestByTurnsStopsAtAFailure(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	fine := func(context.Context) (time.Duration, error) { return 1, nil }
	fails := func(context.Context) (time.Duration, error) { return 0, broken }
	rested := func(context.Context) error { return nil }
	if _, err := byTurns(t.Context(), 1, rested, fine, fails); !errors.Is(err, broken) {
		t.Errorf("a way that fails: %v", err)
	}
	if _, err := byTurns(t.Context(), 1, func(context.Context) error { return broken }, fine); !errors.Is(err, broken) {
		t.Errorf("a machine that does not come to rest: %v", err)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []time.Duration
		q      float64
		want   time.Duration
	}{
		{nil, 0.5, 0},
		{[]time.Duration{7}, 0.25, 7},
		{[]time.Duration{30, 10, 20}, 0.5, 20},
		{[]time.Duration{40, 10, 20, 30}, 0.5, 25},
		{[]time.Duration{50, 40, 10, 20, 30}, 0.25, 20},
		{[]time.Duration{50, 40, 10, 20, 30}, 1, 50},
	} {
		if got := quantile(c.values, c.q); got != c.want {
			t.Errorf("quantile %v of %v is %v, want %v", c.q, c.values, got, c.want)
		}
	}
}

func TestRatioIsOfMediansWithItsChance(t *testing.T) {
	t.Parallel()
	// Quartiles 90 and 110: 0.93 × 20 / √5 = 8.3 of 100, on both sides.
	wide := []time.Duration{80e6, 90e6, 100e6, 110e6, 120e6}
	if got := ratioOf(wide, wide).String(); got != "1.00 ± 0.12" {
		t.Errorf("ratio is %s, want 1.00 ± 0.12", got)
	}
	if got := ratioOf([]time.Duration{98}, []time.Duration{100}).String(); got != "0.98 ± 0.00" {
		t.Errorf("ratio is %s", got)
	}
}

func TestAnAimIsJudgedByThePrintedFigure(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]string{1.004: "≤ 1.00: met", 1.006: "≤ 1.00: **missed**", 0.5: "≤ 1.00: met"} {
		if got := aim(1).verdict(ratio{value: value}); got != want {
			t.Errorf("%v: %s, want %s", value, got, want)
		}
	}
}
