package fleet

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// DebianArchive gives an archive of a minimal Debian of this machine's version, as a
// .tar.gz, and makes it where the cache has none.
func DebianArchive(ctx context.Context) (archive string, err error) {
	c, err := openCache(ctx)
	if err != nil {
		return "", err
	}
	defer c.lock.unlock()
	suite, err := debianSuite()
	if err != nil {
		return "", err
	}
	return c.debian(ctx, suite)
}

func (c cache) debian(ctx context.Context, suite string) (archive string, err error) {
	return c.file(fmt.Sprintf("debian-%s-%s.tar.gz", suite, runtime.GOARCH), func(w *tar.Writer) error { return writeDebian(ctx, c.dir, suite, w) })
}

// debianSuite is the name of this machine's Debian ("bookworm"). The base is
// of the same: this machine's node needs a C library no older than its own.
func debianSuite() (string, error) {
	b, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", fmt.Errorf("find Debian's version: %w", err)
	}
	return parseOSRelease(string(b))
}

func parseOSRelease(text string) (string, error) {
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			return strings.Trim(name, `"'`), nil
		}
	}
	return "", errors.New("find Debian's version: /etc/os-release has no VERSION_CODENAME")
}

// writeDebian writes a minimal Debian, made in a folder of the cache. The
// mounts that debootstrap makes are in a namespace of its own, so that no
// /proc is left mounted where the folder is removed.
func writeDebian(ctx context.Context, cacheDir, suite string, w *tar.Writer) error {
	if lookIn(searchPath(), "debootstrap") == "" {
		return missing(true, searchPath(), []string{"debootstrap"})
	}
	mirror, err := debianMirror(ctx, suite)
	if err != nil {
		return err
	}
	root, err := os.MkdirTemp(cacheDir, unfinished+"debian-")
	if err != nil {
		return fmt.Errorf("make a Debian: %w", err)
	}
	defer os.RemoveAll(root)
	if err := debootstrap(ctx, suite, root, mirror); err != nil {
		return err
	}
	return addTree(w, root, leftOut)
}

// debootstrap fills root with the packages that Debian marks as required, and
// apt. It ends with its children when ctx does.
func debootstrap(ctx context.Context, suite, root, mirror string) error {
	cmd := exec.CommandContext(ctx, lookIn(searchPath(), "unshare"), "--mount",
		"debootstrap", "--variant=minbase", suite, root, mirror)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PATH="+searchPath())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run debootstrap %s %s: %w; it ends with:\n%s", suite, mirror, err, out[max(0, len(out)-logTail):])
	}
	return nil
}

// debianMirror asks apt from where this machine gets its packages. The call
// only prints; nothing is fetched, and no package list need be there.
func debianMirror(ctx context.Context, suite string) (string, error) {
	out, err := output(ctx, "apt-get", "--print-uris", "update")
	if err != nil {
		return "", fmt.Errorf("find the Debian mirror: %w", err)
	}
	return parseMirror(out, suite)
}

// parseMirror finds, in lines like 'http://host/debian/dists/SUITE/InRelease'
// file 0, the address before the suite itself, not its updates or others.
func parseMirror(uris, suite string) (string, error) {
	for s := bufio.NewScanner(strings.NewReader(uris)); s.Scan(); {
		uri, ok := strings.CutPrefix(s.Text(), "'")
		if !ok {
			continue
		}
		if mirror, ok := strings.CutSuffix(strings.SplitN(uri, "'", 2)[0], "/dists/"+suite+"/InRelease"); ok {
			return mirror, nil
		}
	}
	return "", fmt.Errorf("find the Debian mirror: apt's sources name none for %s", suite)
}

// leftOut names the folders whose content is of no use in an image: package
// lists and caches, logs, and what a kernel or an engine puts there.
func leftOut(dir string) bool {
	switch filepath.ToSlash(dir) {
	case "dev", "proc", "sys", "run", "tmp",
		"var/cache/apt", "var/cache/apt/archives", "var/cache/debconf", "var/cache/ldconfig",
		"var/lib/apt/lists", "var/log":
		return true
	}
	return false
}
