package problem_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestFromFindsTheProblemInAChain(t *testing.T) {
	t.Parallel()
	inner := problem.Wrap(problem.HostUnreachable, fs.ErrNotExist, "ask etl-1", "start the engine")
	outer := fmt.Errorf("probe: %w", inner)
	if got := problem.From(outer); got != inner {
		t.Fatalf("got %v", got)
	}
	if !errors.Is(outer, fs.ErrNotExist) {
		t.Fatal("the cause is lost")
	}
	if got := outer.Error(); got != "probe: ask etl-1: file does not exist" {
		t.Fatalf("got %q", got)
	}
}

func TestAnErrorWithoutCodeIsInternal(t *testing.T) {
	t.Parallel()
	if got := problem.CodeOf(errors.New("x")); got != problem.Internal {
		t.Fatalf("got %q", got)
	}
	if got := problem.CodeOf(nil); got != "" {
		t.Fatalf("nil has code %q", got)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"node-jobs", "node-jobs:latest", "go-jobs", "reports"}
	for _, c := range []struct {
		word  string
		limit int
		want  []string
	}{
		{"node-job", 2, []string{"node-jobs"}},
		{"Node-Jobs", 0, []string{"node-jobs"}},
		{"o-jobs", 3, []string{"go-jobs", "node-jobs"}},
		{"zzz", 1, []string{}},
		{"", 3, []string{}},
	} {
		if got := problem.Nearest(c.word, names, c.limit); !slices.Equal(got, c.want) {
			t.Errorf("%q within %d: got %v, want %v", c.word, c.limit, got, c.want)
		}
	}
}

func TestOnly(t *testing.T) {
	t.Parallel()
	absent, down := problem.New(problem.TagNotFound, "no such tag", ""), problem.New(problem.RegistryUnavailable, "down", "")
	for _, c := range []struct {
		err  error
		want bool
	}{
		{absent, true},
		{down, false},
		{nil, false},
		{fmt.Errorf("look: %w", absent), true},
		{errors.Join(absent, absent), true},
		{errors.Join(absent, down), false},
		{errors.Join(errors.Join(absent), down), false},
	} {
		if got := problem.Only(c.err, problem.TagNotFound); got != c.want {
			t.Errorf("Only(%v) = %v", c.err, got)
		}
	}
}
