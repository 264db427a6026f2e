package app

import (
	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/docker"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

func registryOptions(c *config.Config, version string) registry.Options {
	o := registry.Options{UserAgent: "prewarm/" + version}
	for _, r := range c.Registries {
		o.Access = append(o.Access, registry.Access{Name: r.Name, Username: r.Username, Password: r.Password.Reveal(), PlainHTTP: r.PlainHTTP})
	}
	return o
}

func tracks(c *config.Config) []warmer.Track {
	var all []warmer.Track
	for _, image := range c.Images {
		t := warmer.Track{
			ID:         warmer.TrackID{Image: image.Name, Tag: image.Track.Tag},
			Repository: image.Repository,
			Digest:     image.Track.Digest,
		}
		for _, h := range c.Hosts {
			if image.Selects(h) {
				t.Hosts = append(t.Hosts, h.Name)
			}
		}
		all = append(all, t)
	}
	return all
}

func warmerHosts(c *config.Config, engines map[string]*docker.Host) []warmer.HostOptions {
	var all []warmer.HostOptions
	for _, h := range c.Hosts {
		all = append(all, warmer.HostOptions{Name: h.Name, Host: engines[h.Name], Pulls: h.Limits.Pulls})
	}
	return all
}

func runnerHosts(c *config.Config, engines map[string]*docker.Host) []runner.HostOptions {
	var all []runner.HostOptions
	for _, h := range c.Hosts {
		all = append(all, runner.HostOptions{Name: h.Name, Engine: engines[h.Name], Slots: h.Limits.Runs})
	}
	return all
}
