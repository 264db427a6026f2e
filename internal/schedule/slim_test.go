package schedule

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// zoneOf makes a zone of a rule for the years to come (the TZ of POSIX), and
// nothing else: what slim zone data, such as those in Go itself, hold of today.
// It goes by the rule from 1970 on, and by UTC before.
func zoneOf(t interface{ Fatal(...any) }, rule string) *time.Location {
	header := func(changes uint32) []byte {
		b := append([]byte("TZif2"), make([]byte, 15+3*4)...)
		for _, n := range []uint32{changes, 1, 4} {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		return b
	}
	kind := append(make([]byte, 6), "UTC\x00"...)
	data := slices.Concat(header(0), kind, header(1), make([]byte, 8+1), kind, []byte("\n"+rule+"\n"))
	zone, err := time.LoadLocationFromTZData(rule, data)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// restless makes a zone that puts its clock forward and back again day by day,
// from 2026 on for count days.
func restless(t testing.TB, count int) *time.Location {
	t.Helper()
	data := append([]byte("TZif\x00"), make([]byte, 15+3*4)...)
	for _, n := range []int{count, 2, 4} {
		data = binary.BigEndian.AppendUint32(data, uint32(n))
	}
	first := time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC)
	for i := range count {
		data = binary.BigEndian.AppendUint32(data, uint32(first.AddDate(0, 0, i).Unix()))
	}
	for i := range count {
		data = append(data, byte(1-i%2))
	}
	data = slices.Concat(data, []byte{0, 0, 0, 0, 0, 0}, []byte{0, 0, 0x0e, 0x10, 1, 0}, []byte("UTC\x00"))
	zone, err := time.LoadLocationFromTZData("restless", data)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// The rules that hold today; the last two have a change on the last day of a
// leap year, and on the day after, which no zone has.
var rules = []string{
	"CET-1CEST,M3.5.0,M10.5.0/3",
	"EST5EDT,M3.2.0,M11.1.0",
	"IST-1GMT0,M10.5.0,M3.5.0/1",
	"<-04>4<-03>,M9.1.6/24,M4.1.6/24",
	"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
	"NZST-12NZDT,M9.5.0,M4.1.0/3",
	"<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
	"EET-2EEST,M4.5.5/0,M10.5.4/24",
	"IST-5:30",
	"XXX-3YYY,M6.1.0,J365/12",
	"XXX3YYY,J1/2,M6.1.0",
}

// By a rule Go has the last day of a leap year outside of every period.
func TestNextAtTheEndOfALeapYear(t *testing.T) {
	t.Parallel()
	berlin, york := zoneOf(t, "CET-1CEST,M3.5.0,M10.5.0/3"), zoneOf(t, "EST5EDT,M3.2.0,M11.1.0")
	for _, c := range []struct {
		name, line string
		from       time.Time
		want       []string
	}{
		{"by day", "0 3 * * *", time.Date(2028, 12, 29, 12, 0, 0, 0, berlin), []string{"12-30 03:00 CET", "12-31 03:00 CET", "01-01 03:00 CET", "01-02 03:00 CET"}},
		{"from within the day", "0 3 * * *", time.Date(2028, 12, 31, 2, 0, 0, 0, berlin), []string{"12-31 03:00 CET", "01-01 03:00 CET"}},
		{"from its first moment in UTC", "*/30 * * * *", time.Date(2028, 12, 31, 1, 0, 0, 0, berlin), []string{"12-31 01:30 CET", "12-31 02:00 CET"}},
		{"at the moment at which it ends in UTC", "0 1 * * *", time.Date(2028, 12, 31, 12, 0, 0, 0, berlin), []string{"01-01 01:00 CET", "01-02 01:00 CET"}},
		{"over it: rare", "0 3 29 2 *", time.Date(2026, 11, 22, 12, 0, 0, 0, berlin), []string{"02-29 03:00 CET", "02-29 03:00 CET"}},
		{"over it: to the next change", "30 2 31 3 *", time.Date(2040, 12, 31, 12, 0, 0, 0, berlin), []string{"03-31 03:00 CEST", "03-31 02:30 CEST"}},
		{"@yearly", "@yearly", time.Date(2028, 1, 1, 0, 0, 0, 0, berlin), []string{"01-01 00:00 CET", "01-01 00:00 CET"}},
		{"west of Greenwich", "30 20 * * *", time.Date(2028, 12, 30, 0, 0, 0, 0, york), []string{"12-30 20:30 EST", "12-31 20:30 EST", "01-01 20:30 EST"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, firings(mustParse(t, c.line), c.from, len(c.want))); diff != "" {
				t.Errorf("firings after %s (-want +got):\n%s", c.from, diff)
			}
		})
	}
}

func TestWindowsAtTheEndOfALeapYear(t *testing.T) {
	t.Parallel()
	zone := zoneOf(t, "CET-1CEST,M3.5.0,M10.5.0/3")
	for _, c := range []struct {
		window   WindowOptions
		at, next time.Time
	}{
		{WindowOptions{Dates: "1..-4"}, time.Date(2028, 12, 29, 12, 0, 0, 0, zone), time.Date(2029, 1, 1, 0, 0, 0, 0, zone)},
		{WindowOptions{Dates: "1..-4"}, time.Date(2028, 12, 31, 12, 0, 0, 0, zone), time.Date(2029, 1, 1, 0, 0, 0, 0, zone)},
		{WindowOptions{From: "20:00", To: "22:00"}, time.Date(2028, 12, 31, 1, 0, 0, 0, zone), time.Date(2028, 12, 31, 20, 0, 0, 0, zone)},
		{WindowOptions{Dates: "25", From: "02:30", To: "05:00"}, time.Date(2040, 12, 31, 2, 0, 0, 0, zone), time.Date(2041, 1, 25, 2, 30, 0, 0, zone)},
	} {
		w := mustParseWindow(t, c.window)
		w.zone = zone
		if got := (Windows{w}).Next(c.at); !got.Equal(c.next) {
			t.Errorf("%+v after %s: %s, want %s", c.window, c.at, got, c.next)
		}
	}
}

// Periods follow each other without a gap, and within one the clock keeps its
// offset, whatever the rule and the year.
func TestPeriods(t *testing.T) {
	t.Parallel()
	for _, rule := range rules {
		at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).In(zoneOf(t, rule))
		steps := 0
		for ; at.Year() < 2061; steps++ {
			start, end := period(at)
			if end.IsZero() { // no change any more
				break
			}
			if start.After(at) || !end.After(at) || steps > 37*5 {
				t.Fatalf("%s: period %d of %s is from %s to %s", rule, steps, at, start, end)
			}
			_, offset := at.Zone()
			for hour := at; hour.Before(end); hour = hour.Add(time.Hour) {
				if _, got := hour.Zone(); got != offset {
					t.Fatalf("%s: at %s the offset is %d, at %s it is %d", rule, at, offset, hour, got)
				}
			}
			at = end
		}
	}
}

