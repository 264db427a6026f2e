package app

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/verify"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// registryOptions are those of a program that serves: what no caller is told
// goes to its log.
func (a *App) registryOptions(c *config.Config) registry.Options {
	o := registryOptions(c, a.opts.Version)
	o.Logger = a.opts.Logger
	return o
}

func registryOptions(c *config.Config, version string) registry.Options {
	o := registry.Options{UserAgent: "prewarm/" + version, Rate: c.Limits.Rate}
	for _, r := range c.Registries {
		o.Access = append(o.Access, registry.Access{
			Name: r.Name, Username: r.Username, Password: r.Password.Reveal(), PlainHTTP: r.PlainHTTP,
			CAFile: r.CAFile, CertFile: r.CertFile, KeyFile: r.KeyFile, Rate: r.Rate,
		})
	}
	return o
}

// setup is what the warmer makes of a configuration.
func setup(c *config.Config, engines *engines) warmer.Setup {
	s := warmer.Setup{Registries: make(map[string]warmer.RegistryRules), Pulls: c.Limits.Pulls}
	for _, r := range c.Registries {
		s.Registries[r.Name] = warmer.RegistryRules{Pulls: r.Pulls, Seed: r.Seed}
	}
	for _, h := range c.Hosts {
		s.Hosts = append(s.Hosts, warmer.HostOptions{
			Name: h.Name, Host: engines.byName[h.Name].Host, Labels: h.Labels, Pulls: h.Limits.Pulls, Prune: pruneRules(c, h),
		})
	}
	for _, image := range c.Images {
		s.Entries = append(s.Entries, entry(c, image))
	}
	return s
}

func entry(c *config.Config, image config.Image) warmer.Entry {
	e := warmer.Entry{
		Image: image.Name, Repository: image.Repository,
		Tag: image.Track.Tag, Digest: image.Track.Digest, Select: image.Track.Select,
		Policy: policy(image),
	}
	for _, h := range c.Hosts {
		if image.Selects(h) {
			e.Hosts = append(e.Hosts, h.Name)
		}
	}
	return e
}

func policy(image config.Image) warmer.Policy {
	p := warmer.Policy{
		Promote: warmer.Promotion{
			Percent: image.Promote.When.Percent, Straggler: image.Promote.Straggler, Windows: image.Promote.Windows,
		},
		Pulls: image.Windows, Cooldown: image.Cooldown, Approve: image.Approve, Retag: image.Retag, Keep: image.Keep,
	}
	if len(image.Verify.Command) > 0 {
		p.Verify = &warmer.Verification{Command: image.Verify.Command, Timeout: image.Verify.Timeout}
	}
	return p
}

// mirror tells where hosts pull a repository from, by the configuration in
// force.
func (a *App) mirror(repo registry.Repository) (registry.Repository, bool) {
	return mirrorOf(a.config.Load(), repo)
}

func mirrorOf(c *config.Config, repo registry.Repository) (registry.Repository, bool) {
	for _, r := range c.Registries {
		if r.Name != repo.Host() || r.Mirror == "" {
			continue
		}
		at, err := registry.ParseRepository(r.Mirror + "/" + repo.Path())
		return at, err == nil // config has checked the mirror with a repository like this
	}
	return registry.Repository{}, false
}

// verifier carries verifications out.
type verifier struct{}

// Verify fills the command in and runs it.
func (verifier) Verify(ctx context.Context, v warmer.Verification, s warmer.VerifySubject) warmer.Verdict {
	at := time.Now()
	command, err := config.Verify{Command: v.Command}.Expand(config.Subject(s))
	if err != nil {
		return warmer.Verdict{At: at, Failure: err.Error()}
	}
	r := verify.Run(ctx, command, v.Timeout)
	return warmer.Verdict{
		At: at, Took: r.Took, OK: r.Failure == "" && r.ExitCode == 0,
		ExitCode: r.ExitCode, Output: r.Output, Failure: r.Failure,
	}
}
