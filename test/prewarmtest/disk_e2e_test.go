//go:build e2e

package prewarmtest

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestASmallDiskIsSoonFull(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "logs")
	undo, err := SmallDisk(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	ended := false
	t.Cleanup(func() {
		if !ended {
			_ = undo() // the test has failed already
		}
	})
	write := func() error { return os.WriteFile(filepath.Join(dir, "line"), make([]byte, 4<<10), 0o600) }
	if err := write(); err != nil {
		t.Fatal(err)
	}
	full, err := Fill(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "more"), []byte("x"), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("on a full disk: %v", err)
	}
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	if err := write(); err != nil {
		t.Errorf("once there is room: %v", err)
	}
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	ended = true
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left below the mount: %v %v", left, err)
	}
}
