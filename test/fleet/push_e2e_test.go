//go:build e2e

package fleet

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func TestPushedImages(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 1})
	engine := f.Hosts[0].Socket
	both := []string{MachinePlatform(), ForeignPlatform()}
	for _, tc := range []struct {
		name  string
		img   Image
		index bool
	}{
		{"plain", ProgramImage("plain"), false},
		{"random", Image{Version: "random", Random: []int64{1 << 20, 3 << 20}, Seed: 1}, false},
		{"platforms", Image{Version: "platforms", Platforms: both}, true},
		{"index", Image{Version: "index", Index: true, Env: []string{"A=b"}}, true},
	} {
		pin := push(t, f.Registry, "etl/"+tc.name+":v1", tc.img)
		if got := mustDocker(t, engine, "run", "--rm", pin); got != "program "+tc.name {
			t.Errorf("%s: got %q", tc.name, got)
		}
		if again := push(t, f.Registry, "etl/"+tc.name+":again", tc.img); again != pin {
			t.Errorf("%s: pushed twice: %s and %s", tc.name, pin, again)
		}
		tc.img.Version += "-2"
		if other := push(t, f.Registry, "etl/"+tc.name+":v1", tc.img); other == pin {
			t.Errorf("%s: another version has the same digest %s", tc.name, pin)
		}
		if kind := mediaType(t, pin); kind.IsIndex() != tc.index {
			t.Errorf("%s: pushed as %s, want an index: %v", tc.name, kind, tc.index)
		}
	}
}

// mediaType asks the registry; docker's own "manifest inspect" on Debian can't
// read OCI manifests.
func mediaType(t *testing.T, pin string) types.MediaType {
	t.Helper()
	ref, err := name.ParseReference(pin, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := remote.Head(ref, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return seen.MediaType
}

func TestForeignImages(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 1})
	engine := f.Hosts[0].Socket
	index := push(t, f.Registry, "etl/index:v1", Image{Platforms: []string{ForeignPlatform()}, Index: true})
	if out, err := docker(t, engine, "pull", index); err == nil {
		t.Errorf("an index without this platform was pulled: %s", out)
	}
	single := push(t, f.Registry, "etl/single:v1", Image{Platforms: []string{ForeignPlatform()}})
	mustDocker(t, engine, "pull", single) // the engine takes it, which is the trap
	if got := mustDocker(t, engine, "inspect", "--format", "{{.Architecture}}", single); got == runtime.GOARCH {
		t.Errorf("the foreign image is for %s", got)
	}
}

func TestNodeImageRuns(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 1})
	img, err := NodeImage(t.Context(), "v1")
	if err != nil {
		t.Fatal(err)
	}
	pin := push(t, f.Registry, "etl/node:v1", img)
	if _, err := exec.LookPath("node"); err != nil {
		if got := mustDocker(t, f.Hosts[0].Socket, "run", "--rm", pin); got != "program v1" {
			t.Errorf("on a machine without node the Go program stands in, but got %q", got)
		}
		return
	}
	got := mustDocker(t, f.Hosts[0].Socket, "run", "--rm", pin, "2", "10")
	if !strings.HasPrefix(got, "line 1 of 2: job v1 on node v") || !strings.HasSuffix(got, "\ndone") {
		t.Errorf("got %q", got)
	}
}

func TestTheRegistryKeepsItsAddressAndData(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 1})
	pin := push(t, f.Registry, "etl/jobs:v1", ProgramImage("v1"))
	if err := f.Registry.Stop(); err != nil {
		t.Fatal(err)
	}
	if out, err := docker(t, f.Hosts[0].Socket, "pull", pin); err == nil {
		t.Fatalf("pulled from a stopped registry: %s", out)
	}
	if err := f.Registry.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustDocker(t, f.Hosts[0].Socket, "pull", pin)
}
