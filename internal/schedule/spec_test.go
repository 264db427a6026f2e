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

func TestFollowingSkips(t *testing.T) {
	t.Parallel()
	last := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		line       string
		took, want time.Duration
	}{
		{"@every 1m", 0, time.Minute},
		{"@every 1m", 59 * time.Second, time.Minute},
		{"@every 1m", -5 * time.Second, time.Minute}, // moved forward by jitter
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
