package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// Images is what the runner asks about warmth.
type Images interface {
	// Pin tells which digest a name means now, and the configured image it
	// belongs to; with problem.NoCurrent the image is valid and the pin is not.
	Pin(name string) (image string, pin registry.Pin, err error)
	// WarmHosts tells where a pin is warm, and for the image's other hosts why
	// it is not.
	WarmHosts(image string, pin registry.Pin) (warm []string, cold map[string]string)
	// Marker is the mark of the engine that answers for a host now.
	Marker(host string) string
	// Changed is closed at the next change of what is warm or current.
	Changed() <-chan struct{}
	// Recheck asks for a look at a host that seems to have lost an image.
	Recheck(host string)
	// Kick asks for a look at what runs wait for.
	Kick()
}

// Store keeps runs. What it was given is on disk when it returns.
type Store interface {
	InsertRun(ctx context.Context, r Run) error
	UpdateRun(ctx context.Context, r Run) error
	// Run is problem.RunNotFound where there is none of that id.
	Run(ctx context.Context, id string) (Run, error)
	// Runs gives the newest runs first.
	Runs(ctx context.Context, limit int) ([]Run, error)
	// UnfinishedRuns gives the runs without an outcome.
	UnfinishedRuns(ctx context.Context) ([]Run, error)
}

// HostOptions is one host that runs can be placed on.
type HostOptions struct {
	Name   string
	Engine Engine
	// Slots is how many runs the host may have at once.
	Slots int
}

// Options is what a Runner is made of.
type Options struct {
	Hosts  []HostOptions
	Images Images
	Store  Store
	// LogDir is where logs are spooled, a file for each run.
	LogDir string
	Logger *slog.Logger
	// Grace is how long a container has between the stop signal and the kill;
	// 10 s when zero, as docker stop.
	Grace time.Duration
	// MaxQueued bounds the runs that wait; 1000 when zero.
	MaxQueued int
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

	mu    sync.Mutex
	hosts []*host
	queue []*live // in order of submit
	lives map[string]*live
}

type host struct {
	HostOptions
	inUse int
}

// live is a run that this process executes. Runner.mu guards run and cancel.
type live struct {
	run       Run
	waitUntil time.Time // until when it may wait for warmth; zero: not at all
	avoid     []string  // hosts that lost the image between placing and creating
	log       *spool
	canceled  chan struct{} // closed by the first cancel
	ended     chan struct{} // closed when the outcome is recorded
}

// New makes a Runner. It does no I/O.
func New(o Options) *Runner {
	if o.Grace == 0 {
		o.Grace = 10 * time.Second
	}
	if o.MaxQueued == 0 {
		o.MaxQueued = 1000
	}
	r := &Runner{opts: o, log: o.Logger, kick: make(chan struct{}, 1), lives: make(map[string]*live)}
	r.life, r.endLife = context.WithCancel(context.Background())
	for _, h := range o.Hosts {
		r.hosts = append(r.hosts, &host{HostOptions: h})
	}
	return r
}

