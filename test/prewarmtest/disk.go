package prewarmtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// SmallDisk makes dir a disk of a size in bytes, in memory: a server that keeps
// its state there, or only its logs, finds it full soon. Undo takes it away; the
// folder stays. It needs the rights of root.
func SmallDisk(dir string, bytes int64) (undo func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a small disk: %w", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+strconv.FormatInt(bytes, 10)); err != nil {
		return nil, fmt.Errorf("mount a small disk at %s: %w", dir, err)
	}
	return func() error {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount the small disk at %s: %w", dir, err)
		}
		return nil
	}, nil
}

// Fill takes what is left of the disk that dir is on, by a file in it, and gives
// that file: without it there is room again.
func Fill(dir string) (file string, err error) {
	file = filepath.Join(dir, "full")
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("fill a disk: %w", err)
	}
	defer f.Close()
	for chunk := make([]byte, 64<<10); ; {
		_, err := f.Write(chunk)
		switch {
		case err == nil:
		case len(chunk) > 1:
			chunk = chunk[:len(chunk)/2]
		default:
			return file, nil
		}
	}
}
