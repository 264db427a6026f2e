package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/internal/api"
)

// A file that can't be written any more at the end is told, and leaves the
// run's own code as it is.
func TestStatusFileCannotBeWritten(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		end  error
		code int
		says string
	}{
		"succeeded": {nil, 1, "--status-file: open "},
		"failed":    {&codeError{code: 42}, 42, "--status-file: open "},
		"refused":   {notExecuted(errors.New("warm nowhere")), 125, "warm nowhere; --status-file: open "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "gone")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			f, err := newStatusFile(filepath.Join(dir, "status"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(dir); err != nil {
				t.Fatal(err)
			}
			code, said := exitCode(f.close(api.Run{ID: "7"}, test.end))
			if code != test.code || said == nil || !strings.HasPrefix(said.Error(), test.says) {
				t.Errorf("%d %v, want %d %s", code, said, test.code, test.says)
			}
		})
	}
}

// Without a path there is no file, and the end is what it is.
func TestNoStatusFile(t *testing.T) {
	t.Parallel()
	f, err := newStatusFile("")
	if err != nil {
		t.Fatal(err)
	}
	end := errors.New("the end")
	if got := f.close(api.Run{}, end); !errors.Is(got, end) {
		t.Errorf("%v", got)
	}
}
