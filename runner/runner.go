package runner

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner/spool"
)

// Options is what a Runner is made of.
type Options struct {
	Setup  Setup
	Images Images
	Store  Store
	Spool  *spool.Store
	Sealer Sealer
	// Forward gets each line of each run, too; nil: nobody does.
	Forward Forwarder
	// ReadFile reads a file of the server with a secret in it.
	ReadFile func(path string) ([]byte, error)
	Logger   *slog.Logger
}

// Runner executes runs. Make it with New; call Recover once, then Run; the
// other methods may be called from any goroutine.
type Runner struct {
	opts Options
	log  *slog.Logger
	kick chan struct{} // holds one token: "look at the queue"
	// life ends with Run. Everything a run does hangs on it, never on the
	// request that submitted it.
	life    context.Context
	endLife context.CancelFunc
	started sync.WaitGroup
	packing chan struct{} // holds one token while no ended log is compressed

	// admission is held by whoever decides about keys and scopes, over the write
	// that makes it so. It is taken before mu.
	admission sync.Mutex

	mu     sync.Mutex
	setup  Setup
	hosts  []*host
	queue  []*live // by priority, then in order of submit
	lives  map[string]*live
	owed   map[string]*debt
	scopes map[scopeID]*Scope
}

// host is where runs are placed. It outlives a reload that takes the host away,
// as long as runs are there.
type host struct {
	HostOptions
	inUse     int
	memory    int64
	nanoCPUs  int64
	unclaimed []string
	swept     time.Time // when its containers were listed last
}

// live is a run without an outcome. Runner.mu guards all but writing, log and
// the channels.
type live struct {
	writing sync.Mutex // held over each write of the run to the store
	log     *spool.Log
	stop    chan struct{} // closed once the run is to be stopped, and that is on disk
	ended   chan struct{} // closed when the outcome is recorded

	run     Run
	avoid   map[string]avoided // hosts where it was placed in vain
	cold    time.Time          // since when it could start nowhere; zero: it can
	ready   bool               // it could have been started before
	fixing  bool               // what it waits for is being written down, or read
	cleared bool               // the outcome of the run before it is known
	wishing bool               // a stop is being written down
	freed   bool               // an admin released it
	adopted bool               // an earlier life of ours started its container
	masked  []string           // values that the log must not show
	heard   time.Time          // when its caller was heard last
	readers int                // who follow or wait now
}

// avoided is why a run is not placed on a host for a while.
type avoided struct {
	why   string
	until time.Time
}

// New makes a Runner. It does no I/O.
func New(o Options) *Runner {
	r := &Runner{
		opts: o, log: o.Logger, kick: make(chan struct{}, 1), packing: make(chan struct{}, 1),
		lives: make(map[string]*live), owed: make(map[string]*debt), scopes: make(map[scopeID]*Scope),
	}
	r.packing <- struct{}{}
	r.life, r.endLife = context.WithCancel(context.Background())
	r.use(o.Setup)
	return r
}

// Run places queued runs until ctx ends, then lets go of the ones that are
// under way: their containers go on, and the next start follows them to their
// end.
func (r *Runner) Run(ctx context.Context) error {
	r.started.Go(r.housekeeping)
	defer func() {
		r.endLife()
		r.started.Wait()
		r.closeLogs()
	}()
	for {
		changed := r.opts.Images.Changed() // before the look, so that no change is missed
		due := time.NewTimer(r.dispatch())
		select {
		case <-ctx.Done():
			due.Stop()
			return nil
		case <-changed:
		case <-r.kick:
		case <-due.C:
		}
		due.Stop()
	}
}

// closeLogs gives the files of the logs back that go on in the next life.
func (r *Runner) closeLogs() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, l := range r.lives {
		if err := l.log.Close(); err != nil {
			r.log.Warn("log not closed", "run", id, "error", err)
		}
	}
}

// Get gives a run. Asking renews its keepalive.
func (r *Runner) Get(ctx context.Context, id string) (Run, error) {
	r.mu.Lock()
	if l := r.lives[id]; l != nil {
		defer r.mu.Unlock()
		l.hear()
		return l.told(), nil
	}
	r.mu.Unlock()
	return r.opts.Store.Run(ctx, id)
}

// told gives the run as callers see it: with what its log has so far. The caller
// holds mu.
func (l *live) told() Run {
	run := l.run
	state := l.log.State()
	run.Log.Lines, run.Log.Bytes = state.Lines, state.Bytes
	return run
}

// List gives the newest runs first. Those under way are told as they are now,
// which the store need not know.
func (r *Runner) List(ctx context.Context, f Filter) ([]Run, error) {
	all := r.under(f)
	ended := slices.DeleteFunc(slices.Clone(f.States), func(s State) bool { return !s.Ended() })
	if !f.Active && (len(f.States) == 0 || len(ended) > 0) {
		f.States = ended
		if len(ended) == 0 {
			f.States = []State{Succeeded, Failed, Canceled, TimedOut, Interrupted, Lost, Refused}
		}
		runs, err := r.opts.Store.Runs(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, run := range runs {
			// One that ended between the two looks is in both.
			if !slices.ContainsFunc(all, func(l Run) bool { return l.ID == run.ID }) {
				all = append(all, run)
			}
		}
	}
	slices.SortFunc(all, func(a, b Run) int { return cmp.Compare(b.ID, a.ID) })
	if f.Limit > 0 && len(all) > f.Limit {
		all = all[:f.Limit]
	}
	return all, nil
}

// under gives the runs under way that a filter chooses.
func (r *Runner) under(f Filter) []Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Run
	for _, l := range r.lives {
		if f.takes(l.run) {
			all = append(all, l.told())
		}
	}
	return all
}

