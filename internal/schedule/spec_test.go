package schedule

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t *testing.T, line string) Spec {
	t.Helper()
	spec, err := Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// firings lists the next n firings after from, in from's zone.
func firings(spec Spec, from time.Time, n int) []string {
	var list []string
	for range n {
		from = spec.Next(from)
		list = append(list, from.Format("01-02 15:04 MST"))
	}
	return list
}

// In Berlin clocks go from 02:00 to 03:00 on 29 March 2026 and from 03:00 back
// to 02:00 on 25 October 2026.
func TestNextAtClockChanges(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	spring := time.Date(2026, 3, 28, 0, 0, 0, 0, berlin)
	autumn := time.Date(2026, 10, 24, 12, 0, 0, 0, berlin)
	for _, c := range []struct {
		name, line string
		from       time.Time
		want       []string
	}{
		{"spring leaves the missing hour out", "30 2 * * *", spring, []string{"03-28 02:30 CET", "03-30 02:30 CEST"}},
		{"spring keeps the other hours", "30 3 * * *", spring, []string{"03-28 03:30 CET", "03-29 03:30 CEST"}},
		{"autumn fires twice", "30 2 * * *", autumn, []string{"10-25 02:30 CEST", "10-25 02:30 CET", "10-26 02:30 CET"}},
		{"autumn keeps the other hours", "30 3 * * *", autumn, []string{"10-25 03:30 CET", "10-26 03:30 CET"}},
		{"UTC knows no change", "CRON_TZ=UTC 30 1 * * *", autumn, []string{"10-25 02:30 CET", "10-26 02:30 CET"}},
		{"every counts elapsed time", "@every 12h", autumn, []string{"10-25 00:00 CEST", "10-25 11:00 CET"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, firings(mustParse(t, c.line), c.from, len(c.want))); diff != "" {
				t.Errorf("firings (-want +got):\n%s", diff)
			}
		})
	}
}

// 2100 is no leap year, and the library looks five years ahead only.
func TestNextBeyondTheLibrarysHorizon(t *testing.T) {
	t.Parallel()
	got := mustParse(t, "0 0 29 2 *").Next(time.Date(2096, 3, 1, 0, 0, 0, 0, time.UTC))
	if want := time.Date(2104, 2, 29, 0, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("next is %s, want %s", got, want)
	}
}

func TestFollowingSkips(t *testing.T) {
	t.Parallel()
	last := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		line       string
		took, want time.Duration
	}{
		{"@every 1m", 0, time.Minute},
		{"@every 1m", 59 * time.Second, time.Minute},
		{"@every 1m", time.Minute, 2 * time.Minute},
		{"@every 1m", 150 * time.Second, 3 * time.Minute},
		{"@every 1s", 30 * 365 * 24 * time.Hour, 30*365*24*time.Hour + time.Second},
		{"*/10 * * * *", 25 * time.Minute, 30 * time.Minute},
	} {
		got := mustParse(t, c.line).following(last, last.Add(c.took)).Sub(last)
		if got != c.want {
			t.Errorf("%s after a run of %s: next firing after %s, want %s", c.line, c.took, got, c.want)
		}
	}
}

func TestZeroSpec(t *testing.T) {
	t.Parallel()
	var zero Spec
	if !zero.IsZero() || zero.String() != "" || !zero.Next(at).IsZero() {
		t.Errorf("zero spec: IsZero %v, String %q, Next %s", zero.IsZero(), zero, zero.Next(at))
	}
	if mustParse(t, "@hourly").IsZero() {
		t.Error("@hourly is zero")
	}
}

func TestSpecText(t *testing.T) {
	t.Parallel()
	type job struct{ When, Never Spec }
	want := job{When: mustParse(t, "CRON_TZ=Europe/Berlin 0 9 * * mon")}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got job
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back from %s (-want +got):\n%s", b, diff)
	}
	if err := json.Unmarshal([]byte(`{"When":"0 0 30 2 *"}`), &got); err == nil {
		t.Error("a line that never fires was unmarshalled")
	}
}
