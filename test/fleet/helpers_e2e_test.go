//go:build e2e

package fleet

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// up starts a fleet that ends with the test.
func up(t *testing.T, o Options) *Fleet {
	t.Helper()
	f, err := Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Down(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// push pushes an image and gives its full name by digest.
func push(t *testing.T, r *Registry, ref string, img Image) (pin string) {
	t.Helper()
	digest, err := r.Push(t.Context(), ref, img)
	if err != nil {
		t.Fatal(err)
	}
	repo, _, _ := strings.Cut(ref, ":")
	return r.Addr + "/" + repo + "@" + digest
}

// docker runs Docker's own command line against an engine.
func docker(t *testing.T, engine string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "docker", append([]string{"--host", engine}, args...)...)
	cmd.Env = []string{"PATH=" + searchPath(), "HOME=" + t.TempDir()}
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("docker %v: %w: %s", args, err, &said)
	}
	return strings.TrimSpace(out.String()), nil
}

// mustDocker is docker for calls that have to succeed.
func mustDocker(t *testing.T, engine string, args ...string) string {
	t.Helper()
	out, err := docker(t, engine, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// traces lists what is left of a fleet outside its own records.
func traces(t *testing.T, s state) []string {
	t.Helper()
	var found []string
	processes, err := s.mark().processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		found = append(found, "process "+procFile(p.PID, ""))
	}
	for _, pattern := range []string{
		filepath.Join("/sys/class/net", bridgeName(s.ID)+"*"),
		filepath.Join(namespaces, namespaceName(s.ID, "*")),
		filepath.Join(cgroupRoot, s.mark().cgroup()),
		filepath.Join(cgroupRoot, "*", s.mark().cgroup()),
		filepath.Join(indexDir, s.ID),
		s.Dir,
	} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, matches...)
	}
	mounts, err := exec.CommandContext(t.Context(), "grep", "-F", s.Dir, "/proc/self/mountinfo").Output()
	if err == nil {
		found = append(found, string(mounts))
	}
	return found
}
