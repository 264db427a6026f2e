package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report tells what happened, whether it was as promised or not.
func (f *findings) report(s settings, took time.Duration) string {
	var b strings.Builder
	out := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(out, "%s\t%v\n", name, value) }
	row("seed", s.seed)
	row("length, and with the mending", fmt.Sprint(s.length, ", ", took.Round(time.Second)))
	row("pieces of work, each at a time", fmt.Sprint(len(f.book.pieces), ", ", s.atOnce))
	f.reportRuns(row)
	for _, what := range slices.Sorted(maps.Keys(f.book.told)) {
		row("  "+what, f.book.told[what])
	}
	f.reportFaults(row)
	for _, what := range slices.Sorted(maps.Keys(f.book.worst)) {
		row("longest wait for "+what, f.book.worst[what].Round(time.Millisecond))
	}
	row("server's memory before and after", mebibytes(f.before.memory)+", "+mebibytes(f.after.memory))
	row("goroutines before and after", fmt.Sprint(f.before.goroutines, ", ", f.after.goroutines))
	if err := out.Flush(); err != nil { // a strings.Builder takes all
		return err.Error()
	}
	return b.String()
}

func (f *findings) reportRuns(row func(string, any)) {
	states := map[string]int{}
	var lines, bytes int64
	var executed, complete, gaps, missing int
	for _, run := range f.runs {
		states[run.State]++
		lines, bytes = lines+run.Log.Lines, bytes+run.Log.Bytes
		switch {
		case run.Container == "":
			continue
		case run.Log.Complete:
			complete++
		case run.Log.Gap != "":
			gaps++
		}
		executed++
		if r := f.logs[run.ID]; r != nil {
			missing += r.missing
		}
	}
	row("runs", len(f.runs))
	for _, state := range slices.Sorted(maps.Keys(states)) {
		row("  "+state, states[state])
	}
	row("containers that ran", executed)
	row("logs: complete, with a word that they may not be", fmt.Sprint(complete, ", ", gaps))
	row("lines, bytes, bytes on disk", fmt.Sprint(lines, ", ", bytes, ", ", f.logBytes))
	row("lines missing in incomplete logs", missing)
}

// reportFaults counts faults by kind, with the longest recovery of each.
func (f *findings) reportFaults(row func(string, any)) {
	count, worst, sum := map[string]int{}, map[string]time.Duration{}, map[string]time.Duration{}
	for _, a := range f.faults {
		count[a.what]++
		worst[a.what], sum[a.what] = max(worst[a.what], a.recovered), sum[a.what]+a.recovered
	}
	row("faults", len(f.faults))
	for _, what := range slices.Sorted(maps.Keys(count)) {
		text := fmt.Sprint(count[what])
		if worst[what] > 0 {
			mean := sum[what] / time.Duration(count[what])
			text = fmt.Sprintf("%d, served again after %v, at most %v", count[what], mean.Round(time.Millisecond), worst[what].Round(time.Millisecond))
		}
		row("  "+what, text)
	}
}
