package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// cgroupRoot is where control groups are mounted: one tree, or, in the older
// form, a folder per controller.
const cgroupRoot = "/sys/fs/cgroup"

// teardown ends a fleet, whatever state it is in, and removes all that it
// made. It goes on after a failure: what is left then is told, and less.
func teardown(ctx context.Context, s state) error {
	if err := s.mark().killAll(killTimeout); err != nil {
		return fmt.Errorf("take down fleet %s: %w", s.ID, err)
	}
	err := errors.Join(
		deleteNetwork(ctx, s.ID),
		removeCgroups(cgroupRoot, s.mark()),
		unmountBelow(s.Dir),
	)
	if err == nil {
		// Only now: a fleet whose folder is gone would be hard to look into.
		err = errors.Join(removeFolder(s), delist(s.ID))
	}
	if err != nil {
		return fmt.Errorf("take down fleet %s: %w", s.ID, err)
	}
	return nil
}

// removeFolder removes the fleet's folder, but never one that has become
// somebody else's.
func removeFolder(s state) error {
	there, err := readState(s.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || there.ID != s.ID {
		return errors.Join(err, fmt.Errorf("remove %s: it is not the folder of fleet %s", s.Dir, s.ID))
	}
	return os.RemoveAll(s.Dir)
}

// unmountBelow detaches what is mounted below dir. Engines mount in namespaces
// of their own, so this finds only what somebody mounted by hand; without it
// the removal would go through to the other side.
func unmountBelow(dir string) error {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	var errs []error
	for _, m := range mountsBelow(string(b), dir) {
		if err := syscall.Unmount(m, syscall.MNT_DETACH); err != nil {
			errs = append(errs, fmt.Errorf("unmount %s: %w", m, err))
		}
	}
	return errors.Join(errs...)
}

// mountsBelow lists the mount points below dir, the latest first: a mount can
// cover an earlier one.
func mountsBelow(mountinfo, dir string) []string {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var found []string
	for line := range strings.Lines(mountinfo) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		if point := unescape.Replace(f[4]); strings.HasPrefix(point, dir+"/") {
			found = append(found, point)
		}
	}
	slices.Reverse(found)
	return found
}

// removeCgroups removes the control groups of a fleet's containers, empty by
// now, below every controller.
func removeCgroups(root string, m mark) error {
	found, err := filepath.Glob(filepath.Join(root, m.cgroup()))
	if err != nil {
		return fmt.Errorf("list control groups: %w", err)
	}
	perController, err := filepath.Glob(filepath.Join(root, "*", m.cgroup()))
	if err != nil {
		return fmt.Errorf("list control groups: %w", err)
	}
	var errs []error
	for _, top := range append(found, perController...) {
		errs = append(errs, removeTree(top))
	}
	return errors.Join(errs...)
}

// removeTree removes a tree of control groups from its leaves. The files in
// it belong to the kernel and go with their folder.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove control group: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	// rmdir itself: os.Remove would first try to unlink.
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove control group %s: %w", dir, err)
	}
	return nil
}