func (f Filter) takes(run Run) bool {
	return (len(f.States) == 0 || slices.Contains(f.States, run.State)) &&
		(f.Before == "" || run.ID < f.Before) &&
		(f.Image == "" || run.Image == f.Image) &&
		(f.Host == "" || run.Host == f.Host) &&
		(f.Key == "" || run.Terms.Key == f.Key) &&
		(f.Scope == "" || run.Terms.Scope == f.Scope)
}

// CopyLog passes the log of a run behind after to w, as whole lines of JSON;
// with follow it goes on until the log ends. Whoever follows renews the run's
// keepalive.
func (r *Runner) CopyLog(ctx context.Context, id string, after int64, follow bool, w func(chunk []byte) error) error {
	if l := r.visit(id); l != nil {
		defer r.leave(l)
		ctx, cancel := context.WithCancelCause(ctx)
		defer context.AfterFunc(r.life, func() { cancel(stopping()) })()
		err := l.log.Copy(ctx, after, follow, w)
		if err != nil && ctx.Err() != nil {
			err = errors.Join(err, context.Cause(ctx))
		}
		if err == nil && follow && r.life.Err() != nil && !isClosed(l.ended) {
			err = stopping() // the log goes on in the next life
		}
		if err == nil && follow {
			return r.copySame(ctx, id, after, w)
		}
		return err
	}
	run, err := r.opts.Store.Run(ctx, id)
	switch {
	case err != nil:
		return err
	case run.SameAs != "":
		return r.copySame(ctx, id, after, w)
	case run.Log.Removed:
		return problem.New(problem.LogRemoved, "the log of run "+id+" was removed", "runner.logs.keep and runner.logs.total of the configuration say how long logs are kept")
	}
	return r.opts.Spool.Copy(ctx, id, after, w)
}

// copySame passes the log of the run that did another one's work.
func (r *Runner) copySame(ctx context.Context, id string, after int64, w func(chunk []byte) error) error {
	run, err := r.opts.Store.Run(ctx, id)
	if err != nil || run.SameAs == "" {
		return err
	}
	return r.CopyLog(ctx, run.SameAs, after, false, w)
}

// Wait gives a run once it has ended, or as it is when ctx ends. Whoever waits
// renews its keepalive.
func (r *Runner) Wait(ctx context.Context, id string) (Run, error) {
	if l := r.visit(id); l != nil {
		defer r.leave(l)
		select {
		case <-l.ended:
		case <-ctx.Done():
		case <-r.life.Done():
			return Run{}, stopping()
		}
	}
	return r.Get(context.WithoutCancel(ctx), id)
}

// visit notes that somebody cares for a run; nil where it is not under way.
func (r *Runner) visit(id string) *live {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lives[id]
	if l != nil {
		l.readers++
		l.hear()
	}
	return l
}

func (r *Runner) leave(l *live) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.readers--
	l.hear()
}

// hear notes that the caller is there. The caller of hear holds mu.
func (l *live) hear() {
	l.heard = time.Now()
	l.run.Unattended = time.Time{}
}

func stopping() error {
	return problem.New(problem.Stopping, "the server is stopping", "ask again once it is back")
}

// Hosts tells what runs take of each host.
func (r *Runner) Hosts() map[string]HostUse {
	r.mu.Lock()
	defer r.mu.Unlock()
	use := make(map[string]HostUse, len(r.hosts))
	for _, h := range r.hosts {
		use[h.Name] = HostUse{InUse: h.inUse, Slots: h.Slots, Memory: h.memory, NanoCPUs: h.nanoCPUs, Unclaimed: slices.Clone(h.unclaimed)}
	}
	return use
}

// Held is a pin that has to be kept for an image, whatever is promoted.
type Held struct {
	Image string
	Pin   registry.Pin
}

// Waiting tells what queued runs wait for: pins, and images of which nothing is
// current yet. held are the pins of queued runs and of live scopes.
func (r *Runner) Waiting() (pins map[registry.Pin]bool, images map[string]bool, held map[Held]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pins, images, held = make(map[registry.Pin]bool), make(map[string]bool), make(map[Held]bool)
	for _, l := range r.queue {
		if l.run.Pin.IsZero() {
			images[l.run.Image] = true
		} else {
			pins[l.run.Pin] = true
			held[Held{l.run.Image, l.run.Pin}] = true
		}
	}
	for _, s := range r.scopes {
		for _, p := range s.Pins {
			if s.Ended.IsZero() {
				held[Held{p.Image, p.Pin}] = true
			}
		}
	}
	return pins, images, held
}

// wake lets Run look at the queue.
func (r *Runner) wake() {
	select {
	case r.kick <- struct{}{}:
	default: // a look is owed already
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// pause sleeps, or returns early when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
