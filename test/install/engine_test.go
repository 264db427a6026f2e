//go:build install

package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// imageTag is what the tests call the image.
const imageTag = "ghcr.io/prewarm/prewarm:0.0.0-test"

// builtImage is what tools/image made.
type builtImage struct {
	dir    string // bin/image of a user
	digest string // of the index
	err    error
}

var (
	buildOnce sync.Once
	built     builtImage
)

// image builds the image for both platforms and loads it into the engine of the
// fleet's first host, once for all tests.
func image(t *testing.T) builtImage {
	t.Helper()
	buildOnce.Do(func() {
		dir, err := os.MkdirTemp(shared.Dir, "image")
		if err != nil {
			built.err = err
			return
		}
		built = buildImage(root(t), dir, "DOCKER_HOST="+shared.Hosts[0].Socket)
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built
}

// buildImage runs tools/image of the tree in a folder. The version, the commit
// and the time are fixed: another folder need not be a clone.
func buildImage(tree, dir string, env ...string) builtImage {
	load := "always"
	if len(env) == 0 {
		load = "never"
	}
	cmd := exec.Command("go", "run", "./tools/image", "-o", dir, "-version", "0.0.0-test", "-revision", strings.Repeat("c0ffee00", 5), "-load", load)
	cmd.Dir = tree
	cmd.Env = append(append(os.Environ(), "SOURCE_DATE_EPOCH=1767225600"), env...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return builtImage{err: fmt.Errorf("go run ./tools/image: %w\n%s", err, said.String())}
	}
	name, digest, _ := strings.Cut(strings.TrimSpace(string(out)), "@")
	if name != imageTag {
		return builtImage{err: fmt.Errorf("go run ./tools/image printed %q", out)}
	}
	return builtImage{dir: dir, digest: digest}
}

// docker runs docker on the fleet's first host.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tryDocker(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryDocker(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+shared.Hosts[0].Socket)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("docker %s: %w\n%s%s", strings.Join(args, " "), err, out, said.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// await looks until something is so, and fails with the last reason that it is
// not.
func await(t *testing.T, within time.Duration, look func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = look(); err == nil {
			return
		}
	}
	t.Fatalf("not within %v: %v", within, err)
}

// copyTree copies the files that git knows, or would, to another folder.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = from
	list, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.Lines(string(list)) {
		name = strings.TrimSpace(name)
		content, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // removed, and not committed
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
