package server_test

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// tags is a registry of one repository with one tag.
type tags struct {
	mu     sync.Mutex
	latest registry.Pin
	listed []string
	err    error
}

func (r *tags) set(pin registry.Pin, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest, r.err = pin, err
}

func (r *tags) Resolve(context.Context, registry.Ref) (registry.Pin, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.latest, r.err
}

func (r *tags) Tags(context.Context, registry.Repository) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.listed, r.err
}

// list sets the tags that the repository has.
func (r *tags) list(tags ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listed = tags
}

func (r *tags) Manifest(_ context.Context, pin registry.Pin, _ []registry.Platform) (registry.Manifest, error) {
	child := registry.Child{Platform: registry.Platform{OS: "linux", Architecture: "amd64"}, Digest: pin.Digest(), Layers: []registry.Layer{{Bytes: 1000}}}
	origin := registry.Origin{Revision: "c0ffee", Source: "https://git.test/jobs", Created: time.Unix(1_700_000_000, 0)}
	return registry.Manifest{Pin: pin, Children: []registry.Child{child}, Origin: origin}, nil
}

// Describe gives each digest a layer of its own above a common one.
func (r *tags) Describe(_ context.Context, pin registry.Pin, platform registry.Platform) (registry.Image, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return registry.Image{}, r.err
	}
	image := registry.Image{Pin: pin, Platform: platform, Digest: pin.Digest(), Env: []string{"PATH=/bin", "DIGEST=" + pin.Digest().Short()}}
	for i, digest := range []registry.Digest{registry.Digest("sha256:" + strings.Repeat("0", 64)), pin.Digest()} {
		image.Layers = append(image.Layers, registry.ImageLayer{Layer: registry.Layer{Digest: digest, Bytes: int64(100 + 900*i)}})
	}
	return image, nil
}
