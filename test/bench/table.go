package main

import (
	"fmt"
	"strings"
	"time"
)

// table is the answer to one question, in Markdown.
type table struct {
	title   string
	columns []string
	rows    [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t table) String() string { return "### " + t.title + "\n\n" + t.body() }

// body is the table without its title.
func (t table) body() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(t.columns, " | "), strings.Repeat("---|", len(t.columns)))
	for _, row := range t.rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}

// spread is the median with the quartiles around it.
func spread(values []time.Duration) string {
	return fmt.Sprintf("%s (%s–%s)", millis(quantile(values, 0.5)), number(quantile(values, 0.25)), number(quantile(values, 0.75)))
}

func millis(d time.Duration) string { return number(d) + " ms" }

// number is in milliseconds, with three digits where there are fewer.
func number(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms < 100 && ms > -100 {
		return fmt.Sprintf("%.1f", ms)
	}
	return fmt.Sprintf("%.0f", ms)
}

// megabytes are of a million.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// verdict says whether an aim was met.
func verdict(aim string, met bool) string {
	if met {
		return aim + ": met"
	}
	return aim + ": **missed**"
}
