package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The versions that make a current engine. runc is not the latest: 1.3.3 and
// its like replace modules in their go.mod, which go install refuses.
const (
	mobyVersion       = "v2.0.0-beta.24"
	containerdVersion = "v2.3.5"
	runcVersion       = "v1.3.2"
)

// engine29Parts are the programs, each with the flags of its build. runc
// without seccomp refuses every container of an engine that has it.
func engine29Parts() [][]string {
	const moby, containerd = "github.com/moby/moby/v2/cmd/", "github.com/containerd/containerd/v2/cmd/"
	return [][]string{
		{moby + "dockerd@" + mobyVersion},
		{moby + "docker-proxy@" + mobyVersion},
		{containerd + "containerd@" + containerdVersion},
		{containerd + "containerd-shim-runc-v2@" + containerdVersion},
		{"-tags", "seccomp", "github.com/opencontainers/runc@" + runcVersion},
	}
}

// toolsDir is where tools are kept between runs, by version, outside of the
// tree; the Makefile has its own there.
func toolsDir() (string, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache: %w", err)
	}
	return filepath.Join(user, "prewarm-tools"), nil
}

// engine29Dir is where the programs of the engine are, once built.
func engine29Dir() (string, error) {
	tools, err := toolsDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(tools, strings.Join([]string{"engine-29", mobyVersion, containerdVersion, runcVersion}, "-")), nil
}

func checkEngine29() error {
	dir, err := engine29Dir()
	if err != nil {
		return err
	}
	if !exists(dir) {
		return fmt.Errorf("start a fleet: engine 29 is not in %s; as root, run: sh test/setup.sh engine29 && go run ./test/rig engine29", dir)
	}
	return nil
}

// BuildEngine29 makes the programs of Engine29 from source and gives the
// folder that has them. It takes some four minutes on two cores the first
// time, and none once they are there. A build that was interrupted leaves
// nothing that a later one would take for whole. log gets a line per program.
func BuildEngine29(ctx context.Context, log io.Writer) (dir string, err error) {
	dir, err = engine29Dir()
	if err != nil {
		return "", err
	}
	if exists(dir) {
		return dir, nil
	}
	if err := missing(true, searchPath(), []string{"go", "gcc", "pkg-config"}); err != nil {
		return "", fmt.Errorf("build engine 29: %w engine29", err)
	}
	c, err := openCacheIn(ctx, filepath.Dir(dir))
	if err != nil {
		return "", err
	}
	defer c.lock.unlock()
	if exists(dir) { // another made it while this one waited
		return dir, nil
	}
	if err := buildInto(ctx, dir, engine29Parts(), log); err != nil {
		return "", fmt.Errorf("build engine 29: %w", err)
	}
	return dir, nil
}

// buildInto installs Go programs into a folder, which appears once all of them
// are there.
func buildInto(ctx context.Context, dir string, parts [][]string, log io.Writer) error {
	bin, err := os.MkdirTemp(filepath.Dir(dir), unfinished+filepath.Base(dir)+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin) // in vain once it has its name
	for _, part := range parts {
		begin := time.Now()
		if err := goInstall(ctx, bin, part); err != nil {
			return err
		}
		fmt.Fprintf(log, "built %s in %v\n", part[len(part)-1], time.Since(begin).Round(time.Second))
	}
	return os.Rename(bin, dir)
}

// goInstall runs in the folder of the programs, outside of any module: what is
// built has its own versions of everything. It ends with its children when ctx
// does.
func goInstall(ctx context.Context, bin string, args []string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"install"}, args...)...)
	cmd.Dir = bin
	cmd.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local", "CGO_ENABLED=1", "GOOS=", "GOARCH=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	return fmt.Errorf("run go install %s: %w; it ends with:\n%s", strings.Join(args, " "), errors.Join(err, ctx.Err()), out[max(0, len(out)-logTail):])
}
