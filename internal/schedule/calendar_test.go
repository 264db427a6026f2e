package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func mustLocation(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// In Berlin clocks go from 02:00 to 03:00 on 29 March 2026 and from 03:00 back
// to 02:00 on 25 October 2026; on Lord Howe by half an hour, from 02:00 to 02:30
// on 4 October 2026 and back on 5 April; in Santiago they skip and repeat the
// hour at midnight; Samoa left out 30 December 2011.
func TestNextAtClockChanges(t *testing.T) {
	t.Parallel()
	const berlin, howe, santiago, apia = "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia"
	spring, autumn := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, zone, line string
		from             time.Time
		want             []string
	}{
		{"in the gap: at its end", berlin, "30 2 * * *", spring, []string{"03-29 03:00 CEST", "03-30 02:30 CEST"}},
		{"in the gap: at the moment it begins with", berlin, "0 2 * * *", spring, []string{"03-29 03:00 CEST", "03-30 02:00 CEST"}},
		{"several in the gap: one", berlin, "*/20 2 * * *", spring, []string{"03-29 03:00 CEST", "03-30 02:00 CEST"}},
		{"the gap's and another at its end: one", berlin, "0 2,3 * * *", spring, []string{"03-29 03:00 CEST", "03-30 02:00 CEST"}},
		{"only that day of the year", berlin, "30 2 29 3 *", spring, []string{"03-29 03:00 CEST", "03-29 02:30 CEST"}},
		{"spring keeps the other hours", berlin, "30 3 * * *", spring, []string{"03-29 03:30 CEST", "03-30 03:30 CEST"}},
		{"twice: the first", berlin, "30 2 * * *", autumn, []string{"10-25 02:30 CEST", "10-26 02:30 CET"}},
		{"twice, from between the two", berlin, "30 2 * * *", autumn.Add(12*time.Hour + 45*time.Minute), []string{"10-26 02:30 CET"}},
		{"twice, from the second pass", berlin, "*/20 2 * * *", autumn.Add(13*time.Hour + 5*time.Minute), []string{"10-26 02:00 CET"}},
		{"twice, and what comes after", berlin, "0 2,3 * * *", autumn, []string{"10-25 02:00 CEST", "10-25 03:00 CET", "10-26 02:00 CET"}},
		{"the moment at which the clock is put back", berlin, "0 3 * * *", autumn, []string{"10-25 03:00 CET", "10-26 03:00 CET"}},
		{"a range of hours is named hours", berlin, "0 1-3 * * *", autumn, []string{"10-25 01:00 CEST", "10-25 02:00 CEST", "10-25 03:00 CET"}},
		{"autumn keeps the other hours", berlin, "30 3 * * *", autumn, []string{"10-25 03:30 CET", "10-26 03:30 CET"}},
		{"every hour, spring", berlin, "30 * * * *", spring.Add(12 * time.Hour), []string{"03-29 01:30 CET", "03-29 03:30 CEST"}},
		{"every hour, autumn", berlin, "30 * * * *", autumn.Add(11 * time.Hour), []string{"10-25 01:30 CEST", "10-25 02:30 CEST", "10-25 02:30 CET", "10-25 03:30 CET"}},
		{"@hourly, autumn", berlin, "@hourly", autumn.Add(11*time.Hour + 1), []string{"10-25 02:00 CEST", "10-25 02:00 CET", "10-25 03:00 CET"}},
		{"all hours are every hour", berlin, "0 0-23 * * *", autumn.Add(11*time.Hour + 1), []string{"10-25 02:00 CEST", "10-25 02:00 CET"}},
		{"every other hour, spring", berlin, "0 */2 * * *", spring.Add(10 * time.Hour), []string{"03-29 00:00 CET", "03-29 03:00 CEST", "03-29 04:00 CEST"}},
		{"every other hour, autumn", berlin, "0 */2 * * *", autumn.Add(9 * time.Hour), []string{"10-25 00:00 CEST", "10-25 02:00 CEST", "10-25 02:00 CET", "10-25 04:00 CET"}},
		{"every few minutes, autumn", berlin, "*/30 * * * *", autumn.Add(12 * time.Hour), []string{"10-25 02:30 CEST", "10-25 02:00 CET", "10-25 02:30 CET"}},
		{"UTC knows no change", berlin, "CRON_TZ=UTC 30 1 * * *", autumn, []string{"10-25 02:30 CET", "10-26 02:30 CET"}},
		{"the line's zone counts, not the asker's", "UTC", "CRON_TZ=Europe/Berlin 30 2 * * *", spring, []string{"03-29 01:00 UTC", "03-30 00:30 UTC"}},
		{"every counts elapsed time", berlin, "@every 12h", autumn.Add(-2 * time.Hour), []string{"10-25 00:00 CEST", "10-25 11:00 CET"}},
		{"half an hour's gap", howe, "15 2 * * *", time.Date(2026, 10, 3, 1, 0, 0, 0, time.UTC), []string{"10-04 02:30 +11", "10-05 02:15 +11"}},
		{"half an hour twice", howe, "45 1 * * *", time.Date(2026, 4, 4, 1, 0, 0, 0, time.UTC), []string{"04-05 01:45 +11", "04-06 01:45 +1030"}},
		{"no midnight", santiago, "@daily", time.Date(2026, 9, 5, 12, 0, 0, 0, time.UTC), []string{"09-06 01:00 -03", "09-07 00:00 -03"}},
		{"two midnights' hours", santiago, "30 23 * * *", time.Date(2026, 4, 4, 12, 0, 0, 0, time.UTC), []string{"04-04 23:30 -03", "04-05 23:30 -04"}},
		{"a day that was not", apia, "0 9,15 30 12 *", time.Date(2011, 12, 29, 0, 0, 0, 0, time.UTC), []string{"12-31 00:00 +14", "12-30 09:00 +14"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			from := c.from.In(mustLocation(t, c.zone))
			if diff := cmp.Diff(c.want, firings(mustParse(t, c.line), from, len(c.want))); diff != "" {
				t.Errorf("firings after %s (-want +got):\n%s", from, diff)
			}
		})
	}
}