// Run places queued runs until ctx ends, then lets go of the ones that are
// under way: their containers go on, and the next start says what became of
// them.
func (r *Runner) Run(ctx context.Context) error {
	defer func() {
		r.endLife()
		r.started.Wait()
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

// Submit accepts a run, written down before it returns. It is refused at once
// when its image is warm nowhere, unless it may wait for that.
func (r *Runner) Submit(ctx context.Context, spec Spec, waitWarm time.Duration) (Run, error) {
	if r.life.Err() != nil {
		return Run{}, stopping()
	}
	l, err := r.newLive(spec, waitWarm)
	if err != nil {
		return Run{}, err
	}
	if err := r.admit(ctx, l); err != nil {
		return Run{}, err
	}
	r.dispatch()
	r.wake() // Run must learn when this one's wait ends
	r.opts.Images.Kick()
	r.mu.Lock()
	defer r.mu.Unlock()
	return l.run, nil
}

func (r *Runner) newLive(spec Spec, waitWarm time.Duration) (*live, error) {
	image, pin, err := r.opts.Images.Pin(spec.Image)
	if err != nil && (problem.CodeOf(err) != problem.NoCurrent || waitWarm == 0) {
		return nil, err
	}
	if err == nil && waitWarm == 0 {
		if warm, cold := r.opts.Images.WarmHosts(image, pin); len(warm) == 0 {
			return nil, notWarm(image, pin, cold)
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make a run id: %w", err)
	}
	now := time.Now()
	l := &live{
		run:      Run{ID: id.String(), Spec: spec, Image: image, Pin: pin, State: Queued, Submitted: now},
		canceled: make(chan struct{}),
		ended:    make(chan struct{}),
	}
	if waitWarm > 0 {
		l.waitUntil = now.Add(waitWarm)
	}
	return l, nil
}

// admit writes a run down and puts it into the queue.
func (r *Runner) admit(ctx context.Context, l *live) error {
	r.mu.Lock()
	full := len(r.queue) >= r.opts.MaxQueued
	r.mu.Unlock()
	if full {
		p := problem.New(problem.QueueFull, fmt.Sprintf("%d runs wait already", r.opts.MaxQueued), "submit again later")
		p.RetryAfter = 10 * time.Second
		return p
	}
	log, err := newSpool(r.opts.LogDir, l.run.ID)
	if err != nil {
		return err
	}
	l.log = log
	// A caller that leaves just now must not leave a run that is written down
	// and known to nobody.
	if err := r.opts.Store.InsertRun(context.WithoutCancel(ctx), l.run); err != nil {
		return errors.Join(fmt.Errorf("write the run down: %w", err), log.close(), os.Remove(log.path))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lives[l.run.ID] = l
	r.queue = append(r.queue, l)
	return nil
}

// Cancel asks for a run to be stopped and returns at once. A run that has ended
// keeps its outcome.
func (r *Runner) Cancel(ctx context.Context, id string) (Run, error) {
	r.mu.Lock()
	l := r.lives[id]
	if l == nil {
		r.mu.Unlock()
		return r.opts.Store.Run(ctx, id)
	}
	defer r.mu.Unlock()
	select {
	case <-l.canceled:
		return l.run, nil
	default:
		close(l.canceled)
	}
	if l.run.State == Queued {
		r.queue = slices.DeleteFunc(r.queue, func(q *live) bool { return q == l })
		r.started.Go(func() { r.end(l, func(run *Run) { run.State = Canceled }) })
	}
	return l.run, nil
}

// Get gives a run.
func (r *Runner) Get(ctx context.Context, id string) (Run, error) {
	r.mu.Lock()
	if l := r.lives[id]; l != nil {
		defer r.mu.Unlock()
		return l.run, nil
	}
	r.mu.Unlock()
	return r.opts.Store.Run(ctx, id)
}

// List gives the newest runs first.
func (r *Runner) List(ctx context.Context, limit int) ([]Run, error) {
	runs, err := r.opts.Store.Runs(ctx, limit)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, run := range runs {
		if l := r.lives[run.ID]; l != nil {
			runs[i] = l.run // newer than what was written down
		}
	}
	return runs, nil
}

// Logs passes the lines of a run behind after to fn; with follow it goes on
// until the run's log ends.
func (r *Runner) Logs(ctx context.Context, id string, after int64, follow bool, fn func(Entry) error) error {
	r.mu.Lock()
	l := r.lives[id]
	r.mu.Unlock()
	if l != nil {
		ctx, cancel := context.WithCancelCause(ctx)
		defer context.AfterFunc(r.life, func() { cancel(stopping()) })()
		if err := l.log.read(ctx, after, follow, fn); err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		return nil
	}
	if _, err := r.opts.Store.Run(ctx, id); err != nil {
		return err
	}
	return readEnded(r.opts.LogDir, id, after, fn)
}

// Wait gives a run once it has ended, or as it is when ctx ends.
func (r *Runner) Wait(ctx context.Context, id string) (Run, error) {
	r.mu.Lock()
	l := r.lives[id]
	r.mu.Unlock()
	if l != nil {
		select {
		case <-l.ended:
		case <-ctx.Done():
		case <-r.life.Done():
			return Run{}, stopping()
		}
	}
	return r.Get(context.WithoutCancel(ctx), id)
}

func stopping() error {
	return problem.New(problem.Stopping, "the server is stopping", "ask again once it is back")
}

// notWarm says on which hosts an image is not warm, and why.
func notWarm(image string, pin registry.Pin, cold map[string]string) error {
	if len(cold) == 0 {
		return problem.New(problem.ImageNotWarm,
			fmt.Sprintf("%s at %s is not meant for any host: it is no longer in the configuration, or its hosts are not", image, pin.Digest().Short()),
			"put it back into the configuration, or run another image")
	}
	return problem.New(problem.ImageNotWarm,
		fmt.Sprintf("%s at %s is warm on none of its hosts: %s", image, pin.Digest().Short(), listed(cold)),
		"wait for it with --wait-warm, or see prewarm status")
}

// InUse tells how many slots of each host are taken.
func (r *Runner) InUse() map[string]Slots {
	r.mu.Lock()
	defer r.mu.Unlock()
	slots := make(map[string]Slots, len(r.hosts))
	for _, h := range r.hosts {
		slots[h.Name] = Slots{InUse: h.inUse, All: h.Slots}
	}
	return slots
}

// Slots is how many runs a host has, and may have, at once.
type Slots struct{ InUse, All int }
