package fleet

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// unfinished starts the names of what a killed program may leave in the cache.
const unfinished = "unfinished-"

// cache keeps layers between runs, as compressed archives by version. It is
// locked as long as it is open.
type cache struct {
	dir  string
	lock lock
}

// openCache opens prewarm-rig in the user's cache, and clears what was left
// unfinished there.
func openCache(ctx context.Context) (cache, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return cache{}, fmt.Errorf("find the cache: %w", err)
	}
	return openCacheIn(ctx, filepath.Join(user, "prewarm-rig"))
}

func openCacheIn(ctx context.Context, dir string) (cache, error) {
	l, err := lockDir(ctx, dir)
	if err != nil {
		return cache{}, err
	}
	left, err := filepath.Glob(filepath.Join(dir, unfinished+"*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		l.unlock()
		return cache{}, fmt.Errorf("clear the cache: %w", err)
	}
	return cache{dir: dir, lock: l}, nil
}

// file gives the path of an archive of the cache, which it makes by write
// where it is not there.
func (c cache) file(name string, write func(w *tar.Writer) error) (string, error) {
	path := filepath.Join(c.dir, name)
	if exists(path) {
		return path, nil
	}
	f, err := os.Create(filepath.Join(c.dir, unfinished+name))
	if err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	defer os.Remove(f.Name()) // in vain once it has its name
	err = writeArchive(f, write)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	return path, nil
}

func writeArchive(w io.Writer, write func(w *tar.Writer) error) error {
	zw, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(zw)
	if err := write(tw); err != nil {
		return err
	}
	return errors.Join(tw.Close(), zw.Close())
}

// archiveNames lists what an archive of the cache holds.
func archiveNames(file string) (map[string]bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("list archive: %w", err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("list archive %s: %w", file, err)
	}
	names := map[string]bool{}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list archive %s: %w", file, err)
		}
		names[h.Name] = true
	}
}
