package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// indexDir lists the fleets of this machine: a link per fleet, named by its
// id, to its folder. It is what finds the leftovers of a program that was
// killed. It goes with the last fleet.
const indexDir = "/run/prewarm-fleet"

// lock is held while fleets are listed, made known or forgotten, and while a
// subnet is chosen. The kernel releases it when its holder dies.
type lock struct{ dir *os.File }

// lockDir takes the lock on a folder, which it makes where needed.
func lockDir(ctx context.Context, path string) (lock, error) {
	for {
		l, err := tryLock(path)
		switch {
		case err == nil:
			return l, nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return lock{}, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			return lock{}, fmt.Errorf("lock %s: %w", path, ctx.Err())
		case <-time.After(pollPause):
		}
	}
}

// tryLock answers EWOULDBLOCK while another holds the lock, and also when its
// last holder removed the folder meanwhile.
func tryLock(path string) (lock, error) {
	err := os.MkdirAll(path, 0o755)
	if errors.Is(err, os.ErrExist) { // there when it was to be made, gone at the second look
		return lock{}, syscall.EWOULDBLOCK
	}
	if err != nil {
		return lock{}, err
	}
	dir, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return lock{}, syscall.EWOULDBLOCK
	}
	if err != nil {
		return lock{}, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return lock{}, errors.Join(err, dir.Close())
	}
	locked, err := dir.Stat()
	if err != nil {
		return lock{}, errors.Join(err, dir.Close())
	}
	if there, err := os.Stat(path); err != nil || !os.SameFile(locked, there) {
		return lock{}, errors.Join(syscall.EWOULDBLOCK, dir.Close())
	}
	return lock{dir: dir}, nil
}

// unlock releases the lock; an index without fleets is removed first.
func (l lock) unlock() {
	_ = os.Remove(l.dir.Name()) // fails as long as it lists something
	_ = l.dir.Close()           // it was only read
}

// enlist makes a fleet known. It fails with os.ErrExist when the id is taken.
func enlist(id, dir string) error {
	if err := os.Symlink(dir, filepath.Join(indexDir, id)); err != nil {
		return fmt.Errorf("list fleet %s: %w", id, err)
	}
	return nil
}

// delist forgets a fleet.
func delist(id string) error {
	err := os.Remove(filepath.Join(indexDir, id))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget fleet %s: %w", id, err)
	}
	return nil
}

// enlisted lists the known fleets. One whose folder was removed by hand has
// nothing but its id and its folder's name, which is enough to end it.
func enlisted() ([]state, error) {
	entries, err := os.ReadDir(indexDir)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("list fleets: %w", err)
	}
	var found []state
	for _, e := range entries {
		dir, err := os.Readlink(filepath.Join(indexDir, e.Name()))
		if err != nil {
			continue
		}
		s, err := readState(dir)
		if err != nil || s.ID != e.Name() {
			s = state{ID: e.Name(), Dir: dir}
		}
		found = append(found, s)
	}
	return found, nil
}
