package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/failpoint"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// Submit accepts a run, or finds the one that answers the submit already. What
// it answers is on disk. A run whose image is warm nowhere is refused at once,
// unless it may wait for that.
func (r *Runner) Submit(ctx context.Context, ask Ask) (Answer, error) {
	if r.life.Err() != nil {
		return Answer{}, stopping()
	}
	// What takes its time is done between the tries, while nobody waits for us.
	asked := asked{Ask: ask.complete()}
	for {
		answer, err := r.submit(ctx, &asked)
		var missing *missing
		if !errors.As(err, &missing) {
			return answer, err
		}
		if err := missing.find(ctx); err != nil {
			return Answer{}, err
		}
	}
}

// asked is a submit with what was found out for it so far.
type asked struct {
	Ask
	fresh  *Target // what the registry shows
	sought bool    // its digest was looked for on the hosts
}

// missing is what a submit needs to know, and how it is found out.
type missing struct {
	find func(ctx context.Context) error
}

func (*missing) Error() string { return "something has to be found out first" }

// askRegistry finds out what a name's tag shows.
func (r *Runner) askRegistry(a *asked) *missing {
	return &missing{func(ctx context.Context) error {
		target, err := r.opts.Images.Fresh(ctx, a.Spec.Image)
		a.fresh = &target
		return err
	}}
}

// firstLook is how long the first look at the hosts may take.
const firstLook = 10 * time.Second

// seek looks for a digest on the hosts. Right after a start they may not have
// been asked anything yet, and it waits for that.
func (r *Runner) seek(a *asked, run Run) *missing {
	return &missing{func(ctx context.Context) error {
		a.sought = true
		ctx, cancel := context.WithTimeout(ctx, firstLook)
		defer cancel()
		for ctx.Err() == nil && r.unknown(run) {
			changed := r.opts.Images.Changed()
			select {
			case <-changed:
			case <-ctx.Done():
			case <-time.After(retryLook):
			}
		}
		r.opts.Images.Seek(ctx, run.Image, run.Pin)
		return nil
	}}
}

// unknown tells whether a host on which a run might start was not asked anything
// yet.
func (r *Runner) unknown(run Run) bool {
	_, cold := r.opts.Images.WarmHosts(run.Image, run.Pin)
	for name := range cold {
		if !r.opts.Images.Facts(name).Known {
			return true
		}
	}
	return false
}

// complete fills in what a submit leaves out.
func (a Ask) complete() Ask {
	t := &a.Terms
	if t.Namespace == "" {
		t.Namespace = DefaultNamespace
	}
	if t.Join == "" {
		t.Join = JoinActive
	}
	if t.KeepaliveAction == "" {
		t.KeepaliveAction = KeepaliveReport
	}
	if t.Group != "" && t.GroupLimit == 0 {
		t.GroupLimit = 1
	}
	if a.OnConflict == "" {
		a.OnConflict = ConflictRefuse
	}
	return a
}

// submit decides and writes down in one piece, unless something is missing.
func (r *Runner) submit(ctx context.Context, a *asked) (Answer, error) {
	r.admission.Lock()
	defer r.admission.Unlock()
	if answer, err := r.repeated(ctx, a.Ask); err != nil || answer.Run.ID != "" {
		return answer, err
	}
	ruled, err := r.rule(ctx, a.Ask)
	if err != nil {
		return Answer{}, err
	}
	if ruled.join != nil {
		word := a.Idempotency
		if word == "" {
			word = uuid.NewString() // who came last is of interest, too: see Withdraw
		}
		// Before it is answered: when the answer is lost, the same call must not
		// find the run ended and make another one.
		if err := r.opts.Store.RecordJoin(context.WithoutCancel(ctx), a.Terms.Namespace, word, ruled.join.ID); err != nil {
			return Answer{}, err
		}
		return r.join(*ruled.join, ruled.differs, a.Ask), nil
	}
	l, use, err := r.draft(a, ruled)
	if err != nil {
		return Answer{}, err
	}
	if err := r.admit(ctx, l, a.Ask, use); err != nil {
		return Answer{}, err
	}
	for _, run := range ruled.stop {
		if _, err := r.wish(ctx, run.ID, ruled.why); err != nil {
			// The new run is written down and waits; whoever looks at it sees why.
			r.log.Error("a run that has to make room could not be stopped", "run", run.ID, "for", l.run.ID, "error", err)
		}
	}
	r.dispatch()
	r.wake() // Run must learn when this one's wait ends
	r.opts.Images.Kick()
	r.mu.Lock()
	defer r.mu.Unlock()
	return Answer{Run: l.run, Scope: use.kind()}, nil
}

// repeated finds the run of a call that was made before.
func (r *Runner) repeated(ctx context.Context, ask Ask) (Answer, error) {
	if ask.Idempotency == "" {
		return Answer{}, nil
	}
	run, err := r.opts.Store.ByIdempotency(ctx, ask.Terms.Namespace, ask.Idempotency)
	if problem.CodeOf(err) == problem.RunNotFound {
		return Answer{}, nil
	}
	if err != nil {
		return Answer{}, err
	}
	return r.join(run, nil, ask), nil
}

