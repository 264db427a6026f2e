package main

import "testing"

func TestParseResident(t *testing.T) {
	t.Parallel()
	if n, err := parseResident("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t   12 kB\n"); n != 12<<10 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := parseResident("Name:\tx\n"); err == nil {
		t.Errorf("%d, want an error", n)
	}
}
