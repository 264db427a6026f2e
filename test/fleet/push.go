package fleet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Push builds an image and pushes it to the registry under a reference
// without a host ("etl/jobs:v1"). It gives the digest that the tag then shows:
// of the index where it is one.
func (r *Registry) Push(ctx context.Context, ref string, img Image) (digest string, err error) {
	hash, err := r.push(ctx, ref, img)
	if err != nil {
		return "", fmt.Errorf("push %s: %w", ref, err)
	}
	return hash.String(), nil
}

func (r *Registry) push(ctx context.Context, ref string, img Image) (v1.Hash, error) {
	tag, err := name.NewTag(r.Addr+"/"+ref, r.nameOptions()...)
	if err != nil {
		return v1.Hash{}, err
	}
	layers, err := r.layers(ctx, img)
	if err != nil {
		return v1.Hash{}, err
	}
	children, err := img.children(layers)
	if err != nil {
		return v1.Hash{}, err
	}
	var hash v1.Hash
	err = r.connect(ctx, func(options []remote.Option) error {
		if img.asIndex() {
			hash, err = writeIndex(tag, children, options)
		} else {
			hash, err = writeManifest(tag, children[0], options)
		}
		return err
	})
	return hash, err
}

func writeManifest(tag name.Tag, c child, options []remote.Option) (v1.Hash, error) {
	if err := remote.Write(tag, c.image, options...); err != nil {
		return v1.Hash{}, err
	}
	return c.image.Digest()
}

func writeIndex(tag name.Tag, children []child, options []remote.Option) (v1.Hash, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, c := range children {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: c.image, Descriptor: v1.Descriptor{Platform: &c.platform},
		})
	}
	if err := remote.WriteIndex(tag, index, options...); err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}

// layers makes an image's layers, the ones that change least first: an engine
// keeps an unpacked layer together with all below it.
func (r *Registry) layers(ctx context.Context, img Image) ([]v1.Layer, error) {
	var layers []v1.Layer
	if img.node != nil {
		base, err := img.node.layers()
		if err != nil {
			return nil, err
		}
		layers = base
	} else {
		program, err := r.testProgram(ctx)
		if err != nil {
			return nil, err
		}
		l, err := bytesLayer("program", program)
		if err != nil {
			return nil, err
		}
		layers = append(layers, l)
	}
	for n, size := range img.Random {
		l, err := randomLayer(img.Seed, n, size)
		if err != nil {
			return nil, fmt.Errorf("make random layer %d: %w", n, err)
		}
		layers = append(layers, l)
	}
	return layers, nil
}

// testProgram compiles the test program once for all images of the registry,
// so that they share its layer.
func (r *Registry) testProgram(ctx context.Context) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.program == nil {
		b, err := buildProgram(ctx, r.daemon.dir)
		if err != nil {
			return nil, err
		}
		r.program = b
	}
	return r.program, nil
}

// programPackage is the test program.
const programPackage = "github.com/prewarm/prewarm/test/fleet/program"

// buildProgram compiles the test program, the same to the byte wherever the
// checkout lies. The working directory must be within the module. What the
// compiler leaves when it is killed is in folder, and goes with the fleet.
func buildProgram(ctx context.Context, folder string) ([]byte, error) {
	dir, err := os.MkdirTemp(folder, "prewarm-program-")
	if err != nil {
		return nil, fmt.Errorf("build test program: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "program")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", file, programPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build test program: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return os.ReadFile(file)
}
