package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// Explanation says what of its repository an image follows, and why.
type Explanation struct {
	Image      string `json:"image"`
	Repository string `json:"repository"`
	// Tag or Digest is what the configuration names; neither is there for a
	// selection. Shows is the digest that the tag points at now.
	Tag    string `json:"tag,omitempty"`
	Digest string `json:"digest,omitempty"`
	Shows  string `json:"shows,omitempty"`
	// Platforms are those that the digest has an image for.
	Platforms []string `json:"platforms,omitempty"`
	// Tags are all tags of the repository, for a selection: the chosen ones
	// first.
	Tags []ExplainedTag `json:"tags,omitempty"`
}

// ExplainedTag is what became of a tag.
type ExplainedTag struct {
	Tag   string `json:"tag"`
	Taken bool   `json:"taken"`
	// Key is what was compared; empty where it did not come to that.
	Key string `json:"key,omitempty"`
	// Reason reads on from the tag: "is older than the newest 3".
	Reason string `json:"reason"`
}

// Explain asks the registry what an image of a configuration follows now. No
// server and no state is needed, so it does not know what was chosen before: a
// tag that was, and vanished since, is not in it.
func Explain(ctx context.Context, c *config.Config, image, version string) (Explanation, error) {
	entry, err := imageNamed(c, image)
	if err != nil {
		return Explanation{}, err
	}
	registries := registry.New(registryOptions(c, version))
	defer registries.Close()
	e := Explanation{
		Image: entry.Name, Repository: entry.Repository.String(),
		Tag: entry.Track.Tag, Digest: string(entry.Track.Digest),
	}
	if entry.Track.Select.IsZero() {
		err = e.follow(ctx, registries, entry)
	} else {
		err = e.choose(ctx, registries, entry)
	}
	return e, err
}

func imageNamed(c *config.Config, name string) (config.Image, error) {
	var names []string
	for _, i := range c.Images {
		if i.Name == name {
			return i, nil
		}
		names = append(names, i.Name)
	}
	message := fmt.Sprintf("no image of the configuration is called %q", name)
	if near := problem.Nearest(name, names, 2); len(near) > 0 {
		message += "; nearest: " + near[0]
	}
	mend := "it has none; add one to images"
	if len(names) > 0 {
		mend = "it has " + strings.Join(names, ", ")
	}
	return config.Image{}, problem.New(problem.ImageNotManaged, message, mend)
}

// follow tells what a tag shows, or what a digest holds.
func (e *Explanation) follow(ctx context.Context, registries *registry.Client, image config.Image) error {
	pin := registry.NewPin(image.Repository, image.Track.Digest)
	if image.Track.Tag != "" {
		ref, err := registry.NewRef(image.Repository, image.Track.Tag)
		if err != nil {
			return err
		}
		if pin, err = registries.Resolve(ctx, ref); err != nil {
			return err
		}
	}
	e.Shows = string(pin.Digest())
	manifest, err := registries.Manifest(ctx, pin, nil)
	if err != nil {
		return err
	}
	for _, child := range manifest.Children {
		e.Platforms = append(e.Platforms, child.Platform.String())
	}
	return nil
}

// choose tells of each tag of the repository whether a selection takes it.
func (e *Explanation) choose(ctx context.Context, registries *registry.Client, image config.Image) error {
	tags, err := registries.Tags(ctx, image.Repository)
	if err != nil {
		return err
	}
	e.Tags = []ExplainedTag{}
	for _, v := range image.Track.Select.Select(tags, nil).Verdicts {
		e.Tags = append(e.Tags, ExplainedTag(v))
	}
	return nil
}
