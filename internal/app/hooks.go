package app

import (
	"context"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/metrics"
	"github.com/prewarm/prewarm/registry/webhook"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/hints"
)

// hintSetup is what those who take hints make of a configuration. An image that
// follows a digest is not looked at.
func (a *App) hintSetup(c *config.Config) hints.Setup {
	var s hints.Setup
	for _, h := range c.Webhooks {
		s.Hooks = append(s.Hooks, hints.Hook{
			Name: h.Name, Kind: webhook.Kind(h.Kind), Secrets: revealed(h.Secrets), Path: revealed(h.Path),
			Repositories: h.Repositories, Registry: h.Registry, Fields: h.Fields,
		})
	}
	for _, image := range c.Images {
		if image.Track.Digest != "" {
			continue
		}
		s.Images = append(s.Images, hints.Image{
			Name: image.Name, Repository: image.Repository,
			Takes: func(tag string) bool { return a.warmer.Takes(image.Name, tag) },
		})
	}
	return s
}

func revealed(secrets []config.Secret) []string {
	var all []string
	for _, s := range secrets {
		all = append(all, s.Reveal())
	}
	return all
}

// looks are the warmer as hints see it.
type looks struct{ warmer *warmer.Warmer }

func (l looks) LookAt(ctx context.Context, image string, tags []string) ([]hints.Look, error) {
	found, err := l.warmer.LookAt(ctx, image, tags)
	all := make([]hints.Look, len(found))
	for i, c := range found {
		all[i] = hints.Look{Tag: c.Track.Tag, Digest: c.Pin.Digest(), New: c.New}
	}
	return all, err
}

func (l looks) AwaitResume(ctx context.Context) bool {
	return l.warmer.AwaitResume(ctx, warmer.Watching)
}

// deliveries are counted by hook.
func (a *App) deliveries() []metrics.Hook {
	var all []metrics.Hook
	for _, h := range a.hints.Hooks() {
		counts := make(map[string]int64, len(h.Counts))
		for verdict, n := range h.Counts {
			counts[string(verdict)] = int64(n)
		}
		all = append(all, metrics.Hook{Name: h.Name, Verdicts: counts})
	}
	return all
}
