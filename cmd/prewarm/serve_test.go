package main

import (
	"runtime/debug"
	"testing"
)

// Not parallel: how much the heap may grow is the whole process's.
func TestServeKeepsItsHeapSmall(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	for _, c := range []struct {
		asked string
		want  int
	}{{"200", 100}, {"", 50}} { // the runtime has read what was asked for by itself
		keepHeapSmall(func(string) string { return c.asked })
		if got := debug.SetGCPercent(100); got != c.want {
			t.Errorf("GOGC=%q: the heap may grow by %d %%, want %d %%", c.asked, got, c.want)
		}
	}
}
