package main

import (
	"cmp"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/prewarm/prewarm/internal/api"
)

// outcomes are how a removal ended, for people.
var outcomes = map[string]string{
	"would_go": "would go",
	"removed":  "removed",
	"claimed":  "stays, since it is wanted now",
	"in_use":   "stays, since it is in use",
	"failed":   "failed",
	"unknown":  "is not known: the host does not answer",
	"not_gone": "is still there",
	"skipped":  "stays",
}

// printPasses prints what passes did, host by host.
func printPasses(w io.Writer, passes []api.Pass) {
	if len(passes) == 0 {
		fmt.Fprintln(w, "no host was looked at: none can be reached, or the configuration has none")
		return
	}
	for i, p := range passes {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "host %s: %s\n", p.Host, passText(p))
		printRemovals(w, p)
	}
	if len(passes) > 1 {
		fmt.Fprintf(w, "\nin all: %s\n", passText(together(passes)))
	}
}

// passText says what became of a host's images.
func passText(p api.Pass) string {
	stay := count(p.Stays, "image") + " stay"
	if p.Stays == 1 {
		stay += "s"
	}
	switch gone := wentOf(p); {
	case len(p.Removals) == 0 && p.DryRun:
		return "nothing would go; " + stay
	case len(p.Removals) == 0:
		return "nothing went; " + stay
	case p.DryRun:
		return fmt.Sprintf("%s would go and free %s; %s", count(len(p.Removals), "image"), size(p.PredictedBytes), stay)
	default:
		return fmt.Sprintf("%d of %s went and freed %s, where %s were predicted; %s",
			gone, count(len(p.Removals), "image"), size(p.FreedBytes), size(p.PredictedBytes), stay)
	}
}

// together is the sum of passes.
func together(passes []api.Pass) api.Pass {
	var sum api.Pass
	for _, p := range passes {
		sum.DryRun = p.DryRun // they are of one kind
		sum.Removals = append(sum.Removals, p.Removals...)
		sum.Stays += p.Stays
		sum.PredictedBytes += p.PredictedBytes
		sum.FreedBytes += p.FreedBytes
	}
	return sum
}

// wentOf counts the images that are gone.
func wentOf(p api.Pass) int {
	n := 0
	for _, r := range p.Removals {
		if r.Outcome == "removed" {
			n++
		}
	}
	return n
}

func printRemovals(w io.Writer, p api.Pass) {
	if len(p.Removals) == 0 {
		return
	}
	columns := []string{"ID", "NAMES", "FREES", "WHY", "OUTCOME"}
	if p.DryRun { // all would go
		columns = columns[:4]
	}
	t := newTable(w, columns...)
	for _, r := range p.Removals {
		row := table.Row{
			shortDigest(r.ID), shortNames(r.Names), size(r.PredictedBytes), plain(cmp.Or(r.Why, r.Rule)),
			cmp.Or(outcomes[r.Outcome], r.Outcome) + because(plain(r.Detail)),
		}
		t.AppendRow(row[:len(columns)])
	}
	t.Render()
}
