//go:build e2e

package main

import (
	"bytes"
	"testing"
	"time"
)

// A minute of what make soak does for ten.
func TestSoak(t *testing.T) {
	t.Parallel()
	var out, log bytes.Buffer
	s := settings{length: time.Minute, atOnce: 25, seed: uint64(time.Now().UnixNano())}
	err := run(t.Context(), s, &out, &log)
	t.Logf("%s\n%s", &log, &out)
	if err != nil {
		t.Error(err)
	}
}
