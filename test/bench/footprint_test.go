package main

import (
	"testing"
	"time"
)

func TestAWordOfStatusIsASize(t *testing.T) {
	t.Parallel()
	if n, err := statusKiB("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t   12 kB\n", "VmRSS:"); n != 12<<10 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := statusKiB("Name:\tx\n", "VmRSS:"); err == nil {
		t.Errorf("%d, want an error", n)
	}
}

func TestCPUTimeIsThatOfBothModes(t *testing.T) {
	t.Parallel()
	// The name is whatever a program calls itself.
	got, err := parseCPUTime("42 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 9 0 1234\n")
	if err != nil || got != 1750*time.Millisecond {
		t.Errorf("got %v, %v", got, err)
	}
	for _, stat := range []string{"", "42 (x) S 1 2", "42 (x) S 1 2 3 4 5 6 7 8 9 10 many 25"} {
		if got, err := parseCPUTime(stat); err == nil {
			t.Errorf("%q: got %v, want an error", stat, got)
		}
	}
}
