package app

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/forward"
	"github.com/prewarm/prewarm/internal/seal"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// runnerSetup is what the runner makes of a configuration.
func runnerSetup(c *config.Config, engines *engines) runner.Setup {
	s := runner.Setup{
		Images: make(map[string]runner.ImageOptions),
		Policy: runner.Policy(c.Runner.Policy),
		Grace:  c.Runner.Grace, MaxQueued: c.Runner.Queue, Unclaimed: runner.Unclaimed(c.Runner.Unclaimed),
		KeepRuns: c.Runner.Keep, MaxResult: c.Runner.MaxResult,
		Logs: runner.LogRules(c.Runner.Logs),
	}
	for _, h := range c.Hosts {
		s.Hosts = append(s.Hosts, runner.HostOptions{
			Name: h.Name, Engine: engines.byName[h.Name].Host, Slots: h.Limits.Runs, Labels: h.Labels, Env: h.Env, Binds: h.Binds,
		})
	}
	for _, image := range c.Images {
		s.Images[image.Name] = runner.ImageOptions{Spec: runDefaults(image.Run), Limit: image.Run.Timeout, Concurrent: image.Run.Concurrency}
	}
	return s
}

func runDefaults(r config.Run) runner.Spec {
	s := runner.Spec{
		Env: r.Env, User: r.User, Workdir: r.Workdir, Network: r.Network, DNS: r.DNS, ExtraHosts: r.ExtraHosts,
		Memory: r.Memory, MemorySwap: r.MemorySwap, NanoCPUs: r.NanoCPUs, CPUShares: r.CPUShares, PidsLimit: r.PidsLimit, ShmSize: r.ShmSize,
		Init: r.Init, ReadOnly: r.ReadOnly, CapDrop: r.CapDrop, SecurityOpt: r.SecurityOpt, Labels: r.Labels,
		StopSignal: r.StopSignal, StopGrace: r.StopGrace,
	}
	for _, m := range r.Mounts {
		s.Mounts = append(s.Mounts, runner.Mount{
			Kind: runner.Kind(m.Kind), Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly, Size: m.Size, Mode: m.Mode,
		})
	}
	for _, u := range r.Ulimits {
		s.Ulimits = append(s.Ulimits, runner.Ulimit(u))
	}
	return s
}

// sealer keeps secret values with the configuration's key, or refuses to where
// there is none.
func sealer(r config.Runner) (runner.Sealer, error) {
	if r.SecretKeyFile == "" {
		return seal.None{}, nil
	}
	return seal.New([]byte(r.SecretKey.Reveal()))
}

// forwardTargets are where the lines of runs go beside the spool.
func forwardTargets(r config.Runner) []forward.Target {
	var targets []forward.Target
	for _, f := range r.Forward {
		t := forward.Target{Kind: forward.Kind(f.To), Path: f.Path}
		if network, address, ok := strings.Cut(f.Address, "://"); ok {
			t.Network, t.Address = network, address
			if network == "unix" {
				t.Network = "unixgram" // what syslog listens on
			}
		}
		targets = append(targets, t)
	}
	return targets
}

// warmth is what the runner sees of the warmer.
type warmth struct{ *warmer.Warmer }

// Resolve tells what a name means now.
func (w warmth) Resolve(name string) (runner.Target, error) {
	image, track, pin, err := w.Warmer.Resolve(name)
	return runner.Target{Image: image, Track: track, Pin: pin}, err
}

// Fresh asks the registry what a name's tag shows.
func (w warmth) Fresh(ctx context.Context, name string) (runner.Target, error) {
	image, track, pin, err := w.Warmer.Fresh(ctx, name)
	return runner.Target{Image: image, Track: track, Pin: pin}, err
}

// Facts are what is known of a host's engine.
func (w warmth) Facts(host string) runner.Facts {
	f, _ := w.Warmer.Facts(host) // nothing is known of a host that is not there
	return runner.Facts{
		Marker: f.Marker, Known: f.Known, Reachable: f.Reachable, Platform: f.Platform, CPUs: f.CPUs, Memory: f.Memory, ClockOffset: f.ClockOffset,
	}
}

// needs tells the warmer what runs wait for, and what is held for them. The
// runner is made after it.
func (a *App) needs() warmer.Needs {
	pins, images, held := a.runner.Waiting()
	needs := warmer.Needs{Pins: pins, Images: images, Held: make(map[warmer.HeldPin]bool, len(held))}
	for h := range held {
		needs.Held[warmer.HeldPin(h)] = true
	}
	return needs
}

// readSecretFile reads a file of the server with a secret in it: of an ordinary
// size, since a wrong path may lead to anything.
func readSecretFile(path string) ([]byte, error) {
	const most = 1 << 20
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
