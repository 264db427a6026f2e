package fleet

import (
	"archive/tar"
	"context"
	_ "embed" // for job.js
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

//go:embed node/job.js
var nodeJob []byte

// nodeRuntime is what a Node image stands on: two layers, compressed, kept
// between runs in the user's cache.
type nodeRuntime struct {
	debian string // file: a small Debian
	node   string // file: this machine's node, and the libraries Debian lacks
}

// NodeImage is a small Node program on this machine's own node, on a base made
// by debootstrap from this machine's own Debian mirror: about 216 MB unpacked,
// like many a job of a real team. It prints a line a second with its version,
// then "done"; its arguments are the number of lines and the pause in
// milliseconds. Its parts are kept in prewarm-rig below os.UserCacheDir: the
// first call takes up to a minute, later ones no time. Where there is no node
// it is the ProgramImage.
func NodeImage(ctx context.Context, version string) (Image, error) {
	binary := lookIn(searchPath(), "node")
	if binary == "" {
		return ProgramImage(version), nil
	}
	rt, err := loadNodeRuntime(ctx, binary)
	if err != nil {
		return Image{}, fmt.Errorf("make node image: %w", err)
	}
	return Image{Version: version, node: rt}, nil
}

// loadNodeRuntime makes what the cache lacks. It holds a lock on the cache:
// two tests that start together make the layers once.
func loadNodeRuntime(ctx context.Context, binary string) (*nodeRuntime, error) {
	c, err := openCache(ctx)
	if err != nil {
		return nil, err
	}
	defer c.lock.unlock()
	suite, err := debianSuite()
	if err != nil {
		return nil, err
	}
	version, err := output(ctx, binary, "--version")
	if err != nil {
		return nil, err
	}
	debian, err := c.debian(ctx, suite)
	if err != nil {
		return nil, err
	}
	node, err := c.file("node-"+strings.TrimSpace(version)+"-on-"+filepath.Base(debian), func(w *tar.Writer) error {
		return writeNode(ctx, binary, debian, w)
	})
	if err != nil {
		return nil, err
	}
	return &nodeRuntime{debian: debian, node: node}, nil
}

// layers gives the base first: every version of the image shares it.
func (n *nodeRuntime) layers() ([]v1.Layer, error) {
	var layers []v1.Layer
	for _, file := range []string{n.debian, n.node} {
		l, err := tarball.LayerFromFile(file, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return nil, fmt.Errorf("read layer %s: %w", file, err)
		}
		layers = append(layers, l)
	}
	l, err := bytesLayer("app/job.js", nodeJob)
	if err != nil {
		return nil, fmt.Errorf("make layer of the job: %w", err)
	}
	return append(layers, l), nil
}

// writeNode writes node and those of its libraries that the base lacks.
func writeNode(ctx context.Context, binary, debian string, w *tar.Writer) error {
	if err := addFile(w, binary, "usr/local/bin/node"); err != nil {
		return err
	}
	listed, err := output(ctx, "ldd", binary)
	if err != nil {
		return err
	}
	there, err := archiveNames(debian)
	if err != nil {
		return err
	}
	for _, lib := range libraries(listed) {
		path, err := layerPath(lib)
		if err != nil {
			return err
		}
		if there[path] {
			continue
		}
		if err := addFile(w, lib, path); err != nil {
			return err
		}
	}
	return nil
}

// libraries reads the paths that ldd prints: "name => /path (address)", or the
// path alone for the loader. The kernel's own one has no path.
func libraries(ldd string) []string {
	var found []string
	for line := range strings.Lines(ldd) {
		if _, after, ok := strings.Cut(line, " => "); ok {
			line = after
		}
		if path, _, ok := strings.Cut(strings.TrimSpace(line), " ("); ok && filepath.IsAbs(path) {
			found = append(found, path)
		}
	}
	return found
}

// layerPath is where a file goes in a layer: in its real folder, under its own
// name. In Debian /lib is a link to /usr/lib, and a layer with a file lib/x
// would put a folder in place of the link and hide every library of the base.
func layerPath(file string) (string, error) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(file))
	if err != nil {
		return "", fmt.Errorf("find library: %w", err)
	}
	return strings.TrimPrefix(filepath.Join(dir, filepath.Base(file)), "/"), nil
}

// output runs a program to its end and gives what it printed.
func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PATH="+searchPath())
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("run %s: %w", cmd, err)
	}
	return string(out), nil
}
