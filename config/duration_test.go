package config

import (
	"testing"
	"time"
)

func TestDurationText(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"0s": 0, "15m": 15 * time.Minute, "1h": time.Hour, "1h30m": 90 * time.Minute, "10s": 10 * time.Second,
		"1m30s": 90 * time.Second, "1h0m1s": time.Hour + time.Second, "20m": 20 * time.Minute, "10h": 10 * time.Hour, "1.5s": 1500 * time.Millisecond,
	} {
		got := durationText(d)
		if again, err := time.ParseDuration(got); got != want || err != nil || again != d {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
	}
}
