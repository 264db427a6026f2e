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

// byTurns does the same work n times in each way, by turns, and gives what
// each way took. Another way goes first in each round. rest is called before
// each measurement and returns once nothing of the one before goes on. A round
// that comes before all fills caches and is not counted.
func byTurns(ctx context.Context, n int, rest func(context.Context) error, ways ...way) ([][]time.Duration, error) {
	took := make([][]time.Duration, len(ways))
	for round := range n + 1 {
		for turn := range ways {
			if err := rest(ctx); err != nil {
				return nil, err
			}
			which := (round + turn) % len(ways)
			d, err := ways[which](ctx)
			if err != nil {
				return nil, fmt.Errorf("round %d: %w", round, err)
			}
			if round > 0 {
				took[which] = append(took[which], d)
			}
		}
	}
	return took, nil
}

// ratio is of the medians, with what chance alone makes of it.
type ratio struct{ value, chance float64 }

func ratioOf(ours, theirs []time.Duration) ratio {
	a, b := float64(median(ours)), float64(median(theirs))
	return ratio{
		value:  a / b,
		chance: a / b * math.Hypot(float64(chance(ours))/a, float64(chance(theirs))/b),
	}
}

func (r ratio) String() string { return fmt.Sprintf("%.2f ± %.2f", r.value, r.chance) }

// aim is the largest ratio that is good enough.
type aim float64

// verdict compares as it is printed, with two digits.
func (a aim) verdict(r ratio) string {
	return verdict(fmt.Sprintf("≤ %.2f", float64(a)), math.Round(r.value*100)/100 <= float64(a))
}

func median(values []time.Duration) time.Duration { return quantile(values, 0.5) }

// chance is the standard error of the median, as it would be if the values were
// spread like a bell: 0.93 of the distance between the quartiles, by the root
// of their number.
func chance(values []time.Duration) time.Duration {
	iqr := quantile(values, 0.75) - quantile(values, 0.25)
	return time.Duration(0.93 * float64(iqr) / math.Sqrt(float64(len(values))))
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
