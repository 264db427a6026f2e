package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLibraries(t *testing.T) {
	t.Parallel()
	const ldd = `	linux-vdso.so.1 (0x00007f8d2be36000)
	libuv.so.1 => /lib/x86_64-linux-gnu/libuv.so.1 (0x00007f8d2be20000)
	libgone.so.1 => not found
	/lib64/ld-linux-x86-64.so.2 (0x00007f8d2be38000)
`
	want := []string{"/lib/x86_64-linux-gnu/libuv.so.1", "/lib64/ld-linux-x86-64.so.2"}
	if diff := cmp.Diff(want, libraries(ldd)); diff != "" {
		t.Error(diff)
	}
	if got := libraries("\tnot a dynamic executable\n"); got != nil {
		t.Errorf("a static program needs %v", got)
	}
}

func TestALibraryKeepsItsNameInItsRealFolder(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	lib := filepath.Join(root, "usr", "lib")
	if err := os.MkdirAll(lib, 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		filepath.Join(root, "lib"):      "usr/lib",
		filepath.Join(lib, "libx.so.1"): "libx.so.1.2.3",
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	got, err := layerPath(filepath.Join(root, "lib", "libx.so.1"))
	if want := strings.TrimPrefix(filepath.Join(lib, "libx.so.1"), "/"); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
