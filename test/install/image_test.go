//go:build install

package install

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestTheImageIsTheSameFromAnotherFolder(t *testing.T) {
	first := image(t)
	tree := t.TempDir()
	copyTree(t, root(t), tree)
	second := buildImage(tree, t.TempDir())
	if second.err != nil {
		t.Fatal(second.err)
	}
	if first.digest != second.digest {
		t.Errorf("%s here, and %s from another folder", first.digest, second.digest)
	}
}

func TestTheImageHasBothPlatforms(t *testing.T) {
	path, err := layout.FromPath(filepath.Join(image(t).dir, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	top, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	all := manifests(t, top)
	index, err := top.ImageIndex(all[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Errorf("the index: %v", err)
	}
	machines := map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64}
	for _, m := range manifests(t, index) {
		img, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		settings, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		platform := m.Platform.String()
		if got := settings.Platform().String(); got != platform {
			t.Errorf("the image of %s says that it is of %s", platform, got)
		}
		program, err := elf.NewFile(bytes.NewReader(filesOf(t, img)["prewarm"].content))
		if err != nil {
			t.Fatalf("the program of %s: %v", platform, err)
		}
		want, known := machines[platform]
		if !known || program.Machine != want || slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
			t.Errorf("the program of %s is for %s, or needs a linker", platform, program.Machine)
		}
		delete(machines, platform)
	}
	if len(machines) > 0 {
		t.Errorf("missing: %v", machines)
	}
}

func manifests(t *testing.T, index v1.ImageIndex) []v1.Descriptor {
	t.Helper()
	m, err := index.IndexManifest()
	if err != nil || len(m.Manifests) == 0 {
		t.Fatalf("the index holds nothing: %v", err)
	}
	return m.Manifests
}

// packed is a file of an image.
type packed struct {
	header  *tar.Header
	content []byte
}

func filesOf(t *testing.T, img v1.Image) map[string]packed {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]packed)
	for _, l := range layers {
		content, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for r := tar.NewReader(content); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			files[h.Name] = packed{h, b}
		}
	}
	return files
}

// What an engine makes of the image, by its own words.
func TestTheLoadedImageSaysWhatItIs(t *testing.T) {
	image(t)
	var found []struct {
		Size   int64
		Config struct {
			User       string
			Entrypoint []string
			Cmd        []string
			Volumes    map[string]any
			Labels     map[string]string
			StopSignal string
			Env        []string
			// Healthcheck must survive the OCI's own media types.
			Healthcheck *struct{ Test []string }
		}
	}
	if err := json.Unmarshal([]byte(docker(t, "image", "inspect", imageTag)), &found); err != nil {
		t.Fatal(err)
	}
	size, c := found[0].Size, found[0].Config
	archive, err := os.Stat(filepath.Join(image(t).dir, "prewarm-linux-"+runtime.GOARCH+".tar"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the image takes %.1f MB on the host, and %.1f MB on the way", float64(size)/1e6, float64(archive.Size())/1e6)
	if size > 50e6 {
		t.Errorf("%d bytes is more than docs/install/image.md says", size)
	}
	if c.User != "65532:65532" || c.StopSignal != "SIGTERM" || !slices.Equal(c.Entrypoint, []string{"/prewarm"}) {
		t.Errorf("it runs as %s, %v, ended by %s", c.User, c.Entrypoint, c.StopSignal)
	}
	if !slices.Equal(c.Cmd, []string{"serve", "--config", "/etc/prewarm/prewarm.yaml"}) {
		t.Errorf("it runs %v", c.Cmd)
	}
	if !slices.Contains(c.Env, "SQLITE_TMPDIR=/var/lib/prewarm") { // the root is read-only, and /tmp with it
		t.Errorf("its environment is %v", c.Env)
	}
	if _, ok := c.Volumes["/var/lib/prewarm"]; !ok || len(c.Volumes) != 1 {
		t.Errorf("its volumes are %v", c.Volumes)
	}
	if c.Healthcheck == nil || !slices.Equal(c.Healthcheck.Test, []string{"CMD", "/prewarm", "health"}) {
		t.Errorf("its health check is %v", c.Healthcheck)
	}
	for name, want := range map[string]string{"version": "0.0.0-test", "revision": strings.Repeat("c0ffee00", 5), "created": "2026-01-01T00:00:00Z", "licenses": "Apache-2.0"} {
		if got := c.Labels["org.opencontainers.image."+name]; got != want {
			t.Errorf("its label %s is %q", name, got)
		}
	}
}

// Nothing is in it that is not needed, and nothing that its user could change.
func TestTheImageHasNothingElse(t *testing.T) {
	image(t)
	id := docker(t, "create", imageTag)
	defer docker(t, "rm", "-v", id)
	cmd := exec.Command("docker", "export", id)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+shared.Hosts[0].Socket)
	content, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	// What an engine makes in every container.
	engines := []string{".dockerenv", "dev/", "dev/console", "dev/pts/", "dev/shm/", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", "proc/", "sys/"}
	want := map[string]string{
		"etc/": "0:0 755", "etc/group": "0:0 644", "etc/passwd": "0:0 644", "etc/prewarm/": "0:0 755",
		"etc/ssl/": "0:0 755", "etc/ssl/certs/": "0:0 755", "etc/ssl/certs/ca-certificates.crt": "0:0 644",
		"prewarm": "0:0 755", "tmp/": "0:0 1777", "var/": "0:0 755", "var/lib/": "0:0 755", "var/lib/prewarm/": "65532:65532 700",
	}
	got := make(map[string]string)
	for r := tar.NewReader(bytes.NewReader(content)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(engines, h.Name) {
			got[h.Name] = ownership(h)
		}
	}
	for name, how := range got {
		if want[name] != how {
			t.Errorf("it has %s (%s), want %q", name, how, want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	if out, err := tryDocker("run", "--rm", "--entrypoint", "/bin/sh", imageTag, "-c", "true"); err == nil {
		t.Errorf("there is a shell in it: %s", out)
	}
}
