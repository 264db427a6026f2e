package main

import (
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	const module = "example.com/lib"
	called := finding{id: "GO-1", module: module, version: "v1.0.0", symbol: module + ".F", caller: "ours.G"}
	mended := called
	mended.fixed = "v1.0.1"
	elsewhere := called
	elsewhere.module = "example.com/other"
	excuses := []excuse{{id: "GO-1", module: module, reason: "we never do that", until: day(2027, time.May, 22)}}
	before, after := day(2027, time.May, 21), day(2027, time.May, 22)
	for name, c := range map[string]struct {
		found   []finding
		excuses []excuse
		now     time.Time
		bad     int
		want    string
	}{
		"nothing found":               {nil, nil, before, 0, "nothing vulnerable is called"},
		"excused":                     {[]finding{called}, excuses, before, 0, "excused until 2027-05-22: we never do that"},
		"excused, several ways to it": {[]finding{called, called}, excuses, before, 0, "excused until"},
		"not excused":                 {[]finding{called}, nil, before, 1, "ours.G calls example.com/lib.F; no version fixes it"},
		"not excused, several ways":   {[]finding{called, called}, nil, before, 1, "no version fixes it"},
		"excused in another module":   {[]finding{elsewhere}, excuses, before, 1, "example.com/other v1.0.0"},
		"the excuse ended":            {[]finding{called}, excuses, after, 1, "its excuse ended on 2027-05-22"},
		"a version fixes it":          {[]finding{mended}, excuses, before, 1, "fixed in v1.0.1, take that"},
		"an excuse that is not used":  {nil, excuses, before, 0, "take it out"},
		"two, one of them excused":    {[]finding{called, elsewhere}, excuses, before, 1, "excused until"},
	} {
		v := judge(c.found, c.excuses, c.now)
		if v.bad != c.bad || (v.err() != nil) != (c.bad > 0) || !strings.Contains(v.String(), c.want) {
			t.Errorf("%s: %d to mend, error %v, want %d and %q in:\n%s", name, v.bad, v.err(), c.bad, c.want, v)
		}
	}
}

// An excuse is a promise to look again, so it has a reason and an end that is
// not far away.
func TestAllowed(t *testing.T) {
	t.Parallel()
	for _, e := range allowed {
		if e.id == "" || e.module == "" || e.reason == "" || e.until.IsZero() {
			t.Errorf("%+v: something is missing", e)
		}
		if e.until.After(time.Now().AddDate(1, 0, 0)) {
			t.Errorf("%s: excused for more than a year", e.id)
		}
	}
}
