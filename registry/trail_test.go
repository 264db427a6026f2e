package registry

import (
	"net/http"
	"testing"
	"time"
)

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                     0,
		"7":                    7 * time.Second,
		" 7 ":                  7 * time.Second,
		"0":                    0,
		"-5":                   0,
		"soon":                 0,
		"1.5":                  0,
		"999999":               24 * time.Hour,
		"99999999999999999999": 0,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
		now.Add(48 * time.Hour).Format(http.TimeFormat):   24 * time.Hour,
		now.Add(30 * time.Second).Format(time.RFC850):     30 * time.Second,
	} {
		if got := parseRetryAfter(header, now); got != want {
			t.Errorf("parseRetryAfter(%q) = %s, want %s", header, got, want)
		}
	}
}

func TestTrailOutsideOfACall(t *testing.T) {
	t.Parallel()
	trail := trailOf(t.Context())
	trail.host = "a"
	if trailOf(t.Context()).host != "" {
		t.Error("two contexts without a trail share one")
	}
}
