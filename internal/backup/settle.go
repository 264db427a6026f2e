package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/prewarm/prewarm/internal/failpoint"
)

// Scratch is what the names of files begin with that a backup needs while it is
// made.
const Scratch = "backup.draft"

// LockName is the lock of the state, in its folder. It stays where it is: it is held.
const LockName = "lock"

// Settle finishes what an earlier restore, or backup, left in the folder of a
// state when it was killed. It comes before anything else there is read. The
// caller holds the state's lock.
func Settle(dir string) error {
	for _, step := range []func(string) error{sweep, putAside, moveIn} {
		if err := step(dir); err != nil {
			return fmt.Errorf("finish what an earlier restore left in %s: %w", dir, err)
		}
	}
	return nil
}

// sweep removes what was not finished, and means nothing.
func sweep(dir string) error {
	all, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Name() == draft || strings.HasPrefix(e.Name(), Scratch) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// putAside moves the old state out of the way of one that was decided on.
func putAside(dir string) error {
	if !exists(dir, decided) {
		return nil
	}
	name, err := os.ReadFile(filepath.Join(dir, decided, asideFile))
	switch {
	case errors.Is(err, fs.ErrNotExist): // nothing was there
	case err != nil:
		return err
	default:
		if err := moveAside(dir, filepath.Join(dir, filepath.Base(string(name)))); err != nil {
			return err
		}
	}
	return rename(dir, decided, moving)
}

func moveAside(dir, to string) error {
	old, err := entries(dir)
	if err == nil {
		err = os.MkdirAll(to, 0o700)
	}
	if err == nil {
		err = own(to, dir)
	}
	if err != nil {
		return err
	}
	for _, name := range old {
		failpoint.Here("restore-aside")
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return syncPath(to)
}

// moveIn makes the new state the folder's.
func moveIn(dir string) error {
	if !exists(dir, moving) {
		return nil
	}
	from := filepath.Join(dir, moving, content)
	all, err := os.ReadDir(from)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range all {
		failpoint.Here("restore-move")
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if err := syncPath(dir); err != nil {
		return err
	}
	failpoint.Here("restore-moved")
	if err := os.RemoveAll(filepath.Join(dir, moving)); err != nil {
		return err
	}
	return syncPath(dir)
}

// entries names what belongs to a state in its folder: all but the lock, what
// earlier restores put aside, and what others have there.
func entries(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the folder of the state: %w", err)
	}
	var names []string
	for _, e := range all {
		if Kept(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Kept tells whether what has that name in the folder of a state is part of the
// state. What begins with a dot is not: the folder may be the home of the server's
// user, with logins and keys in it, and file systems have snapshots there.
func Kept(name string) bool {
	switch name {
	case LockName, "lost+found", draft, decided, moving:
		return false
	}
	return !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, aside) && !strings.HasPrefix(name, Scratch)
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}

// rename is one step of a restore, on disk.
func rename(dir, from, to string) error {
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		return err
	}
	return syncPath(dir)
}

// syncPath brings a file, or the names in a folder, to disk.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
