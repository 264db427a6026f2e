package fleet

import (
	"archive/tar"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTheCacheMakesAFileOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	made := 0
	for range 2 {
		c, err := openCacheIn(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		path, err := c.file("a.tar.gz", func(w *tar.Writer) error {
			made++
			return w.WriteHeader(&tar.Header{Name: "usr/", Typeflag: tar.TypeDir, ModTime: time.Unix(0, 0)})
		})
		c.lock.unlock()
		if err != nil {
			t.Fatal(err)
		}
		names, err := archiveNames(path)
		if err != nil || !names["usr/"] {
			t.Errorf("the archive holds %v, %v", names, err)
		}
	}
	if made != 1 {
		t.Errorf("made %d times", made)
	}
}

func TestTheCacheKeepsNothingUnfinished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := filepath.Join(dir, unfinished+"debian-1", "proc")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := openCacheIn(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.lock.unlock()
	broken := errors.New("broken")
	if _, err := c.file("a.tar.gz", func(*tar.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("left in the cache: %v, %v", entries, err)
	}
}
