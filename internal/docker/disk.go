package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/system"

	"github.com/prewarm/prewarm/warmer"
)

const (
	// A machine's own containerd, which an engine uses where it finds it, and
	// where that one keeps its content unless it is told otherwise.
	systemContainerd = "/run/containerd/containerd.sock"
	containerdRoot   = "/var/lib/containerd"
)

// disk tells the room for images as far as it can be known from outside, for an
// engine on this machine only where a folder of its own is seen here: no call
// of the Engine API does. It is asked at each probe and fails silently, for
// nothing but warnings depend on it.
func (h *Host) disk(ctx context.Context, info system.Info, folder string) warmer.Disk {
	root := imageRoot(info)
	if root == "" {
		return warmer.Disk{}
	}
	switch {
	case h.ssh != nil:
		return h.remoteDisk(ctx, root)
	case h.endpoint.network == "unix" && isHere(folder):
		return statDisk(root)
	}
	return warmer.Disk{}
}

// imageRoot is the folder in which an engine keeps images, "" where it does not
// tell: before API 1.46 an engine with the containerd store says nothing of its
// containerd.
func imageRoot(info system.Info) string {
	root := info.DockerRootDir
	if !path.IsAbs(root) {
		return ""
	}
	if factsOf(info).store == classic {
		return root
	}
	switch {
	case info.Containerd == nil || info.Containerd.Address == "":
		return ""
	case path.Clean(strings.Replace(info.Containerd.Address, "/var/run/", "/run/", 1)) == systemContainerd:
		return containerdRoot
	}
	return root // a containerd of the engine's own, below its folder
}

// isHere tells whether a folder of the engine lies here. A socket can be that of an
// engine elsewhere, and a folder of the same name another one. That we may not
// look is no proof against it: the folder is root's.
func isHere(folder string) bool {
	if folder == "" {
		return false
	}
	_, err := os.Stat(folder)
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// remoteDisk asks the machine itself; a user who may not run commands there
// leaves it unknown.
func (h *Host) remoteDisk(ctx context.Context, root string) warmer.Disk {
	said, err := h.ssh.run(ctx, "stat -f -c '%a %b %S' "+quoted(root))
	if err != nil {
		h.log.Debug("the free space is not known", "error", err)
		return warmer.Disk{}
	}
	disk, err := parseStat(said)
	if err != nil {
		h.log.Debug("the free space is not known", "error", err)
	}
	return disk
}

// parseStat reads free blocks, all blocks and the size of one.
func parseStat(said string) (warmer.Disk, error) {
	fields := strings.Fields(said)
	if len(fields) != 3 {
		return warmer.Disk{}, fmt.Errorf("read the free space: %.80q is not three numbers", said)
	}
	var n [3]int64
	for i, f := range fields {
		v, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return warmer.Disk{}, fmt.Errorf("read the free space: %w", err)
		}
		n[i] = v
	}
	return warmer.Disk{Free: n[0] * n[2], Total: n[1] * n[2]}, nil
}
