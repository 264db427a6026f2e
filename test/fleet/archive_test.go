package fleet

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAddTree(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(name string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("usr/bin/perl", 0o755)
	write("var/log/dpkg/old.log", 0o644)
	write("var/log/apt.log", 0o644)
	for _, err := range []error{
		os.Link(filepath.Join(root, "usr/bin/perl"), filepath.Join(root, "usr/bin/perl5")),
		os.Symlink("usr/bin", filepath.Join(root, "bin")),
		syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := errors.Join(addTree(w, root, leftOut), w.Close()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"bin -> usr/bin", "usr/", "usr/bin/", `usr/bin/perl "usr/bin/perl"`,
		"usr/bin/perl5 = usr/bin/perl", "var/", "var/log/",
	}
	if diff := cmp.Diff(want, list(t, &b)); diff != "" {
		t.Error(diff)
	}
}

// list tells an archive's entries, and checks what all must have in common.
func list(t *testing.T, r io.Reader) []string {
	t.Helper()
	var entries []string
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(created()) || h.Uname != "" || h.Gname != "" {
			t.Errorf("%s is of %v, %q, %q", h.Name, h.ModTime, h.Uname, h.Gname)
		}
		switch h.Typeflag {
		case tar.TypeSymlink:
			entries = append(entries, h.Name+" -> "+h.Linkname)
		case tar.TypeLink:
			entries = append(entries, h.Name+" = "+h.Linkname)
		case tar.TypeDir:
			entries = append(entries, h.Name)
		default:
			content, err := io.ReadAll(tr)
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, fmt.Sprintf("%s %q", h.Name, content))
		}
	}
}