// anyRule draws a zone's rule; most are of no zone that there is.
func anyRule(t *rapid.T) string {
	if rapid.Bool().Draw(t, "known") {
		return rapid.SampledFrom(rules).Draw(t, "rule")
	}
	return "XXX" + rapid.StringMatching(`-?(1[0-2]|[0-9])(:30)?`).Draw(t, "offset") + "YYY," +
		rapid.StringMatching(`(M(1[0-2]|[1-9])\.[1-5]\.[0-6]|J([1-9][0-9]?|36[0-5]))(/-?([1-9]|2[0-6]))?`).Draw(t, "start") + "," +
		rapid.StringMatching(`(M(1[0-2]|[1-9])\.[1-5]\.[0-6]|J([1-9][0-9]?|36[0-5]))(/-?([1-9]|2[0-6]))?`).Draw(t, "end")
}

// Whatever a zone says, what is sought is found after bounded time, and after
// the time from which it is sought.
func TestNextEndsInAnyZone(t *testing.T) {
	t.Parallel()
	lines := []string{"0 3 * * *", "30 2 * * *", "*/7 * * * *", "0 */6 * * *", "@yearly", "@monthly", "0 3 29 2 *", "59 23 31 12 *", "0 0 1 1 mon"}
	rapid.Check(t, func(t *rapid.T) {
		zone := zoneOf(t, anyRule(t))
		spec, err := Parse(rapid.SampledFrom(lines).Draw(t, "line"))
		if err != nil {
			t.Fatal(err)
		}
		w, err := ParseWindow(WindowOptions{
			Dates: rapid.SampledFrom([]string{"", "1..-4", "-1", "31"}).Draw(t, "dates"), From: rapid.SampledFrom([]string{"", "02:30", "20:00"}).Draw(t, "from"), To: "06:00",
		})
		if err != nil {
			t.Fatal(err)
		}
		w.zone = zone
		at := time.Date(rapid.IntRange(2024, 2060).Draw(t, "year"), 12, 31, 0, rapid.IntRange(-3000, 3000).Draw(t, "minutes"), 0, 0, time.UTC).In(zone)
		last := at
		for range 4 {
			next := spec.Next(last)
			if !next.After(last) || next.Sub(last) > 9*366*24*time.Hour {
				t.Fatalf("%s in %s after %s: %s", spec, zone, last, next)
			}
			last = next
		}
		if next := (Windows{w}).Next(at); next.Before(at) || !w.open(next) || next.After(at) && w.open(next.Add(-time.Second)) {
			t.Fatalf("%+v in %s after %s: %s", w.Options(), zone, at, next)
		}
	})
}

// A zone whose clock never rests has to be given up on: the firing is the one by
// the clock as it stands then.
func TestNextEndsInARestlessZone(t *testing.T) {
	t.Parallel()
	zone := restless(t, 3000)
	at := time.Date(2026, 1, 2, 12, 0, 0, 0, zone)
	next := mustParse(t, "0 12 1 1 *").Next(at)
	if want := time.Date(2027, 1, 1, 12, 0, 0, 0, zone); next.Sub(want).Abs() > time.Hour {
		t.Errorf("next is %s, want %s, give or take an hour", next, want)
	}
}

// Each occurrence about the ends of years by the rule, held against the wall's
// clock minute by minute.
func TestEveryOccurrenceByTheRule(t *testing.T) {
	t.Parallel()
	for _, rule := range rules[:9] {
		zone := zoneOf(t, rule)
		for _, year := range []int{2028, 2039, 2040} {
			from := time.Date(year, 12, 25, 0, 0, 0, 0, time.UTC)
			to := from.AddDate(0, 0, 11)
			spec := mustParse(t, "30 */5 * * *")
			spec.repeats = false
			want := byHand(rule, from, to, zone, func(wall time.Time) bool { return wall.Hour()%5 == 0 && wall.Minute() == 30 })
			var got []string
			for at := spec.Next(from.Add(-1).In(zone)); at.Before(to); at = spec.Next(at) {
				got = append(got, rule+" "+at.UTC().Format(time.RFC3339))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s in %d (-want +got):\n%s", rule, year, diff)
			}
		}
	}
}
