package runner

import (
	"context"
	"errors"
	"slices"

	"github.com/prewarm/prewarm/internal/problem"
)

// Checked is what would become of a submit now.
type Checked struct {
	// Target is what the image's name means; without an Image, nothing.
	Target Target
	// Hosts could take the run, were its digest warm there; Warm are those of
	// them where it is. They are in the order of the configuration.
	Hosts, Warm []string
	// Problems are what it would be refused for: the first is what it would be
	// answered. None where an earlier run of its key would answer it.
	Problems []error
}

// Check tells what would become of a submit, and leaves nothing behind. It goes
// the way of Submit, but for the registry: what is fresh is not asked for, and
// what is current is looked at instead.
func (r *Runner) Check(ctx context.Context, ask Ask) (Checked, error) {
	if r.life.Err() != nil {
		return Checked{}, stopping()
	}
	ask.Terms.Fresh = false
	asked := asked{Ask: ask.complete(), all: true}
	for {
		checked, err := r.check(ctx, &asked)
		var missing *missing
		if !errors.As(err, &missing) {
			return checked, err
		}
		if err := missing.find(ctx); err != nil {
			return Checked{}, err
		}
	}
}

func (r *Runner) check(ctx context.Context, a *asked) (Checked, error) {
	ruled, conflict := r.rule(ctx, a.Ask)
	if conflict != nil && problem.CodeOf(conflict) != problem.KeyConflict {
		return Checked{}, conflict
	}
	j, err := r.judge(a, ruled)
	if err != nil {
		return Checked{}, err
	}
	c := Checked{Target: Target{Image: j.run.Image, Track: j.run.Track, Pin: j.run.Pin}}
	c.Hosts, c.Warm = r.places(j.run)
	if ruled.join != nil {
		return c, nil
	}
	if conflict != nil {
		c.Problems = append(c.Problems, conflict)
	}
	c.Problems = append(c.Problems, j.against...)
	if err := r.full(); err != nil {
		c.Problems = append(c.Problems, err)
	}
	if _, err := r.seal(a.Secrets); err != nil {
		c.Problems = append(c.Problems, err)
	}
	return c, nil
}

// places tells which hosts could take a run, and on which of these it is warm.
func (r *Runner) places(run Run) (hosts, warm []string) {
	if run.Image == "" {
		return nil, nil
	}
	ready, cold := r.opts.Images.WarmHosts(run.Image, run.Pin)
	r.mu.Lock()
	defer r.mu.Unlock()
	fitting, _ := r.fitting(run, slices.Concat(ready, keysOf(cold)))
	for _, c := range fitting {
		hosts = append(hosts, c.host)
		if slices.Contains(ready, c.host) {
			warm = append(warm, c.host)
		}
	}
	return hosts, warm
}
