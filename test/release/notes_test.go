// Package release tests the scripts that a release is made with.
package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const changelog = `# Changelog

What the kinds of lines mean.

## Unreleased

- [FEATURE] soon

## 1.10.0 (2027-03-01)

- [CHANGE] one

- [BUGFIX] two ## of them

## v1.1.0

## [1.0.0] - 2027-01-01
- [FEATURE] first
`

func notes(t *testing.T, args ...string) (out, complaint string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"../../tools/notes.sh"}, args...)...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

func TestNotes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "CHANGELOG.md")
	if err := os.WriteFile(file, []byte(changelog), 0o600); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{
		"Unreleased": "- [FEATURE] soon\n",
		"1.10.0":     "- [CHANGE] one\n\n- [BUGFIX] two ## of them\n",
		"v1.10.0":    "- [CHANGE] one\n\n- [BUGFIX] two ## of them\n",
		"1.0.0":      "- [FEATURE] first\n",
		"1.1.0":      "", // empty
		"1.1":        "", // not there, as 1x10.0 below
		"1x10.0":     "",
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			out, complaint, code := notes(t, version, file)
			if out != want {
				t.Errorf("got %q, want %q", out, want)
			}
			if refused := code == 1 && strings.Contains(complaint, "says nothing of "+strings.TrimPrefix(version, "v")); refused != (want == "") {
				t.Errorf("exit code %d, %s", code, complaint)
			}
		})
	}
}

// The changelog of this tree can be cut.
func TestNotesOfThisTree(t *testing.T) {
	t.Parallel()
	out, complaint, code := notes(t, "Unreleased")
	if code != 0 || !strings.HasPrefix(out, "- [") {
		t.Errorf("exit code %d, %s; it begins with %.60q", code, complaint, out)
	}
}

func TestNotesUsage(t *testing.T) {
	t.Parallel()
	if _, complaint, code := notes(t); code != 2 || !strings.Contains(complaint, "usage:") {
		t.Errorf("exit code %d, %s", code, complaint)
	}
}
