package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseLedger(t *testing.T) {
	t.Parallel()
	got, err := parseLedger("start a c1\nend a c1 7\noverlap a c2\n")
	want := []entry{{what: "start", key: "a", container: "c1"}, {what: "end", key: "a", container: "c1", code: 7}, {what: "overlap", key: "a", container: "c2"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{})); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, text := range []string{"start a\n", "end a c x\n", "begin a c\n", "\n"} {
		if _, err := parseLedger(text); err == nil {
			t.Errorf("%q: want an error", text)
		}
	}
	if all, err := readLedger(t.TempDir()); err != nil || len(all) > 0 {
		t.Errorf("before anything was executed: %v, %v", all, err)
	}
}