// rule decides what a submit's key makes of it.
func (r *Runner) rule(ctx context.Context, ask Ask) (verdict, error) {
	if ask.Terms.Key == "" {
		return verdict{epoch: ask.Terms.Epoch}, nil
	}
	runs, err := r.opts.Store.ByKey(ctx, ask.Terms.Namespace, ask.Terms.Key)
	if err != nil {
		return verdict{}, err
	}
	for i, run := range runs {
		runs[i] = r.newer(run)
	}
	return decide(runs, ask)
}

// newer gives a run as it is now, where the store may lag behind.
func (r *Runner) newer(run Run) Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.lives[run.ID]; l != nil {
		return l.run
	}
	return run
}

// join answers a submit with a run that is there.
func (r *Runner) join(run Run, differs []string, ask Ask) Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.lives[run.ID]; l != nil {
		l.hear()
		run = l.run
	}
	answer := Answer{Run: run, Joined: true, Differs: differs}
	if ask.Terms.Scope != "" && run.Terms.Scope == ask.Terms.Scope {
		answer.Scope = ScopeExisting
	}
	return answer
}

// draft makes a run of a submit, and refuses what can't be.
func (r *Runner) draft(a *asked, ruled verdict) (*live, *scopeUse, error) {
	ask := a.Ask
	target, use, err := r.target(a)
	if err != nil && (problem.CodeOf(err) != problem.NoCurrent || ask.Terms.WaitWarm == 0) {
		return nil, nil, err
	}
	r.mu.Lock()
	defaults, policy := r.setup.Images[target.Image], r.setup.Policy
	r.mu.Unlock()
	id, err := uuid.NewV7()
	if err != nil {
		return nil, nil, fmt.Errorf("make a run id: %w", err)
	}
	run := Run{
		ID: id.String(), Asked: ask.Spec, Spec: ask.Spec.over(defaults.Spec), Terms: ask.Terms, Idempotency: ask.Idempotency,
		Image: target.Image, Track: target.Track, Pin: target.Pin, After: ruled.after, State: Queued, Submitted: time.Now(),
	}
	run.Terms.Epoch = ruled.epoch
	if run.Terms.Limit == 0 {
		run.Terms.Limit = defaults.Limit
	}
	if err := policy.check(run.Spec); err != nil {
		return nil, nil, err
	}
	if run.Spec.ScopeVolume != "" && run.Terms.Scope == "" {
		return nil, nil, problem.New(problem.InvalidRequest, "scope_volume: the run has no pin scope", "say pin_scope, too")
	}
	l := newLive(run)
	l.ready = run.Terms.WaitWarm == 0 // it is refused below otherwise
	if err := r.startable(l.run, use); err != nil {
		if !a.sought && coldCodes[problem.CodeOf(err)] {
			return nil, nil, r.seek(a, l.run)
		}
		return nil, nil, err
	}
	return l, use, nil
}

// coldCodes say that a digest is not warm, as far as is known without asking the
// hosts.
var coldCodes = map[problem.Code]bool{problem.ImageNotWarm: true, problem.PinCold: true, problem.PinUnavailable: true}

func newLive(run Run) *live {
	return &live{run: run, stop: make(chan struct{}), ended: make(chan struct{}), heard: time.Now()}
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

// admit writes a run down and puts it into the queue.
func (r *Runner) admit(ctx context.Context, l *live, ask Ask, use *scopeUse) error {
	if err := r.full(); err != nil {
		return err
	}
	sealed, err := r.seal(ask.Secrets)
	if err != nil {
		return err
	}
	r.mu.Lock()
	limit := r.logCap(l.run)
	r.mu.Unlock()
	if l.log, err = r.opts.Spool.Open(l.run.ID, limit); err != nil {
		return err
	}
	failpoint.Here("submit.before")
	scope := use.record(l.run)
	// A caller that leaves just now must not leave a run that is written down
	// and known to nobody.
	if err := r.opts.Store.InsertRun(context.WithoutCancel(ctx), l.run, sealed, scope); err != nil {
		return errors.Join(fmt.Errorf("write the run down: %w", err), l.log.Close(), r.opts.Spool.Remove(l.run.ID))
	}
	failpoint.Here("submit.written")
	r.mu.Lock()
	defer r.mu.Unlock()
	if scope != nil {
		r.putScope(*scope)
	}
	r.lives[l.run.ID] = l
	r.enqueue(l)
	return nil
}

func (r *Runner) full() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) < r.setup.MaxQueued {
		return nil
	}
	p := problem.New(problem.QueueFull, fmt.Sprintf("%d runs wait already", r.setup.MaxQueued), "submit again later")
	p.RetryAfter = 10 * time.Second
	return p
}

// seal closes the values of secret variables for the store.
func (r *Runner) seal(values map[string]string) ([]byte, error) {
	if len(values) == 0 {
		return nil, nil
	}
	plain, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("encode the secrets of a run: %w", err)
	}
	return r.opts.Sealer.Seal(plain)
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
