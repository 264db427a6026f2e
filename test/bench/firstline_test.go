package main

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNotingKeepsTheWhatTheWayDoesNotTell(t *testing.T) {
	t.Parallel()
	var outside []time.Duration
	w := noting(&outside, func(context.Context) (sighting, error) { return sighting{took: 200, outside: 3}, nil })
	for range 2 {
		if took, err := w(t.Context()); err != nil || took != 200 {
			t.Fatalf("took %v, %v", took, err)
		}
	}
	if diff := cmp.Diff([]time.Duration{3, 3}, outside); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestDifferenceIsOfMediansWithItsChance(t *testing.T) {
	t.Parallel()
	values := []time.Duration{80e6, 90e6, 100e6, 110e6, 120e6}
	if got := difference(values, []time.Duration{95e6}); got != "5.0 ± 8.3 ms" {
		t.Errorf("difference is %q", got)
	}
}
