package schedule

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func mustParseWindow(t testing.TB, o WindowOptions) Window {
	t.Helper()
	w, err := ParseWindow(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// wall reads a time of day as the clocks of Berlin show it, CEST or CET.
func wall(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05 MST", text, mustLocation(t, "Europe/Berlin"))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

const berlin = "Europe/Berlin"

// 20 November 2026 is a Friday. Where next is empty the window is open.
func TestWindows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		window   WindowOptions
		at, next string
	}{
		{"always", WindowOptions{}, "2026-11-20 12:00:00 CET", ""},
		{"before", WindowOptions{From: "20:00", To: "22:00"}, "2026-11-20 19:59:59 CET", "2026-11-20 20:00:00 CET"},
		{"at its start", WindowOptions{From: "20:00", To: "22:00"}, "2026-11-20 20:00:00 CET", ""},
		{"in its last second", WindowOptions{From: "20:00", To: "22:00"}, "2026-11-20 21:59:59 CET", ""},
		{"at its end", WindowOptions{From: "20:00", To: "22:00"}, "2026-11-20 22:00:00 CET", "2026-11-21 20:00:00 CET"},
		{"from alone", WindowOptions{From: "20:00"}, "2026-11-20 23:59:59 CET", ""},
		{"from alone, after midnight", WindowOptions{From: "20:00"}, "2026-11-21 00:00:00 CET", "2026-11-21 20:00:00 CET"},
		{"to alone", WindowOptions{To: "6:00"}, "2026-11-20 00:00:00 CET", ""},
		{"to alone, after it", WindowOptions{To: "6:00"}, "2026-11-20 06:00:00 CET", "2026-11-21 00:00:00 CET"},
		{"24:00 is the day's end", WindowOptions{From: "22:00", To: "24:00"}, "2026-11-20 23:59:59 CET", ""},
		{"00:00 as well", WindowOptions{From: "22:00", To: "00:00"}, "2026-11-20 23:59:59 CET", ""},
		{"00:00, after midnight", WindowOptions{From: "22:00", To: "00:00"}, "2026-11-21 00:00:00 CET", "2026-11-21 22:00:00 CET"},

		{"over midnight, before it", WindowOptions{Days: "fri", From: "20:00", To: "06:00"}, "2026-11-20 23:00:00 CET", ""},
		{"over midnight, after it: the day it began", WindowOptions{Days: "fri", From: "20:00", To: "06:00"}, "2026-11-21 05:59:59 CET", ""},
		{"over midnight, at its end", WindowOptions{Days: "fri", From: "20:00", To: "06:00"}, "2026-11-21 06:00:00 CET", "2026-11-27 20:00:00 CET"},
		{"over midnight, the morning of its own day", WindowOptions{Days: "fri", From: "20:00", To: "06:00"}, "2026-11-20 05:00:00 CET", "2026-11-20 20:00:00 CET"},
		{"over midnight, from the month's last day", WindowOptions{Dates: "-1", From: "20:00", To: "06:00"}, "2026-12-01 05:00:00 CET", ""},

		{"a day not of it", WindowOptions{Days: "mon-fri"}, "2026-11-21 12:00:00 CET", "2026-11-23 00:00:00 CET"},
		{"a list of days", WindowOptions{Days: "sat, SUN"}, "2026-11-20 12:00:00 CET", "2026-11-21 00:00:00 CET"},
		{"over the week's end", WindowOptions{Days: "sat-mon"}, "2026-11-23 12:00:00 CET", ""},
		{"over the week's end, after it", WindowOptions{Days: "sat-mon"}, "2026-11-24 12:00:00 CET", "2026-11-28 00:00:00 CET"},

		{"up to the fourth-last, of 30", WindowOptions{Dates: "1..-4"}, "2026-11-27 23:59:59 CET", ""},
		{"up to the fourth-last, after it", WindowOptions{Dates: "1..-4"}, "2026-11-28 00:00:00 CET", "2026-12-01 00:00:00 CET"},
		{"up to the fourth-last, of 28", WindowOptions{Dates: "1..-4"}, "2026-02-26 00:00:00 CET", "2026-03-01 00:00:00 CET"},
		{"up to the fourth-last, of 31", WindowOptions{Dates: "1..-4"}, "2026-12-28 12:00:00 CET", ""},
		{"dates", WindowOptions{Dates: "1-10, 20"}, "2026-11-20 12:00:00 CET", ""},
		{"dates, between", WindowOptions{Dates: "1-10, 20"}, "2026-11-11 12:00:00 CET", "2026-11-20 00:00:00 CET"},
		{"a date that some months lack", WindowOptions{Dates: "31"}, "2026-11-20 12:00:00 CET", "2026-12-31 00:00:00 CET"},
		{"a day counted back that some months lack", WindowOptions{Dates: "-31"}, "2026-11-20 12:00:00 CET", "2026-12-01 00:00:00 CET"},
		{"dates and days: both", WindowOptions{Dates: "13", Days: "fri"}, "2026-11-20 12:00:00 CET", "2027-08-13 00:00:00 CEST"},
		{"from two ends", WindowOptions{Dates: "-3..-1,1..3"}, "2026-11-20 12:00:00 CET", "2026-11-28 00:00:00 CET"},

		{"the start falls into the gap", WindowOptions{From: "02:30", To: "05:00"}, "2026-03-29 01:59:59 CET", "2026-03-29 03:00:00 CEST"},
		{"the end falls into the gap", WindowOptions{From: "01:00", To: "02:30"}, "2026-03-29 03:00:00 CEST", "2026-03-30 01:00:00 CEST"},
		{"all of it falls into the gap", WindowOptions{From: "02:10", To: "02:50"}, "2026-03-29 01:59:59 CET", "2026-03-30 02:10:00 CEST"},
		{"the first pass", WindowOptions{From: "02:15", To: "02:45"}, "2026-10-25 02:30:00 CEST", ""},
		{"between the passes", WindowOptions{From: "02:15", To: "02:45"}, "2026-10-25 02:50:00 CEST", "2026-10-25 02:15:00 CET"},
		{"the second pass", WindowOptions{From: "02:15", To: "02:45"}, "2026-10-25 02:30:00 CET", ""},
		{"opened again by the clock", WindowOptions{From: "01:00", To: "02:30"}, "2026-10-25 02:45:00 CEST", "2026-10-25 02:00:00 CET"},
		{"seen from another zone", WindowOptions{From: "20:00", Zone: "America/New_York"}, "2026-11-20 12:00:00 CET", "2026-11-21 02:00:00 CET"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.window.Zone == "" {
				c.window.Zone = berlin
			}
			at, windows := wall(t, c.at), Windows{mustParseWindow(t, c.window)}
			want := at
			if c.next != "" {
				want = wall(t, c.next)
			}
			if got := windows.Next(at); !got.Equal(want) || got.Location() != at.Location() {
				t.Errorf("next after %s is %s, want %s", at, got, want)
			}
			if got := windows.Open(at); got != (c.next == "") {
				t.Errorf("open at %s: %v", at, got)
			}
		})
	}
}

