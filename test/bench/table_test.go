package main

import (
	"testing"
	"time"
)

func TestTableIsMarkdown(t *testing.T) {
	t.Parallel()
	answer := table{title: "A question", columns: []string{"network", "ratio"}}
	answer.add("bridge", "0.98")
	answer.add("none", "0.99")
	want := "### A question\n\n| network | ratio |\n|---|---|\n| bridge | 0.98 |\n| none | 0.99 |\n"
	if got := answer.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestSpreadHasThreeDigits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []time.Duration
		want   string
	}{
		{[]time.Duration{9 * time.Millisecond, 10 * time.Millisecond, 12 * time.Millisecond}, "10.0 ms (9.5–11.0)"},
		{[]time.Duration{2175 * time.Millisecond}, "2175 ms (2175–2175)"},
	} {
		if got := spread(c.values); got != c.want {
			t.Errorf("spread of %v is %q, want %q", c.values, got, c.want)
		}
	}
}
