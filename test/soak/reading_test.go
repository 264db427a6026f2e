package main

import (
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
)

func TestReading(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines   string // stream and text
		wrong   string
		missing int
		ours    int
	}{
		"whole":              {lines: "stdout out 1|stderr err 1|stderr err 2|stdout out 2"},
		"a line is missing":  {lines: "stdout out 1|stdout out 3", missing: 1},
		"the server's word":  {lines: "stdout out 1|prewarm cut", ours: 1},
		"twice":              {lines: "stdout out 1|stdout out 1", wrong: `line 2 on stdout is "out 1", after 1`},
		"backwards":          {lines: "stdout out 2|stdout out 1", wrong: "after 2", missing: 1},
		"the other's stream": {lines: "stdout err 1", wrong: "was never printed"},
		"of another program": {lines: "stdout out x", wrong: "was never printed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReading()
			for i, line := range strings.Split(c.lines, "|") {
				stream, text, _ := strings.Cut(line, " ")
				r.take(api.LogLine{Seq: int64(i) + 1, Time: time.Unix(int64(i), 0), Stream: stream, Text: text})
			}
			if r.missing != c.missing || r.ours != c.ours || (r.wrong == "") != (c.wrong == "") || !strings.Contains(r.wrong, c.wrong) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestReadingWantsNumbersAndTimesInOrder(t *testing.T) {
	t.Parallel()
	for want, second := range map[string]api.LogLine{
		"line 3 follows line 1": {Seq: 3, Time: time.Unix(2, 0), Stream: "prewarm"},
		"line 1 follows line 1": {Seq: 1, Time: time.Unix(2, 0), Stream: "prewarm"},
		"has the time":          {Seq: 2, Time: time.Unix(1, 0), Stream: "prewarm"},
	} {
		r := newReading()
		r.take(api.LogLine{Seq: 1, Time: time.Unix(1, 0), Stream: "prewarm"})
		r.take(second)
		if !strings.Contains(r.wrong, want) {
			t.Errorf("%q, want %q", r.wrong, want)
		}
	}
}

// Two who read the same have the same mark, and two who don't have not.
func TestMarksCompareAllThatWasRead(t *testing.T) {
	t.Parallel()
	read := func(texts ...string) mark {
		r := newReading()
		for i, text := range texts {
			r.take(api.LogLine{Seq: int64(i) + 1, Time: time.Unix(int64(i), 0), Stream: "stdout", Text: text})
		}
		return r.mark()
	}
	one, same, other := read("out 1", "out 2"), read("out 1", "out 2"), read("out 0", "out 2")
	if one != same || one == other {
		t.Errorf("marks are %v, %v and %v", one, same, other)
	}
}
