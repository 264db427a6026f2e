package fleet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func digestOf(t *testing.T, img Image, content string) v1.Hash {
	t.Helper()
	layer, err := bytesLayer("program", []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	children, err := img.children([]v1.Layer{layer})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := children[0].image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestTheSameImageHasTheSameDigest(t *testing.T) {
	t.Parallel()
	first := digestOf(t, ProgramImage("v1"), "x")
	if again := digestOf(t, ProgramImage("v1"), "x"); again != first {
		t.Errorf("the same image: %s and %s", first, again)
	}
	for name, other := range map[string]v1.Hash{
		"version":  digestOf(t, ProgramImage("v2"), "x"),
		"content":  digestOf(t, ProgramImage("v1"), "y"),
		"env":      digestOf(t, Image{Version: "v1", Env: []string{"A=b"}}, "x"),
		"platform": digestOf(t, Image{Version: "v1", Platforms: []string{ForeignPlatform()}}, "x"),
	} {
		if other == first {
			t.Errorf("another %s gives the same digest", name)
		}
	}
}

func TestAChildsConfiguration(t *testing.T) {
	t.Parallel()
	children, err := Image{Version: "v1", Env: []string{"A=b"}, Platforms: []string{"linux/arm/v7"}}.children(nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := children[0].image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{
		Entrypoint: []string{"/program"},
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin", "PROGRAM_VERSION=v1", "A=b"},
	}
	if diff := cmp.Diff(want, file.Config); diff != "" {
		t.Error(diff)
	}
	if got := file.Platform().String(); got != "linux/arm/v7" {
		t.Errorf("platform %s", got)
	}
}

func TestPlatformsAreChecked(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "linux", "linux/", "a/b/c/d"} {
		if got, err := (Image{Platforms: []string{bad}}).platforms(); err == nil {
			t.Errorf("platform %q was read as %v", bad, got)
		}
	}
	got, err := Image{}.platforms()
	if err != nil || len(got) != 1 || got[0].String() != MachinePlatform() {
		t.Errorf("no platform: %v, %v", got, err)
	}
	if MachinePlatform() == ForeignPlatform() {
		t.Error("the foreign platform is this machine's")
	}
}
