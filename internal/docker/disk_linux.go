package docker

import (
	"syscall"

	"github.com/prewarm/prewarm/warmer"
)

// statDisk asks for the room in a file system of this machine: what is free to
// anyone but root.
func statDisk(dir string) warmer.Disk {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return warmer.Disk{}
	}
	return warmer.Disk{Free: int64(s.Bavail) * s.Bsize, Total: int64(s.Blocks) * s.Bsize}
}
