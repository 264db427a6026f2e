package schedule

import (
	"time"

	"github.com/robfig/cron/v3"
)

// Spec says when to fire. It is a value; the zero Spec never fires. Specs are
// compared with Equal: == does not compile, because equal lines parsed twice
// hold different pointers.
type Spec struct {
	_     [0]func()
	text  string
	every time.Duration      // of @every, else 0
	line  *cron.SpecSchedule // of everything else, in UTC; never changed once parsed
	zone  *time.Location     // of CRON_TZ, else nil

	makesUp bool // what falls into a gap of the clock comes at the gap's end
	repeats bool // what falls into an hour that comes twice comes twice
}

// String is the line that Parse was given, with single spaces.
func (s Spec) String() string { return s.text }

// IsZero tells whether s is the zero Spec, which never fires.
func (s Spec) IsZero() bool { return s.text == "" }

// Equal tells whether two specs are the same line.
func (s Spec) Equal(o Spec) bool { return s.text == o.text }

// Next is the first firing after t, in t's location; for the zero Spec it is
// the zero time. A spec that came from Parse always has a next firing.
func (s Spec) Next(t time.Time) time.Time {
	switch {
	case s.every > 0:
		return t.Add(s.every)
	case s.line == nil:
		return time.Time{}
	}
	// Round(0) drops the monotonic reading: a cron line means the wall clock.
	return s.nextByCalendar(t.Round(0))
}

// following is the first firing after now of a series in which last was one:
// firings between the two are skipped.
func (s Spec) following(last, now time.Time) time.Time {
	if s.every > 0 {
		return last.Add((now.Sub(last)/s.every + 1) * s.every)
	}
	return s.Next(now)
}

// MarshalText writes what String gives.
func (s Spec) MarshalText() ([]byte, error) { return []byte(s.text), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Spec) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*s = Spec{}
		return nil
	}
	*s, err = Parse(string(b))
	return err
}
