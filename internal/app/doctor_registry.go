package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/registry"
)

// registriesOf are those of the images, then those that only have an entry.
func registriesOf(c *config.Config) []string {
	var names []string
	for _, i := range c.Images {
		names = append(names, i.Repository.Host())
	}
	for _, r := range c.Registries {
		names = append(names, r.Name)
	}
	seen := make(map[string]bool)
	return slices.DeleteFunc(names, func(name string) bool {
		defer func() { seen[name] = true }()
		return seen[name]
	})
}

func examineRegistry(ctx context.Context, c *config.Config, registries *registry.Client, name string) []Finding {
	findings := &chart{about: "registry " + name}
	for _, r := range c.Registries {
		if r.Name == name {
			findings.registryCertificates(r, time.Now())
		}
	}
	_, err := within(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, registries.Reach(ctx, name) })
	if findings.fault(Failure, "reachable", err) {
		return findings.findings
	}
	findings.add(Good, "reachable", "it answers, and takes our login", "")
	findings.read(ctx, c, registries, name)
	if quota, ok := registries.Quota(name); ok {
		findings.quota(quota)
	}
	return findings.findings
}

// read looks at what the first image from a registry follows: a login that is
// good may still not read each repository.
func (c *chart) read(ctx context.Context, config *config.Config, registries *registry.Client, name string) {
	for _, i := range config.Images {
		if i.Repository.Host() != name {
			continue
		}
		what, err := within(ctx, func(ctx context.Context) (string, error) { return readOf(ctx, registries, i) })
		if !c.fault(Failure, "image", err) {
			c.add(Good, "image", what, "")
		}
		return
	}
}

// readOf says what an image follows now.
func readOf(ctx context.Context, registries *registry.Client, i config.Image) (string, error) {
	switch {
	case i.Track.Tag != "":
		ref, err := registry.NewRef(i.Repository, i.Track.Tag)
		if err != nil {
			return "", err
		}
		pin, err := registries.Resolve(ctx, ref)
		return fmt.Sprintf("%s is %s", ref, pin.Digest().Short()), err
	case i.Track.Digest != "":
		pin := registry.NewPin(i.Repository, i.Track.Digest)
		_, err := registries.Manifest(ctx, pin, nil)
		return pin.String() + " is there", err
	default:
		tags, err := registries.Tags(ctx, i.Repository)
		return fmt.Sprintf("%s has %d tags", i.Repository, len(tags)), err
	}
}

// tightQuota is the part of a quota below which little is left, as 1/tightQuota.
const tightQuota = 10

func (c *chart) quota(q registry.Quota) {
	what := fmt.Sprintf("%d of %d pulls are left", q.Remaining, q.Limit)
	if q.Window > 0 {
		what += " in " + q.Window.String()
	}
	if q.Remaining < q.Limit/tightQuota {
		c.add(Warning, "quota", what, "log in at the registry with an account that has more, or put a pull-through cache before it (mirror)")
		return
	}
	c.add(Good, "quota", what, "")
}
