package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/problem"
)

// firstFile is a file that init writes, by its name in the folder.
type firstFile struct {
	name string
	mode fs.FileMode
	text []byte
}

// notThere refuses a file that is there already, be it a link that leads nowhere.
func notThere(paths ...string) error {
	for _, path := range paths {
		_, err := os.Lstat(path)
		switch {
		case err == nil:
			return problem.New(problem.InvalidRequest, path+" is there already, and init never writes over a file", "choose another by --config, or move that one away")
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("look for %s: %w", path, err)
		}
	}
	return nil
}

// putAll puts all files into a folder, or none, and none in place of another. They
// are made and proven in a folder beside: what a kill leaves is that one, and it
// is in nobody's way. The configuration comes last, so that it never names a file
// that is missing.
func putAll(ctx context.Context, folder string, files []firstFile) (err error) {
	made, err := os.MkdirTemp(folder, ".prewarm-init-")
	if err != nil {
		return problem.Wrap(problem.InvalidRequest, err, "write into "+folder, "make the folder, or choose another by --config")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(made)) }()
	for _, f := range files {
		if err := writeNew(filepath.Join(made, f.name), f.mode, f.text); err != nil {
			return err
		}
	}
	last := files[len(files)-1].name
	if _, err := config.Load(filepath.Join(made, last), os.Environ()); err != nil {
		return fmt.Errorf("nothing is written, as serve would refuse it: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return linkAll(made, folder, files)
}

// linkAll gives the files their places. A link, unlike a rename, never replaces.
func linkAll(from, to string, files []firstFile) error {
	for i, f := range files {
		path := filepath.Join(to, f.name)
		err := os.Link(filepath.Join(from, f.name), path)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			// A file system without links: the file is made there, and still never
			// in place of another.
			err = writeNew(path, f.mode, f.text)
		}
		if err == nil {
			continue
		}
		errs := []error{fmt.Errorf("write %s: %w", path, err)}
		if errors.Is(err, fs.ErrExist) {
			errs[0] = notThere(path)
		}
		for _, done := range files[:i] {
			errs = append(errs, os.Remove(filepath.Join(to, done.name)))
		}
		return errors.Join(errs...)
	}
	return nil
}

// writeNew makes a file that was not there, on disk before it returns.
func writeNew(path string, mode fs.FileMode, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
