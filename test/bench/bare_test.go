package main

import (
	"strings"
	"testing"
)

func TestReadFrameReadsTheFirstLine(t *testing.T) {
	t.Parallel()
	const header = "\x01\x00\x00\x00\x00\x00\x00\x09"
	for stream, want := range map[string]string{
		header + "sleeping\nmore": "sleeping",
		header + "\n":             "",
	} {
		if got, err := readFrame(strings.NewReader(stream)); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", stream, got, err, want)
		}
	}
	for _, stream := range []string{"", "\x01\x00", header + "cut of"} {
		if got, err := readFrame(strings.NewReader(stream)); err == nil {
			t.Errorf("%q: %q, want an error", stream, got)
		}
	}
}
