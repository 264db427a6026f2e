package runner

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// draft makes a run of a submit, and refuses what can't be.
func (r *Runner) draft(a *asked, ruled verdict) (*live, *scopeUse, error) {
	j, err := r.judge(a, ruled)
	if err != nil {
		return nil, nil, err
	}
	if len(j.against) > 0 {
		return nil, nil, j.against[0]
	}
	l := newLive(j.run)
	l.ready = j.run.Terms.WaitWarm == 0 // it would have been refused
	return l, j.use, nil
}

// judged is a submit as it was judged before anything of it is written down.
type judged struct {
	run Run
	use *scopeUse
	// against is what speaks against it, the first of which is answered.
	against []error
}

// judge makes a run of a submit and looks whether it can be. An error tells that
// this was not found out; what speaks against the run is in what is judged, the
// first of it or, where the ask wants that, all.
func (r *Runner) judge(a *asked, ruled verdict) (judged, error) {
	target, use, err := r.target(a)
	var missing *missing
	if errors.As(err, &missing) {
		return judged{}, err
	}
	j := judged{use: use}
	if err != nil && (problem.CodeOf(err) != problem.NoCurrent || a.Terms.WaitWarm == 0) {
		j.against = append(j.against, err)
	}
	r.mu.Lock()
	defaults, policy := r.setup.Images[target.Image], r.setup.Policy
	r.mu.Unlock()
	if j.run, err = runOf(a.Ask, target, defaults, ruled); err != nil {
		return judged{}, err
	}
	for _, objects := range []func() []error{
		func() []error { return policy.objections(j.run.Spec) },
		func() []error { return a.objections(j.run) },
		func() []error { return scopeless(j.run) },
	} {
		if len(j.against) == 0 || a.all {
			j.against = append(j.against, objects()...)
		}
	}
	if len(j.against) > 0 && !a.all {
		return j, nil
	}
	if err := r.startable(j.run, use); err != nil {
		if !a.sought && coldCodes[problem.CodeOf(err)] {
			return judged{}, r.seek(a, j.run)
		}
		j.against = append(j.against, err)
	}
	return j, nil
}

// runOf is the run that a submit asks for, of what its image's name means; the
// zero Target: nothing.
func runOf(ask Ask, target Target, defaults ImageOptions, ruled verdict) (Run, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Run{}, fmt.Errorf("make a run id: %w", err)
	}
	run := Run{
		ID: id.String(), Asked: ask.Spec, Spec: ask.Spec.over(defaults.Spec), Terms: ask.Terms, Idempotency: ask.Idempotency,
		Image: target.Image, Track: target.Track, Pin: target.Pin, After: ruled.after, State: Queued, Submitted: time.Now(),
	}
	run.Terms.Epoch = ruled.epoch
	if run.Terms.Limit == 0 {
		run.Terms.Limit = defaults.Limit
	}
	return run, nil
}

// scopeless objects to the volume of a scope that is not there.
func scopeless(run Run) []error {
	if run.Spec.ScopeVolume == "" || run.Terms.Scope != "" {
		return nil
	}
	return []error{problem.New(problem.InvalidRequest, "scope_volume: the run has no pin scope", "say pin_scope, too")}
}

// coldCodes say that a digest is not warm, as far as is known without asking the
// hosts.
var coldCodes = map[problem.Code]bool{
	problem.ImageNotWarm: true, problem.PinCold: true, problem.PinUnavailable: true, problem.ScopeHost: true, problem.NoHost: true,
}

func newLive(run Run) *live {
	return &live{run: run, stop: make(chan struct{}), ended: make(chan struct{}), poke: make(chan struct{}, 1), heard: time.Now()}
}

// target resolves what a submit names: in its scope first, then at the registry
// if it is to be fresh, then by what is current.
func (r *Runner) target(a *asked) (Target, *scopeUse, error) {
	ask := a.Ask
	target, err := r.opts.Images.Resolve(ask.Spec.Image)
	use := r.useOf(ask.Terms)
	if pin, ok := use.named(ask.Spec.Image); ok {
		return pin, use, nil // repo@digest that the scope holds
	}
	if err != nil && problem.CodeOf(err) != problem.NoCurrent {
		return Target{}, use, err
	}
	if err := mayUse(target.Image, ask.Images); err != nil {
		return Target{}, use, err // and asks no registry for it
	}
	if pinned, ok := use.pinned(target); ok {
		return pinned, use, nil
	}
	if ask.Terms.Fresh {
		if a.fresh == nil {
			return Target{}, use, r.askRegistry(a)
		}
		target, err = *a.fresh, nil
	}
	if err == nil {
		use.add(target)
	}
	return target, use, err
}

// startable refuses a run that could not be placed for want of warmth or of a
// host that fits.
func (r *Runner) startable(run Run, use *scopeUse) error {
	if run.Pin.IsZero() {
		return nil
	}
	warm, cold := r.opts.Images.WarmHosts(run.Image, run.Pin)
	r.mu.Lock()
	defer r.mu.Unlock()
	fitting, unfit := r.fitting(run, slices.Concat(warm, keysOf(cold)))
	if len(fitting) == 0 && len(unfit) > 0 {
		return noHost(run, unfit)
	}
	if run.Terms.WaitWarm > 0 || slices.ContainsFunc(fitting, func(c candidate) bool { return slices.Contains(warm, c.host) }) {
		return nil
	}
	for name, why := range unfit {
		cold[name] = why
	}
	if err := r.coldError(run, cold); problem.CodeOf(err) != problem.ImageNotWarm {
		return err
	}
	return use.cold(run, cold)
}

// noHost says why no host can take a run.
func noHost(run Run, unfit map[string]string) error {
	return problem.New(problem.NoHost, fmt.Sprintf("no host of %s can take the run: %s", run.Image, listed(unfit)),
		"ask for less, or for other hosts; prewarm status lists them")
}

// drained is what Images.WarmHosts says of a host that somebody drained.
const drained = "drained"

// notWarm says on which hosts an image is not warm, and why.
func notWarm(image string, pin registry.Pin, cold map[string]string) error {
	if len(cold) == 0 {
		return problem.New(problem.ImageNotWarm,
			fmt.Sprintf("%s at %s is not meant for any host: it is no longer in the configuration, or its hosts are not", image, pin.Digest().Short()),
			"put it back into the configuration, or run another image")
	}
	if slices.Contains(slices.Collect(maps.Values(cold)), drained) {
		return problem.New(problem.NoHost,
			fmt.Sprintf("no host takes %s at %s now: %s", image, pin.Digest().Short(), listed(cold)),
			"let a drained host take runs again with prewarm undrain, or wait for another with --wait-warm")
	}
	return problem.New(problem.ImageNotWarm,
		fmt.Sprintf("%s at %s is warm on none of its hosts: %s", image, pin.Digest().Short(), listed(cold)),
		"wait for it with --wait-warm, or see prewarm status")
}
