package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// verdict is what to say of a scan, and how much of it fails.
type verdict struct {
	lines []string
	bad   int
}

func (v *verdict) say(format string, args ...any) {
	v.lines = append(v.lines, fmt.Sprintf(format, args...))
}

func (v *verdict) fail(format string, args ...any) {
	v.bad++
	v.say(format, args...)
}

func (v *verdict) String() string {
	var b strings.Builder
	for _, l := range v.lines {
		b.WriteString("vulncheck: " + l + "\n")
	}
	return b.String()
}

func (v *verdict) err() error {
	if v.bad == 0 {
		return nil
	}
	return fmt.Errorf("%d things to mend, see above", v.bad)
}

// judge holds findings against the excuses: each vulnerability is told once,
// with the first way to it.
func judge(found []finding, excuses []excuse, now time.Time) *verdict {
	v := &verdict{}
	told := map[string]bool{}
	for _, f := range found {
		if told[f.id+f.module] {
			continue
		}
		told[f.id+f.module] = true
		v.weigh(f, excuses, now)
	}
	for _, e := range excuses {
		if !told[e.id+e.module] {
			v.say("%s in %s is excused and not found any more: take it out of tools/vulncheck/allowed.go", e.id, e.module)
		}
	}
	if v.bad == 0 {
		v.say("nothing vulnerable is called that is not excused")
	}
	return v
}

func (v *verdict) weigh(f finding, excuses []excuse, now time.Time) {
	i := slices.IndexFunc(excuses, func(e excuse) bool { return e.id == f.id && e.module == f.module })
	switch {
	case f.fixed != "":
		v.fail("%s in %s %s: %s calls %s; fixed in %s, take that (https://pkg.go.dev/vuln/%s)",
			f.id, f.module, f.version, f.caller, f.symbol, f.fixed, f.id)
	case i < 0:
		v.fail("%s in %s %s: %s calls %s; no version fixes it: work around it, or excuse it with a reason in tools/vulncheck/allowed.go (https://pkg.go.dev/vuln/%s)",
			f.id, f.module, f.version, f.caller, f.symbol, f.id)
	case !now.Before(excuses[i].until):
		v.fail("%s in %s: its excuse ended on %s: look again (https://pkg.go.dev/vuln/%s)",
			f.id, f.module, excuses[i].until.Format(time.DateOnly), f.id)
	default:
		v.say("%s in %s is excused until %s: %s", f.id, f.module, excuses[i].until.Format(time.DateOnly), excuses[i].reason)
	}
}