func TestSeveralWindows(t *testing.T) {
	t.Parallel()
	night := mustParseWindow(t, WindowOptions{Days: "mon-fri", From: "20:00", To: "06:00", Zone: berlin})
	weekend := mustParseWindow(t, WindowOptions{Days: "sat,sun", Zone: berlin})
	// 2026 has no Wednesday the 31st; the next is on 31 March 2027.
	rare := mustParseWindow(t, WindowOptions{Dates: "31", Days: "wed", Zone: berlin})
	saturday := wall(t, "2026-11-21 12:00:00 CET")
	friday := wall(t, "2026-11-20 12:00:00 CET")
	for _, c := range []struct {
		name     string
		windows  Windows
		at, next time.Time
	}{
		{"none: always", nil, friday, friday},
		{"in one of two", Windows{night, weekend}, saturday, saturday},
		{"the earlier of two", Windows{weekend, night}, friday, friday.Add(8 * time.Hour)},
		{"the earlier of two, the other way round", Windows{night, weekend}, friday, friday.Add(8 * time.Hour)},
		{"not within a year", Windows{rare}, wall(t, "2026-01-01 00:00:00 CET"), time.Time{}},
		{"the zero window never opens", Windows{{}}, friday, time.Time{}},
	} {
		if got := c.windows.Next(c.at); !got.Equal(c.next) {
			t.Errorf("%s: next after %s is %s, want %s", c.name, c.at, got, c.next)
		}
		if got := c.windows.Open(c.at); got != c.at.Equal(c.next) {
			t.Errorf("%s: open at %s: %v", c.name, c.at, got)
		}
	}
}

func TestParseWindowRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		options    WindowOptions
		field, why string
	}{
		{WindowOptions{Days: "mon-"}, "days", `"mon-" is no day of the week and no range of them`},
		{WindowOptions{Days: "mon,,tue"}, "days", `"" is no day of the week and no range of them`},
		{WindowOptions{Days: "monday"}, "days", `"monday" is no day of the week and no range of them`},
		{WindowOptions{Days: "1-5"}, "days", `"1-5" is no day of the week and no range of them`},
		{WindowOptions{Dates: "x"}, "dates", `"x" is no day of the month and no range of them`},
		{WindowOptions{Dates: "1,"}, "dates", `"" is no day of the month and no range of them`},
		{WindowOptions{Dates: "-4--1"}, "dates", `"-4--1" is no day of the month and no range of them`},
		{WindowOptions{Dates: "0"}, "dates", `"0" has a day that no month has`},
		{WindowOptions{Dates: "32"}, "dates", `"32" has a day that no month has`},
		{WindowOptions{Dates: "1..-32"}, "dates", `"1..-32" has a day that no month has`},
		{WindowOptions{Dates: "1-99999999999999999999"}, "dates", `"1-99999999999999999999" has a day that no month has`},
		{WindowOptions{Dates: "28-3"}, "dates", `"28-3" is in no month`},
		{WindowOptions{Dates: "30..-30"}, "dates", `"30..-30" is in no month`},
		{WindowOptions{From: "20"}, "from", "it is no time of day"},
		{WindowOptions{From: "24:01"}, "from", "it is no time of day"},
		{WindowOptions{From: "20:60"}, "from", "it is no time of day"},
		{WindowOptions{From: "-1:00"}, "from", "it is no time of day"},
		{WindowOptions{From: "20:00:00"}, "from", "it is no time of day"},
		{WindowOptions{From: "24:00"}, "from", "no day has that time"},
		{WindowOptions{To: "6pm"}, "to", "it is no time of day"},
		{WindowOptions{From: "20:00", To: "20:00"}, "to", "it closes when it opens"},
		{WindowOptions{To: "00:00"}, "to", "it closes when it opens"},
		{WindowOptions{Zone: "Berlin"}, "zone", "no such time zone is known"},
		{WindowOptions{Zone: "../etc"}, "zone", "no such time zone is known"},
	} {
		w, err := ParseWindow(c.options)
		refusal, ok := err.(*WindowError) //nolint:errorlint // the contract is the type itself
		if !ok {
			t.Errorf("%+v: %v, want a *WindowError", c.options, err)
			continue
		}
		if diff := cmp.Diff([]string{c.field, c.why}, []string{refusal.Field, refusal.Why}); diff != "" || refusal.Mend == "" || refusal.Value == "" && c.options.Zone != "" {
			t.Errorf("%+v: %v (-want +got):\n%s", c.options, err, diff)
		}
		if !w.Equal(Window{}) || w.open(time.Now()) {
			t.Errorf("%+v was refused, yet gave a window", c.options)
		}
	}
}

