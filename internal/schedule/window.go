package schedule

import (
	"fmt"
	"slices"
	"time"
)

// WindowOptions is a window as the configuration writes it.
type WindowOptions struct {
	Days  string // days of the week, as in "mon-fri" or "sat,sun"; empty: all
	Dates string // days of the month, as in "1-26" or "1..-4" (to the fourth-last); empty: all
	From  string // when it opens on such a day, as in "20:00"; empty: 00:00
	To    string // when it closes, 24:00 at most; before From: on the next day; empty: 24:00
	Zone  string // an IANA name; empty: the server's
}

// Window is a span of time that comes again: days, and a time of day. It is a
// value that ParseWindow made; the zero Window never opens. Windows are compared
// with Equal.
//
// It goes by what the clock on the wall of its zone shows. So where clocks are
// put forward over the time at which it opens, it opens at the first moment after
// the gap, and where an hour comes twice, both passes are inside or neither.
type Window struct {
	_        [0]func()
	options  WindowOptions
	weekdays [7]bool
	dates    [4][32]bool // by length of the month less 28, then by day
	from, to int         // seconds since midnight; to <= from: on the next day
	zone     *time.Location
}

// Options are the options that ParseWindow was given.
func (w Window) Options() WindowOptions { return w.options }

// Equal tells whether two windows are of the same options.
func (w Window) Equal(o Window) bool { return w.options == o.options }

const (
	dayLength = 24 * 60 * 60 // seconds
	// outlook is how far Next looks: two windows that never meet are no error.
	outlook = 366 * 24 * time.Hour
)

// open tells whether w is open at t.
func (w Window) open(t time.Time) bool {
	if w.zone == nil {
		return false
	}
	wall := civil(t.In(w.zone))
	now := secondOfDay(wall)
	if w.from < w.to {
		return w.begins(wall) && w.from <= now && now < w.to
	}
	return w.begins(wall) && w.from <= now || w.begins(wall.AddDate(0, 0, -1)) && now < w.to
}

// begins tells whether w opens on the day of wall.
func (w Window) begins(wall time.Time) bool {
	length := time.Date(wall.Year(), wall.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return w.weekdays[wall.Weekday()] && w.dates[length-28][wall.Day()]
}

// next is when w is open first, from t to end; the zero time: not until then.
func (w Window) next(t, end time.Time) time.Time {
	if w.zone == nil {
		return time.Time{}
	}
	for !w.open(t) {
		// Between two changes of the clock it can open at from only.
		wall := civil(t.In(w.zone))
		wait := w.from - secondOfDay(wall)
		if wait <= 0 {
			wait += dayLength
		}
		at := t.Truncate(time.Second).Add(time.Duration(wait) * time.Second)
		if _, end := period(t.In(w.zone)); !end.IsZero() && end.Before(at) {
			at = end
		}
		if t = at; t.After(end) {
			return time.Time{}
		}
	}
	return t
}

func secondOfDay(wall time.Time) int {
	return (wall.Hour()*60+wall.Minute())*60 + wall.Second()
}

// Windows are open where one of them is; without any, always.
type Windows []Window

// Open tells whether t is in one of the windows.
func (w Windows) Open(t time.Time) bool {
	return len(w) == 0 || slices.ContainsFunc(w, func(window Window) bool { return window.open(t) })
}

// Next is t itself where the windows are open at t, else when one opens next, in
// t's location; it is the zero time where none does within a year.
func (w Windows) Next(t time.Time) time.Time {
	if len(w) == 0 {
		return t
	}
	var first time.Time
	end := t.Add(outlook)
	for _, window := range w {
		at := window.next(t, end)
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			// The others need not be sought beyond it.
			first, end = at, at
		}
	}
	if first.IsZero() {
		return first
	}
	return first.In(t.Location())
}

// WindowError is an option of a window that ParseWindow refused.
type WindowError struct {
	Field string // days, dates, from, to or zone
	Value string // as it was given
	Why   string
	Mend  string
}

func (e *WindowError) Error() string {
	return fmt.Sprintf("parse window's %s %q: %s; %s", e.Field, e.Value, e.Why, e.Mend)
}
