package runner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDefaultsLieUnderTheSubmit(t *testing.T) {
	t.Parallel()
	defaults := Spec{
		Env: []string{"A=default", "B=default"}, Network: "none", Memory: 10, MemorySwap: 15, StopGrace: time.Minute, Init: true,
		Labels: map[string]string{"team": "etl"}, Mounts: []Mount{{Kind: Tmpfs, Target: "/a"}, {Kind: Tmpfs, Target: "/b"}}, CapDrop: []string{"ALL"},
	}
	asked := Spec{
		Image: "jobs", Command: []string{"x"}, Env: []string{"B=asked", "C=asked"}, Memory: 20,
		Labels: map[string]string{"job": "x"}, Mounts: []Mount{{Kind: Volume, Source: "v", Target: "/b"}}, CapDrop: []string{},
	}
	want := Spec{
		Image: "jobs", Command: []string{"x"}, Env: []string{"A=default", "B=asked", "C=asked"}, Network: "none", Memory: 20, StopGrace: time.Minute, Init: true,
		Labels: map[string]string{"team": "etl", "job": "x"}, Mounts: []Mount{{Kind: Volume, Source: "v", Target: "/b"}, {Kind: Tmpfs, Target: "/a"}}, CapDrop: []string{"ALL"},
	}
	if diff := cmp.Diff(want, asked.over(defaults)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(asked, asked.over(Spec{}), cmp.Comparer(func(a, b []string) bool { return cmp.Equal(append([]string{}, a...), append([]string{}, b...)) })); diff != "" {
		t.Error(diff)
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	m := newMasker([]string{"s3cret", "s3cret-and-more", "short", "line one\nline two\r\nx", ""})
	for text, want := range map[string]string{
		"nothing here":           "nothing here",
		"a s3cret b":             "a *** b",
		"s3crets3cret":           "******",
		"s3cret-and-more":        "***",
		"short stays, x stays":   "short stays, x stays",
		"line one and line two":  "*** and ***",
		"{\"token\":\"s3cret\"}": "{\"token\":\"***\"}",
	} {
		if got := m.mask(text); got != want {
			t.Errorf("mask(%q) = %q, want %q", text, got, want)
		}
	}
	if got := (masker{}).mask("s3cret"); got != "s3cret" {
		t.Errorf("an empty masker changed the text: %q", got)
	}
}
