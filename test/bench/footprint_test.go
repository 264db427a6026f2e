package main

import "testing"

func TestAWordOfStatusIsASize(t *testing.T) {
	t.Parallel()
	if n, err := statusKiB("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t   12 kB\n", "VmRSS:"); n != 12<<10 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := statusKiB("Name:\tx\n", "VmRSS:"); err == nil {
		t.Errorf("%d, want an error", n)
	}
}
