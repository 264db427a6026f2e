package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestSinkComparesLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want string // of the error; empty: none
	}{
		"all":       {"1   \n2   \n", ""},
		"too few":   {"1   \n", "1 lines came of 2"},
		"an order":  {"2   \n1   \n", "not as they were printed"},
		"one twice": {"1   \n1   \n", "not as they were printed"},
	} {
		s := newSink()
		fmt.Fprint(s, c.text[:3])
		fmt.Fprint(s, c.text[3:])
		err := s.expect(2, 4)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || s.last.IsZero() {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
