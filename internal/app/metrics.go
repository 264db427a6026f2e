package app

import (
	"slices"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/metrics"
)

// labels are the names of a configuration that metrics may carry.
func labels(c *config.Config) metrics.Names {
	var n metrics.Names
	add := func(registry string) {
		if !slices.Contains(n.Registries, registry) {
			n.Registries = append(n.Registries, registry)
		}
	}
	for _, image := range c.Images {
		n.Images = append(n.Images, image.Name)
		add(image.Repository.Host())
	}
	for _, h := range c.Hosts {
		n.Hosts = append(n.Hosts, h.Name)
	}
	for _, r := range c.Registries {
		add(r.Name)
	}
	return n
}

// measured is whom a scrape asks.
func (a *App) measured() metrics.Sources {
	return metrics.Sources{
		Warmth: a.warmer, Runs: a.runner, Registries: a.registries, Hooks: a.deliveries, Routes: a.routes,
		Certificates: (&certificates{}).of(&a.config),
		Configuration: func() metrics.Configuration {
			r := a.reloads.status()
			return metrics.Configuration{Taken: r.Taken, Refused: r.Refused, Stands: !r.RefusedAt.IsZero()}
		},
		Backup: func() metrics.Backup {
			return metrics.Backup(*a.backups.last.Load())
		},
	}
}
