package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// starts measures from the start of the process to its first word that it is
// ready, by turns with each kind of state. The images are warm on the hosts, so
// that no pull of a server before takes part.
func (f *footprint) starts(ctx context.Context, t *table) error {
	if err := fillState(ctx, f.known, f.old, f.pin, f.endedRuns); err != nil {
		return err
	}
	took, err := byTurns(ctx, f.startCount, func(ctx context.Context) error { return pause(ctx, startRest) },
		func(ctx context.Context) (time.Duration, error) {
			state := filepath.Join(f.dir, "new")
			took, err := f.start(ctx, state)
			return took, errors.Join(err, os.RemoveAll(state))
		},
		func(ctx context.Context) (time.Duration, error) { return f.start(ctx, f.known) },
		func(ctx context.Context) (time.Duration, error) { return f.start(ctx, f.old) },
		func(ctx context.Context) (time.Duration, error) {
			if err := forget(f.old, f.program); err != nil {
				return 0, err
			}
			return f.start(ctx, f.old)
		})
	if err != nil {
		return err
	}
	size, err := folderSize(f.old)
	if err != nil {
		return err
	}
	full := fmt.Sprintf("state of the images and %d ended runs (%s)", f.endedRuns, megabytes(size))
	for n, of := range []string{"new state", "state of the images", full, "the same, not in the page cache"} {
		most := slices.Max(took[n])
		t.add("start → ready", fmt.Sprintf("%s; %d starts", of, f.startCount), spread(took[n]), millis(most),
			verdict(fmt.Sprintf("< %d ms", readyAim.Milliseconds()), median(took[n]) < readyAim))
	}
	return nil
}

// start starts a server and ends it in order.
func (f *footprint) start(ctx context.Context, state string) (time.Duration, error) {
	s, took, err := f.server(ctx, state)
	if err != nil {
		return 0, err
	}
	return took, s.Stop()
}

// forget lets the kernel forget what it has in memory of files and of what is
// in folders, as after a boot.
func forget(paths ...string) error {
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			return forgetFile(file)
		})
		if err != nil {
			return fmt.Errorf("take %s out of the page cache: %w", path, err)
		}
	}
	return nil
}

// forgetFile brings a file to disk first: what is not there can't be forgotten.
func forgetFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	const dontNeed = 4 // POSIX_FADV_DONTNEED
	if _, _, e := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); e != 0 {
		return e
	}
	return nil
}