// byHand is every time in [from, to) at which the wall's clock shows a minute of
// the calendar's for the first time, and every end of a gap with one in it. It
// watches the clock minute by minute and knows nothing of the code under test.
func byHand(line string, from, to time.Time, zone *time.Location, planned func(wall time.Time) bool) []string {
	var list []string
	seen := map[time.Time]bool{}
	for before := civil(from.Add(-26 * time.Hour).In(zone)); before.Before(civil(from.In(zone))); before = before.Add(time.Minute) {
		seen[before] = true
	}
	last := civil(from.Add(-time.Minute).In(zone))
	for t := from; t.Before(to); t = t.Add(time.Minute) {
		wall := civil(t.In(zone))
		fires := planned(wall) && !seen[wall]
		for gone := last.Add(time.Minute); gone.Before(wall); gone = gone.Add(time.Minute) {
			fires = fires || planned(gone)
		}
		if fires {
			list = append(list, line+" "+t.UTC().Format(time.RFC3339))
		}
		seen[wall] = true
		last = wall
	}
	return list
}

// Every local occurrence of a planned time of day happens once, in any zone and
// over any of its changes.
func TestEveryOccurrenceOnce(t *testing.T) {
	t.Parallel()
	zones := []string{
		"Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Africa/Casablanca",
		"Africa/Cairo", "Asia/Kolkata", "America/St_Johns", "Pacific/Chatham", "Asia/Beirut", "America/Havana", "UTC",
	}
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		hour, minute := rapid.IntRange(0, 4).Draw(t, "hour")*rapid.SampledFrom([]int{1, 1, 6}).Draw(t, "step")%24, rapid.SampledFrom([]int{0, 15, 30, 59}).Draw(t, "minute")
		weekday := rapid.SampledFrom([]string{"*", "sun", "mon"}).Draw(t, "weekday")
		// The days about a change, where there is one within the year.
		from := time.Date(rapid.IntRange(2008, 2030).Draw(t, "year"), 1, 1, 0, 0, 0, 0, time.UTC)
		if _, change := from.In(zone).ZoneBounds(); !change.IsZero() && rapid.Bool().Draw(t, "second change") {
			from = change.Add(time.Hour)
		}
		if _, change := from.In(zone).ZoneBounds(); !change.IsZero() {
			from = change.UTC().Add(-50 * time.Hour).Truncate(time.Hour)
		}
		to := from.Add(8 * 24 * time.Hour)

		line := time.Date(0, 1, 1, hour, minute, 0, 0, time.UTC).Format("4 15") + " * * " + weekday
		spec, err := Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		want := byHand(line, from, to, zone, func(wall time.Time) bool {
			return wall.Hour() == hour && wall.Minute() == minute && (weekday == "*" || wall.Weekday() == map[string]time.Weekday{"sun": 0, "mon": 1}[weekday])
		})
		var got []string
		for at := spec.Next(from.Add(-1).In(zone)); at.Before(to); at = spec.Next(at) {
			got = append(got, line+" "+at.UTC().Format(time.RFC3339))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s from %s in %s (-want +got):\n%s", line, from, zone, diff)
		}
	})
}

// From any moment Next gives the firing that a walk from afar comes to: it has
// no memory, and needs none.
func TestNextFromAnywhere(t *testing.T) {
	t.Parallel()
	zone := mustLocation(t, "Europe/Berlin")
	for _, line := range []string{"30 2 * * *", "*/20 2 * * *", "0 */2 * * *", "*/15 * * * *", "0 0,2,3 * * *"} {
		spec := mustParse(t, line)
		for _, from := range []time.Time{time.Date(2026, 3, 29, 0, 0, 0, 0, zone), time.Date(2026, 10, 25, 0, 0, 0, 0, zone)} {
			firing := spec.Next(from.Add(-24 * time.Hour))
			for at := from; at.Before(from.Add(6 * time.Hour)); at = at.Add(time.Minute) {
				for !firing.After(at) {
					firing = spec.Next(firing)
				}
				if got := spec.Next(at); !got.Equal(firing) {
					t.Errorf("%s after %s is %s, want %s", line, at, got, firing)
				}
			}
		}
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
