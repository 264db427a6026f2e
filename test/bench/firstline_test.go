package main

import (
	"strings"
	"testing"
)

func TestReadSleepingReadsOneFrame(t *testing.T) {
	t.Parallel()
	const header = "\x01\x00\x00\x00\x00\x00\x00\x09"
	for stream, want := range map[string]string{
		header + "sleeping\nmore": "",
		header + "awake\n":        `printed "awake\n"`,
		header + "sleep":          "EOF",
		"\x01\x00":                "EOF",
	} {
		err := readSleeping(strings.NewReader(stream))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", stream, err, want)
		}
	}
}
