package runner

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		candidates []candidate
		want       string
	}{
		{"none", nil, ""},
		{"the only one", []candidate{{"a", 2, 0}}, "a"},
		{"no slot", []candidate{{"a", 2, 2}, {"b", 1, 1}}, ""},
		{"least loaded", []candidate{{"a", 4, 2}, {"b", 4, 1}}, "b"},
		{"least loaded for its size", []candidate{{"a", 8, 3}, {"b", 2, 1}}, "a"},
		{"the first of equals", []candidate{{"a", 4, 1}, {"b", 8, 2}}, "a"},
		{"one slot left", []candidate{{"a", 2, 2}, {"b", 9, 8}}, "b"},
	} {
		if got, ok := place(c.candidates); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: got %q %v", c.name, got, ok)
		}
	}
}

// However often the connection breaks, each line is taken once.
func TestCursorTakesEachLineOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := drawLines(t)
		c := newCursor()
		var got []Line
		for reached := 0; reached < len(lines); {
			since := c.resume()
			reached += rapid.IntRange(1, 20).Draw(t, "before the cut")
			for _, l := range lines[:min(reached, len(lines))] {
				if l.Time.Before(since) {
					continue
				}
				if c.take(l) {
					got = append(got, l)
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(lines) {
			t.Fatalf("got  %v\nwant %v", got, lines)
		}
	})
}

// drawLines makes a log: times that rise, with lines that are up to a second
// late, and repeat; texts that repeat too.
func drawLines(t *rapid.T) []Line {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var lines []Line
	for range rapid.IntRange(1, 100).Draw(t, "lines") {
		at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 10, 500, 3000}).Draw(t, "step")) * time.Millisecond)
		late := time.Duration(rapid.SampledFrom([]int{0, 0, 0, 300, 999}).Draw(t, "late")) * time.Millisecond
		lines = append(lines, Line{
			Time:   at.Add(-late),
			Stream: rapid.SampledFrom([]Stream{Stdout, Stderr}).Draw(t, "stream"),
			Text:   rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "text"),
		})
	}
	return lines
}

func TestCursorForgetsWhatCannotComeAgain(t *testing.T) {
	t.Parallel()
	c := newCursor()
	for i := range 100_000 {
		c.take(Line{Time: time.Unix(0, int64(i)*int64(time.Millisecond)), Text: fmt.Sprint(i)})
	}
	if kept := len(c.counts); kept > 3000 {
		t.Fatalf("%d lines kept, those of the last 2 s are about 2000", kept)
	}
}