func TestWindowIsAValue(t *testing.T) {
	t.Parallel()
	options := WindowOptions{Days: "mon-fri", Dates: "1..-4", From: "20:00", To: "06:00", Zone: berlin}
	a, b := mustParseWindow(t, options), mustParseWindow(t, options)
	if diff := cmp.Diff(Windows{a}, Windows{b}); diff != "" {
		t.Errorf("equal options differ:\n%s", diff)
	}
	if got := a.Options(); got != options {
		t.Errorf("Options() = %+v, want %+v", got, options)
	}
	options.To = "07:00"
	if a.Equal(mustParseWindow(t, options)) {
		t.Error("windows with different ends are equal")
	}
}

// Next is the first minute, watched one by one, at which a window is open by what
// the wall shows; the zones change their clocks at and about midnight, too.
func TestNextIsWhenTheWallSaysSo(t *testing.T) {
	t.Parallel()
	zones := []string{berlin, "America/Santiago", "Australia/Lord_Howe", "Africa/Cairo", "America/Havana", "UTC"}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(zones).Draw(t, "zone")
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		clock := func(label string) int { return rapid.IntRange(0, 47).Draw(t, label) * 30 }
		from, to := clock("from"), clock("to")
		if from == to {
			to += 15
		}
		text := func(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }
		day := rapid.IntRange(0, 6).Draw(t, "day")
		w, err := ParseWindow(WindowOptions{Days: dayNames[day] + "," + dayNames[(day+1)%7], From: text(from), To: text(to), Zone: name})
		if err != nil {
			t.Fatal(err)
		}
		inside := func(t time.Time) bool {
			t = t.In(zone)
			now := t.Hour()*60 + t.Minute()
			if from > to && now < to {
				now, t = now+24*60, time.Date(t.Year(), t.Month(), t.Day()-1, 12, 0, 0, 0, time.UTC)
			}
			end := to
			if from > to {
				end += 24 * 60
			}
			return (int(t.Weekday()) == day || int(t.Weekday()) == (day+1)%7) && from <= now && now < end
		}
		at := time.Date(rapid.IntRange(2024, 2028).Draw(t, "year"), 1, 1, 0, 0, 0, 0, time.UTC)
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			if _, change := at.In(zone).ZoneBounds(); !change.IsZero() {
				at = change.UTC()
			}
		}
		at = at.Add(time.Duration(rapid.IntRange(-2*24*60, 24*60).Draw(t, "minutes")) * time.Minute)
		want := at
		for !inside(want) {
			want = want.Add(time.Minute)
		}
		if got := (Windows{w}).Next(at); !got.Equal(want) {
			t.Fatalf("%+v after %s: %s, want %s", w.Options(), at.In(zone), got.In(zone), want.In(zone))
		}
	})
}

func FuzzParseWindow(f *testing.F) {
	f.Add("mon-fri", "1..-4", "20:00", "06:00", berlin, int64(1_774_746_000))
	f.Add("sat,sun", "-1,1-3", "", "24:00", "America/Santiago", int64(1_792_890_000))
	f.Add("x", "32", "24:00", "0", "Local", int64(0))
	f.Fuzz(func(t *testing.T, days, dates, from, to, zone string, unix int64) {
		w, err := ParseWindow(WindowOptions{days, dates, from, to, zone})
		if err != nil {
			if !w.Equal(Window{}) {
				t.Fatalf("refused, yet a window: %v", err)
			}
			return
		}
		// 1970 to 2200.
		const span = 230 * 365 * 24 * 3600
		at := time.Unix((unix%span+span)%span, 0).UTC()
		windows := Windows{w}
		next := windows.Next(at)
		switch {
		case windows.Open(at) != next.Equal(at):
			t.Fatalf("open at %s: %v, next is %s", at, windows.Open(at), next)
		case next.IsZero():
		case next.Before(at) || !windows.Open(next) || next.After(at) && windows.Open(next.Add(-time.Second)):
			t.Fatalf("next after %s is %s, which is not when it opens", at, next)
		}
	})
}

func BenchmarkWindowsNext(b *testing.B) {
	windows := Windows{mustParseWindow(b, WindowOptions{Days: "fri", Dates: "13", From: "20:00", To: "06:00", Zone: berlin})}
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for b.Loop() {
		windows.Next(at)
	}
}
