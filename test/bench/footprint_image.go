package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// released is what make image builds, for this machine.
type released struct {
	program string // a file
	archive string // a file that docker load takes
	loaded  string // what the image is called then
}

// release builds it as for a release, in dir.
func release(ctx context.Context, dir string) (released, error) {
	top, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return released{}, fmt.Errorf("find the top of the project: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "run", "./tools/image", "-o", dir, "-platforms", "linux/"+runtime.GOARCH, "-load", "never")
	cmd.Dir = filepath.Dir(strings.TrimSpace(string(top)))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return released{}, fmt.Errorf("build the image: %w\n%s", err, said.String())
	}
	image, _, _ := strings.Cut(strings.TrimSpace(string(out)), "@")
	program := filepath.Join(dir, "prewarm-linux-"+runtime.GOARCH)
	return released{program: program, archive: program + ".tar", loaded: image}, nil
}

// sizes tells what the program takes on a disk, and its image on the way and on
// a host.
func (f *footprint) sizes(ctx context.Context, t *table) error {
	for _, part := range []struct{ what, file string }{
		{"program, one static file", f.program},
		{"image, as it is pulled", f.archive},
	} {
		info, err := os.Stat(part.file)
		if err != nil {
			return fmt.Errorf("measure what was built: %w", err)
		}
		t.add(part.what, "linux/"+runtime.GOARCH, megabytes(info.Size()), "", "none")
	}
	host := f.fleet.Hosts[0]
	if out, err := f.dockerCommand(ctx, host, "load", "--input", f.archive).CombinedOutput(); err != nil {
		return fmt.Errorf("load the image: %w: %s", err, out)
	}
	out, err := f.dockerCommand(ctx, host, "image", "inspect", "--format", "{{.Size}}", f.loaded).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ask for the image's size: %w: %s", err, out)
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return fmt.Errorf("ask for the image's size: %w", err)
	}
	t.add("image, unpacked on a host", "linux/"+runtime.GOARCH, megabytes(size), "", "none")
	return nil
}
