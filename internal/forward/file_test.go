package forward

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// read waits until the file has a text in it, and gives all of it.
func read(t *testing.T, path, text string) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), text) {
			return string(b)
		}
		if time.Now().After(end) {
			t.Fatalf("%s has no %q: %q %v", path, text, b, err)
		}
	}
}

// Files may be moved away, removed and cut under us, as logrotate does.
func TestFilesAreFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "below", "lines")
	f := starts(t, Target{Kind: File, Path: path})
	r := aRun(t, "r")

	f.Forward(r, entry(1, "before the folder is there"))
	time.Sleep(20 * time.Millisecond)
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	first := read(t, path, "before the folder")

	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * quick.look)
	f.Forward(r, entry(2, "after the move"))
	if got := texts(objects(t, read(t, path, "after the move"))); !cmp.Equal(got, []string{"after the move"}) {
		t.Errorf("the new file has %q", got)
	}
	if got := read(t, path+".1", ""); got != first {
		t.Errorf("the old file has %q", got)
	}

	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	f.Forward(r, entry(3, "after the cut"))
	if got := read(t, path, "after the cut"); strings.HasPrefix(got, "\x00") || len(objects(t, got)) != 1 {
		t.Errorf("the cut file has %q", got)
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * quick.look)
	f.Forward(r, entry(4, "after the end"))
	read(t, path, "after the end")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("others may read it: %v %v", info.Mode(), err)
	}
}

// What was there before is kept.
func TestFilesAreAppendedTo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lines")
	for _, text := range []string{"first", "second"} {
		f := starts(t, Target{Kind: File, Path: path})
		f.Forward(aRun(t, "r"), entry(1, text))
		if err := f.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := texts(objects(t, read(t, path, ""))); !cmp.Equal(got, []string{"first", "second"}) {
		t.Errorf("got %q", got)
	}
}

// A line that was cut by a full disk is whole in the file that comes after.
func TestCutLineIsWholeInTheNextFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lines")
	f := &file{path: path}
	lines := []line{{body: []byte("one\n")}, {body: []byte("two\n")}}
	if err := f.follow(); err != nil {
		t.Fatal(err)
	}
	f.stream.w = &buffer{max: 6}
	if n, err := f.write(t.Context(), lines); n != 1 || err == nil || f.stream.sent != 2 {
		t.Fatalf("%d lines and %d bytes written, %v", n, f.stream.sent, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if n, err := f.write(t.Context(), lines[1:]); n != 1 || err != nil {
		t.Fatalf("%d written, %v", n, err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path, "two"); got != "two\n" {
		t.Errorf("got %q", got)
	}
}
