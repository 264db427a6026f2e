package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTakeDir(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	full, used := filepath.Join(base, "full"), filepath.Join(base, "used")
	for _, file := range []string{filepath.Join(full, "letter"), filepath.Join(used, stateFile)} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{filepath.Join(base, "new", "er"), t.TempDir()} {
		if got, err := takeDir(dir); err != nil || got != dir || !exists(dir) {
			t.Errorf("%s: %s, %v", dir, got, err)
		}
	}
	for dir, want := range map[string]string{full: "not empty", used: "a fleet is in it already"} {
		if _, err := takeDir(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", dir, err, want)
		}
	}
	made, err := takeDir("")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(made); err != nil {
		t.Errorf("the temporary folder: %v", err)
	}
}
