package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// Image is the image of one platform as its configuration describes it: what a
// person compares before going from one digest to another. The values of its
// environment are its own, public to whoever may pull it.
type Image struct {
	Pin      Pin
	Platform Platform
	Digest   Digest // of the platform's manifest

	Created    time.Time // zero: it does not say
	User       string
	WorkDir    string
	Env        []string // NAME=value
	Entrypoint []string
	Command    []string
	Labels     map[string]string
	Ports      []string // 8080/tcp, sorted
	Layers     []ImageLayer
}

// ImageLayer is one layer of an image, the lowest first.
type ImageLayer struct {
	Layer
	// CreatedBy is the build step that made it. It is empty where the image's
	// history does not match its layers.
	CreatedBy string
}

// configuration is the part that we show of an image's configuration.
type configuration struct {
	Created string
	Config  struct {
		User, WorkingDir     string
		Env, Entrypoint, Cmd []string
		Labels               map[string]string
		ExposedPorts         map[string]struct{}
	}
	History []struct {
		CreatedBy  string `json:"created_by"`
		EmptyLayer bool   `json:"empty_layer"`
	}
}

// Describe reads the image that a host of a platform runs, verified against the
// pin's digest, in two or three requests. The zero Platform is linux/amd64
// where there is one, else the first that the index lists.
//
// The error is like Manifest's, or PlatformMissing.
func (c *Client) Describe(ctx context.Context, pin Pin, platform Platform) (Image, error) {
	if pin.repo.IsZero() || pin.digest == "" {
		return Image{}, problem.New(problem.InvalidRequest, "describe an image: no pin given", "")
	}
	image := Image{Pin: pin}
	err := c.call(ctx, pin.repo, "describe "+pin.String(), func(ctx context.Context, s *session) error {
		doc, child, err := s.choose(ctx, pin, platform)
		if err != nil {
			return err
		}
		image.Platform, image.Digest = child.Platform, child.Digest
		return s.read(ctx, doc, &image)
	})
	if err != nil {
		return Image{}, err
	}
	return image, nil
}

// choose finds the manifest of a platform.
func (s *session) choose(ctx context.Context, pin Pin, platform Platform) (document, Child, error) {
	doc, err := s.get(ctx, s.target.Digest(string(pin.digest)))
	if err != nil {
		return document{}, Child{}, err
	}
	if !doc.isIndex() {
		child, _, err := s.image(ctx, doc)
		if err != nil {
			return document{}, Child{}, err
		}
		if !platform.IsZero() && !platform.Runs(child.Platform) {
			return document{}, Child{}, missing(pin, platform, []Child{child})
		}
		return doc, child, nil
	}
	m, err := s.children(ctx, doc)
	if err != nil {
		return document{}, Child{}, err
	}
	wanted := platform
	if platform.IsZero() {
		wanted = Platform{OS: "linux", Architecture: "amd64"}
	}
	child, ok := m.For(wanted)
	switch {
	case !ok && platform.IsZero():
		child = m.Children[0]
	case !ok:
		return document{}, Child{}, missing(pin, platform, m.Children)
	}
	doc, err = s.get(ctx, s.target.Digest(string(child.Digest)))
	return doc, child, err
}

func missing(pin Pin, platform Platform, has []Child) *problem.Error {
	names := make([]string, len(has))
	for i, c := range has {
		names[i] = c.Platform.String()
	}
	return problem.New(problem.PlatformMissing,
		fmt.Sprintf("describe %s: it has no image for %s, only for %s", pin, platform, strings.Join(names, ", ")), "ask for one of those")
}

// read fills in what a manifest and its configuration say.
func (s *session) read(ctx context.Context, doc document, image *Image) error {
	if doc.Config == nil {
		return fmt.Errorf("the index lists %s as an image, and it is none", image.Digest)
	}
	raw, err := s.config(ctx, doc)
	if err != nil {
		return err
	}
	var config configuration
	if err := json.Unmarshal(raw, &config); err != nil {
		return fmt.Errorf("read image configuration: %w", err)
	}
	layers, err := doc.layers()
	if err != nil {
		return err
	}
	if created, err := time.Parse(time.RFC3339, config.Created); err == nil {
		image.Created = created
	}
	image.User, image.WorkDir = config.Config.User, config.Config.WorkingDir
	image.Env, image.Entrypoint, image.Command = config.Config.Env, config.Config.Entrypoint, config.Config.Cmd
	image.Labels = config.Config.Labels
	image.Ports = slices.Sorted(maps.Keys(config.Config.ExposedPorts))
	image.Layers = config.name(layers)
	return nil
}

// name tells which build step made each layer. Steps that only change the
// configuration made none.
func (c configuration) name(layers []Layer) []ImageLayer {
	named := make([]ImageLayer, len(layers))
	for i, l := range layers {
		named[i].Layer = l
	}
	var steps []string
	for _, h := range c.History {
		if !h.EmptyLayer {
			steps = append(steps, h.CreatedBy)
		}
	}
	if len(steps) != len(layers) {
		return named
	}
	for i := range named {
		named[i].CreatedBy = steps[i]
	}
	return named
}
