package fleet

import (
	"fmt"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image describes an image to be pushed. Equal descriptions give equal
// digests, and layers that two images have in common are the same blobs. The
// zero Image is the test program, without a version, for this machine.
type Image struct {
	// Version becomes PROGRAM_VERSION. Another version is another digest.
	Version string
	// Env is further environment, as NAME=VALUE.
	Env []string
	// Random adds a layer of that many bytes per entry, which no compression
	// makes smaller.
	Random []int64
	// Seed makes other random bytes. Images with the same seed and sizes share
	// their random layers.
	Seed uint64
	// Platforms is for what the image is: "linux/amd64", "linux/arm/v7". None is
	// this machine's. All of them hold the same program, so only this machine's
	// really runs. More than one makes an index.
	Platforms []string
	// Index makes an index also for a single platform.
	Index bool

	// node is the runtime for which the image has a program instead; see NodeImage.
	node *nodeRuntime
}

// ProgramImage is the static test program (see test/fleet/program) on nothing
// else: one layer of about two megabytes, entry point /program.
func ProgramImage(version string) Image { return Image{Version: version} }

// created is the date in every image, since a digest covers it. Engines before
// the containerd store prune by it: it is old.
func created() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }

// MachinePlatform is the platform that this machine's engines run.
func MachinePlatform() string { return "linux/" + runtime.GOARCH }

// ForeignPlatform is one that they do not run.
func ForeignPlatform() string {
	if runtime.GOARCH == "arm64" {
		return "linux/amd64"
	}
	return "linux/arm64"
}

// platforms parses the image's platforms.
func (i Image) platforms() ([]v1.Platform, error) {
	names := i.Platforms
	if len(names) == 0 {
		names = []string{MachinePlatform()}
	}
	parsed := make([]v1.Platform, 0, len(names))
	for _, n := range names {
		p, err := v1.ParsePlatform(n)
		if err != nil || p.OS == "" || p.Architecture == "" {
			return nil, fmt.Errorf("platform %q: want os/architecture or os/architecture/variant", n)
		}
		parsed = append(parsed, *p)
	}
	return parsed, nil
}

// child is the image that a host of one platform runs.
type child struct {
	platform v1.Platform
	image    v1.Image
}

// children makes the image for each of its platforms.
func (i Image) children(layers []v1.Layer) ([]child, error) {
	platforms, err := i.platforms()
	if err != nil {
		return nil, err
	}
	made := make([]child, 0, len(platforms))
	for _, p := range platforms {
		img, err := i.child(p, layers)
		if err != nil {
			return nil, fmt.Errorf("build image for %s: %w", p, err)
		}
		made = append(made, child{platform: p, image: img})
	}
	return made, nil
}

// child makes the image for one platform, in the form that current builders
// push: OCI media types throughout.
func (i Image) child(p v1.Platform, layers []v1.Layer) (v1.Image, error) {
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	img, err := mutate.AppendLayers(img, layers...)
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Variant = p.OS, p.Architecture, p.Variant
	file.Created = v1.Time{Time: created()}
	file.Config.Env = i.environ()
	file.Config.Entrypoint = i.entrypoint()
	return mutate.ConfigFile(img, file)
}

func (i Image) entrypoint() []string {
	if i.node != nil {
		return []string{"node", "/app/job.js"}
	}
	return []string{"/program"}
}

func (i Image) environ() []string {
	return append([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "PROGRAM_VERSION=" + i.Version}, i.Env...)
}

// asIndex tells whether the image is pushed as an index.
func (i Image) asIndex() bool { return i.Index || len(i.Platforms) > 1 }
