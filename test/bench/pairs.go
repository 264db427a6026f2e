package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// way does the work once and tells how long it took.
type way func(ctx context.Context) (time.Duration, error)

// comparison is the same work done by Prewarm and by its counterpart.
type comparison struct{ ours, theirs []time.Duration }

// compare does the work n times each way, by turns; which one goes first
// changes with each pair. rest is called before each measurement and returns
// once nothing of the one before goes on. A pair that comes first fills caches
// and is not counted.
func compare(ctx context.Context, n int, rest func(context.Context) error, ours, theirs way) (comparison, error) {
	var c comparison
	for i := range n + 1 {
		var took [2]time.Duration
		for k := range 2 {
			which := (i + k) % 2
			if err := rest(ctx); err != nil {
				return c, err
			}
			var err error
			if took[which], err = []way{ours, theirs}[which](ctx); err != nil {
				return c, fmt.Errorf("pair %d: %w", i, err)
			}
		}
		if i > 0 {
			c.ours, c.theirs = append(c.ours, took[0]), append(c.theirs, took[1])
		}
	}
	return c, nil
}

// ratio is ours to theirs, of the medians.
func (c comparison) ratio() float64 {
	return float64(quantile(c.ours, 0.5)) / float64(quantile(c.theirs, 0.5))
}

// difference is by how much our median is longer.
func (c comparison) difference() time.Duration {
	return quantile(c.ours, 0.5) - quantile(c.theirs, 0.5)
}

// quantile interpolates between the two nearest values.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + time.Duration((at-float64(low))*float64(sorted[high]-sorted[low]))
}
