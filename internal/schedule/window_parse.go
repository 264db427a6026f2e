package schedule

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseWindow checks a window; the error is a *WindowError. One that could never
// open is refused.
//
// Days are sun to sat, in a list and in ranges; fri-mon goes over the week's end.
// Dates are days of the month, in a list and in ranges: -1 is the last day, -2
// the one before; a range with one of these is written with two dots, as in
// 1..-4, from the first to the fourth-last. A window over midnight belongs to
// the day on which it opens.
func ParseWindow(o WindowOptions) (Window, error) {
	w := Window{options: o}
	for _, parse := range []func() *WindowError{w.parseDays, w.parseDates, w.parseTimes, w.parseZone} {
		if refusal := parse(); refusal != nil {
			return Window{}, refusal
		}
	}
	return w, nil
}

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (w *Window) parseDays() *WindowError {
	if w.options.Days == "" {
		w.weekdays = [7]bool{true, true, true, true, true, true, true}
		return nil
	}
	for item := range strings.SplitSeq(w.options.Days, ",") {
		first, last, ranged := strings.Cut(item, "-")
		if !ranged {
			last = first
		}
		from, to := weekday(first), weekday(last)
		if from < 0 || to < 0 {
			why := fmt.Sprintf("%q is no day of the week and no range of them", strings.TrimSpace(item))
			return &WindowError{Field: "days", Value: w.options.Days, Why: why, Mend: "write sun, mon, tue, wed, thu, fri, sat, as in 'mon-fri' or 'sat,sun'"}
		}
		for day := from; ; day = (day + 1) % len(dayNames) {
			w.weekdays[day] = true
			if day == to {
				break
			}
		}
	}
	return nil
}

// weekday is -1 where name is none.
func weekday(name string) int {
	return slices.Index(dayNames, strings.ToLower(strings.TrimSpace(name)))
}

// dateItem is a day of the month or a range of them. The form with a dash takes
// no days from the end: nobody could read -4--1.
var dateItem = regexp.MustCompile(`^\s*(?:(\d+)\s*-\s*(\d+)|(-?\d+)\s*\.\.\s*(-?\d+)|(-?\d+))\s*$`)

func (w *Window) parseDates() *WindowError {
	dates := w.options.Dates
	if dates == "" {
		dates = "1..-1"
	}
	for item := range strings.SplitSeq(dates, ",") {
		if refusal := w.addDates(item); refusal != nil {
			return refusal
		}
	}
	return nil
}

// addDates adds the days of one item of Dates.
func (w *Window) addDates(item string) *WindowError {
	refuse := func(why, mend string) *WindowError {
		return &WindowError{Field: "dates", Value: w.options.Dates, Why: fmt.Sprintf("%q %s", strings.TrimSpace(item), why), Mend: mend}
	}
	m := dateItem.FindStringSubmatch(item)
	if m == nil {
		return refuse("is no day of the month and no range of them", "write them as in '1-26', '1..-4' (up to the fourth-last) or '1,15,-1' (-1 is the last)")
	}
	first, okFirst := monthDay(m[1] + m[3] + m[5])
	last, okLast := monthDay(m[2] + m[4] + m[5])
	if !okFirst || !okLast {
		return refuse("has a day that no month has", "write 1 to 31, or -1 (the last) to -31")
	}
	some := false
	for i := range w.dates {
		length := 28 + i
		for day := max(fromStart(first, length), 1); day <= min(fromStart(last, length), length); day++ {
			w.dates[i][day], some = true, true
		}
	}
	if !some {
		return refuse("is in no month", "write the earlier day first, and a range over the month's end as two: '28..-1,1..3'")
	}
	return nil
}

func monthDay(text string) (day int, ok bool) {
	day, err := strconv.Atoi(text)
	return day, err == nil && day != 0 && -31 <= day && day <= 31
}

// fromStart counts a day from the month's end from its start.
func fromStart(day, length int) int {
	if day < 0 {
		return length + 1 + day
	}
	return day
}

func (w *Window) parseTimes() *WindowError {
	var refusal *WindowError
	if w.from, refusal = timeOfDay("from", w.options.From, 0); refusal != nil {
		return refusal
	}
	if w.to, refusal = timeOfDay("to", w.options.To, dayLength); refusal != nil {
		return refusal
	}
	switch w.from {
	case dayLength:
		return &WindowError{Field: "from", Value: w.options.From, Why: "no day has that time", Mend: "write 00:00, and the day after"}
	case w.to:
		return &WindowError{Field: "to", Value: w.options.To, Why: "it closes when it opens", Mend: "write a later or an earlier time, or leave both out for the whole day"}
	}
	return nil
}

// timeOfDay is in seconds since midnight.
func timeOfDay(field, text string, otherwise int) (int, *WindowError) {
	if text == "" {
		return otherwise, nil
	}
	if text == "24:00" {
		return dayLength, nil
	}
	if at, err := time.Parse("15:04", text); err == nil {
		return secondOfDay(at), nil
	}
	return 0, &WindowError{Field: field, Value: text, Why: "it is no time of day", Mend: "write hours and minutes in quotes, from '00:00' to '24:00'"}
}

func (w *Window) parseZone() *WindowError {
	if w.options.Zone == "" {
		w.zone = time.Local
		return nil
	}
	zone, err := time.LoadLocation(w.options.Zone)
	if err != nil {
		return &WindowError{Field: "zone", Value: w.options.Zone, Why: "no such time zone is known", Mend: "write an IANA name, as in Europe/Berlin"}
	}
	w.zone = zone
	return nil
}
