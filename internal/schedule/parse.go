package schedule

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // CRON_TZ must work in an image without zoneinfo; 410 KB

	"github.com/robfig/cron/v3"
)

// ParseError is a line that Parse refused.
type ParseError struct {
	Line string // as it was given
	Why  string
	Mend string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("parse schedule %q: %s; %s", e.Line, e.Why, e.Mend)
}

const (
	zonePrefix = "CRON_TZ="
	everyName  = "@every"
	mendForms  = "write five fields as in '17 3 * * *', @hourly, @daily, @weekly, @monthly, @yearly, or '@every 1m'"
)

// Parse reads a cron line of five fields, a descriptor such as @hourly, or
// @every with a duration; CRON_TZ=Zone may stand before the first two. A line
// that never fires, an interval below a second or not of whole seconds, and
// anything else that the library would bend silently is a *ParseError.
func Parse(s string) (Spec, error) {
	spec, refusal := parse(strings.Join(strings.Fields(s), " "))
	if refusal != nil {
		refusal.Line = s
		return Spec{}, refusal
	}
	return spec, nil
}

func parse(text string) (Spec, *ParseError) {
	zone, rest, refusal := cutZone(text)
	switch {
	case refusal != nil:
		return Spec{}, refusal
	case rest == "":
		return Spec{}, &ParseError{Why: "it is empty", Mend: mendForms}
	case rest == everyName || strings.HasPrefix(rest, everyName+" "):
		return parseEvery(text, zone, strings.TrimPrefix(rest, everyName))
	}
	return parseLine(text, rest)
}

// cutZone splits CRON_TZ=Zone from the rest. The library takes an empty zone
// for UTC and panics where nothing follows.
func cutZone(text string) (zone, rest string, refusal *ParseError) {
	if strings.HasPrefix(text, "TZ=") {
		return "", "", &ParseError{Why: "TZ= is not understood", Mend: "write CRON_TZ= in its place"}
	}
	rest, ok := strings.CutPrefix(text, zonePrefix)
	if !ok {
		return "", text, nil
	}
	zone, rest, _ = strings.Cut(rest, " ")
	if zone == "" {
		return "", "", &ParseError{Why: "CRON_TZ= names no time zone", Mend: "write one, as in CRON_TZ=Europe/Berlin"}
	}
	if _, err := time.LoadLocation(zone); err != nil {
		return "", "", &ParseError{Why: fmt.Sprintf("no time zone %q is known", zone), Mend: "write an IANA name, as in CRON_TZ=Europe/Berlin"}
	}
	return zone, rest, nil
}

func parseEvery(text, zone, duration string) (Spec, *ParseError) {
	if zone != "" {
		return Spec{}, &ParseError{Why: "@every counts elapsed time, in which a time zone means nothing", Mend: "leave CRON_TZ= out"}
	}
	every, err := time.ParseDuration(strings.TrimSpace(duration))
	switch {
	case err != nil:
		return Spec{}, &ParseError{Why: "@every needs a duration", Mend: "write one, as in '@every 1m' or '@every 1h30m'"}
	case every < time.Second:
		return Spec{}, &ParseError{Why: "the interval is below one second", Mend: "write '@every 1s' or longer"}
	case every%time.Second != 0:
		return Spec{}, &ParseError{Why: "the interval is not of whole seconds", Mend: fmt.Sprintf("write '@every %s'", every.Truncate(time.Second))}
	}
	return Spec{text: text, every: every}, nil
}

// parseLine reads all that the library reads but @every. rest is text without
// its time zone.
func parseLine(text, rest string) (Spec, *ParseError) {
	line, err := ask(text)
	if err != nil {
		return Spec{}, explain(rest, err)
	}
	// An empty list such as "," sets no bit, and the library then walks five
	// years minute by minute.
	for _, bits := range []uint64{line.Minute, line.Hour, line.Dom, line.Month, line.Dow} {
		if bits == 0 {
			return Spec{}, &ParseError{Why: "a field lists nothing", Mend: "write * for any"}
		}
	}
	// From the first day of a leap year on, a day that exists comes within the
	// library's horizon; a fixed day keeps Parse the same at any time.
	if line.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Spec{}, &ParseError{Why: "it never fires", Mend: "name a day of the month that the month has"}
	}
	spec := Spec{text: text, line: line}
	spec.followClocks(rest)
	if line.Location != time.Local {
		spec.zone = line.Location
	}
	line.Location = time.UTC
	return spec, nil
}

// ask is the library's parser without its panics.
func ask(text string) (line *cron.SpecSchedule, err error) {
	defer func() {
		if p := recover(); p != nil {
			line, err = nil, fmt.Errorf("it makes no sense (%v)", p)
		}
	}()
	parsed, err := cron.ParseStandard(text)
	if err != nil {
		return nil, err
	}
	line, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("it is a %T", parsed)
	}
	return line, nil
}

var fieldNames = [...]string{"minute", "hour", "day of month", "month", "day of week"}

// fieldMends are indexed like fieldNames.
var fieldMends = [...]string{
	"write 0 to 59, *, a list, a range or a step such as */15",
	"write 0 to 23, *, a list, a range or a step such as */6",
	"write 1 to 31, *, a list, a range or a step",
	"write 1 to 12, jan to dec, *, a list, a range or a step",
	"write 0 to 6 or sun to sat (Sunday is 0), *, a list or a range",
}

// explain finds the field that the library complained of: its own messages do
// not say.
func explain(rest string, err error) *ParseError {
	fields := strings.Fields(rest)
	switch {
	case strings.HasPrefix(rest, "@"):
		return &ParseError{Why: fmt.Sprintf("%s is not known", fields[0]), Mend: mendForms}
	case len(fields) != len(fieldNames):
		return &ParseError{Why: fmt.Sprintf("five fields are needed, and it has %d", len(fields)), Mend: mendForms}
	}
	for i, field := range fields {
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = field
		if _, err := ask(strings.Join(alone, " ")); err != nil {
			return &ParseError{Why: fmt.Sprintf("%s %q is not understood", fieldNames[i], field), Mend: fieldMends[i]}
		}
	}
	return &ParseError{Why: err.Error(), Mend: mendForms}
}
