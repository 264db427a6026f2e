//go:build install

package install

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The footprint is measured in short and printed. Nothing is said against a
// figure: on a slow or busy machine it says little, and docs/benchmarks.md has
// those of the whole measurement. What must be there is an answer to each
// question.
func TestFootprint(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "run", "./test/bench",
		"-hosts", "1", "-images", "20", "-settle", "1s", "-idle", "5s", "-starts", "3", "-ended", "500", "footprint")
	cmd.Dir = root(t)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	fmt.Fprintf(os.Stdout, "%s\n", out)
	for _, want := range []string{
		"\n| program, one static file | ",
		"\n| memory (RSS) | at rest, for 5s", "\n| memory (RSS) | after a start with 500 ended runs, ",
		"\n| CPU time a minute | at rest, for 5s", "\n| goroutines | at rest, for 5s",
		"\n| start → ready | new state; 3 starts | ", "\n| start → ready | state of the images and 500 ended runs (",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it lacks %q:\n%s", want, out)
		}
	}
}
