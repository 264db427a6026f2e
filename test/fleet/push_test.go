package fleet

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// inProcess is a registry without a daemon.
func inProcess(t *testing.T) *Registry {
	t.Helper()
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	return &Registry{Addr: strings.TrimPrefix(s.URL, "http://"), program: []byte("stands for the program")}
}

func TestPush(t *testing.T) {
	t.Parallel()
	r := inProcess(t)
	for _, tc := range []struct {
		name      string
		img       Image
		index     bool
		platforms []string
		layers    int
	}{
		{"plain", ProgramImage("v1"), false, nil, 1},
		{"random", Image{Random: []int64{10, 20}}, false, nil, 3},
		{"index of one", Image{Index: true}, true, []string{MachinePlatform()}, 1},
		{"index of two", Image{Platforms: []string{"linux/amd64", "linux/arm64"}}, true, []string{"linux/amd64", "linux/arm64"}, 1},
		{"foreign", Image{Platforms: []string{ForeignPlatform()}}, false, nil, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ref := "etl/" + strings.ReplaceAll(tc.name, " ", "-") + ":v1"
			digest, err := r.Push(t.Context(), ref, tc.img)
			if err != nil {
				t.Fatal(err)
			}
			tag, err := name.NewTag(r.Addr + "/" + ref)
			if err != nil {
				t.Fatal(err)
			}
			got, err := remote.Get(tag)
			if err != nil {
				t.Fatal(err)
			}
			if got.Digest.String() != digest || got.MediaType.IsIndex() != tc.index {
				t.Errorf("the tag shows %s, %s; Push said %s", got.MediaType, got.Digest, digest)
			}
			checkPlatforms(t, got, tc.platforms)
			img, err := got.Image() // of an index, this machine's child
			if err != nil {
				t.Fatal(err)
			}
			if layers, err := img.Layers(); err != nil || len(layers) != tc.layers {
				t.Errorf("%d layers, want %d (%v)", len(layers), tc.layers, err)
			}
		})
	}
}

func checkPlatforms(t *testing.T, got *remote.Descriptor, want []string) {
	t.Helper()
	if len(want) == 0 {
		return
	}
	index, err := got.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, m := range manifest.Manifests {
		platforms = append(platforms, m.Platform.String())
	}
	if strings.Join(platforms, " ") != strings.Join(want, " ") {
		t.Errorf("platforms %v, want %v", platforms, want)
	}
}

func TestPushRefuses(t *testing.T) {
	t.Parallel()
	r := inProcess(t)
	for ref, img := range map[string]Image{
		"etl/jobs":     ProgramImage("v1"), // no tag
		"Etl/jobs:v1":  ProgramImage("v1"),
		"etl/jobs2:v1": {Platforms: []string{"plan9"}},
	} {
		if digest, err := r.Push(t.Context(), ref, img); err == nil || !strings.Contains(err.Error(), "push "+ref) {
			t.Errorf("%s: %q, %v", ref, digest, err)
		}
	}
}

func TestTheProgramIsBuiltTheSameEachTime(t *testing.T) {
	t.Parallel()
	first, err := buildProgram(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	second, err := buildProgram(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(first) == 0 || string(first) != string(second) {
		t.Errorf("%d and %d bytes differ", len(first), len(second))
	}
}
