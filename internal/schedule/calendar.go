package schedule

import (
	"strings"
	"time"
)

const (
	// horizon is how far the library looks for a firing before it gives up.
	horizon = 5 // years
	// maxPeriods bounds the search for a firing: firings are eight years apart at
	// most, and no zone changes its clock more than a few times a year.
	maxPeriods = 200
	// everyHour are the bits of an hour field that names all of them.
	everyHour = 1<<24 - 1
)

// civil is what the clock on the wall shows at t, as a time in UTC: in it a
// calendar has neither gaps nor repetitions.
func civil(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// period is the span about t in which the wall's clock runs like any other: from
// start, which is t at the latest, to end, which is after t. Either is the zero
// time where there is none.
func period(t time.Time) (start, end time.Time) {
	start, end = t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		// By a zone's rule for the years to come Go ends a year after 365 days, in
		// UTC, and says so on the 366th, too. It keeps one offset until midnight.
		end = t.Truncate(24 * time.Hour).Add(24 * time.Hour)
	}
	return start, end
}

// nextByCalendar is Next of a cron line. The library is asked in civil time
// only: by itself it leaves out what falls into a gap, and repeats what falls
// into an hour that comes twice.
func (s Spec) nextByCalendar(t time.Time) time.Time {
	zone := s.zone
	if zone == nil {
		zone = t.Location()
	}
	local, from := t.In(zone), civil(t.In(zone))
	for n := 1; ; n++ {
		start, end := period(local)
		if !s.repeats && !start.IsZero() {
			// What the wall showed before its clock was put back has had its firing.
			from = later(from, civil(start.Add(-1)))
		}
		firing := s.nextCivil(from)
		at := local.Add(firing.Sub(civil(local)))
		switch {
		case end.IsZero() || at.Before(end) || n == maxPeriods:
			return at.In(t.Location())
		case s.makesUp && firing.Before(civil(end)):
			return end.In(t.Location())
		}
		local, from = end, civil(end).Add(-1)
	}
}

// nextCivil is the first firing of the line after from.
func (s Spec) nextCivil(from time.Time) time.Time {
	next := s.line.Next(from)
	// 29 February is eight years away around 2100.
	if next.IsZero() {
		next = s.line.Next(from.AddDate(horizon, 0, 0))
	}
	return next
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// followClocks fixes how the line, which is rest without its zone, takes a change
// of the clocks. A line of all hours misses nothing by a gap; one whose hours are
// a step of all (*/2) means a distance more than a time of day.
func (s *Spec) followClocks(rest string) {
	all := s.line.Hour&everyHour == everyHour
	fields := strings.Fields(rest)
	s.makesUp = !all
	s.repeats = all || len(fields) > 1 && strings.HasPrefix(fields[1], "*")
}
