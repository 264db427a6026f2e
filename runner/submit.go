package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/failpoint"
	"github.com/prewarm/prewarm/internal/problem"
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
	for begun := time.Now(); ; {
		answer, err := r.submit(ctx, &asked)
		var missing *missing
		switch {
		case errors.As(err, &missing):
			if err := missing.find(ctx); err != nil {
				return Answer{}, err
			}
		case problem.CodeOf(err) == problem.ImageLeaving && ctx.Err() == nil && r.life.Err() == nil && time.Since(begun) < leavingPatience:
			// What was seen warm is going, or went a moment ago: look again.
			pause(ctx, retryLeaving)
		case err == nil:
			r.opts.Measures.Submitted(answer.Run.Image, answer.Joined)
			return answer, nil
		default:
			return answer, err
		}
	}
}

// leavingPatience is how long a submit waits for the end of a removal.
const leavingPatience = 30 * time.Second

// retryLeaving is the wait before a submit looks again where its digest is warm:
// a removal takes tens of milliseconds.
const retryLeaving = 50 * time.Millisecond

// asked is a submit with what was found out for it so far.
type asked struct {
	Ask
	fresh  *Target // what the registry shows
	sought bool    // its digest was looked for on the hosts
	all    bool    // all that speaks against it is wanted, not just the first
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
		if err := r.raise(ctx, *ruled.join, a.Terms); err != nil {
			return Answer{}, err
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
