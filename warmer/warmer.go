package warmer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// Registry is what the warmer asks of the registries.
type Registry interface {
	// Resolve tells what a tag points at now, at the cost of one request.
	Resolve(ctx context.Context, ref registry.Ref) (registry.Pin, error)
	// Manifest reads what a pin holds for the given platforms.
	Manifest(ctx context.Context, pin registry.Pin, platforms []registry.Platform) (registry.Manifest, error)
}

// Store keeps rollouts across restarts.
type Store interface {
	// Rollouts gives all rollouts, oldest first.
	Rollouts(ctx context.Context) ([]Rollout, error)
	// SaveRollouts inserts or replaces rollouts, all of them or none. They are
	// on disk when it returns.
	SaveRollouts(ctx context.Context, rollouts ...Rollout) error
}

// HostOptions is one host of the fleet.
type HostOptions struct {
	Name string
	Host Host
	// Pulls is how many pulls the host may have at once.
	Pulls int
}

// Options is what a Warmer is made of.
type Options struct {
	Tracks   []Track
	Hosts    []HostOptions
	Registry Registry
	Store    Store
	Logger   *slog.Logger
	// ProbeEvery is how often each host is looked at; 15 s when zero.
	ProbeEvery time.Duration
	// ProbeTimeout bounds one look; 30 s when zero.
	ProbeTimeout time.Duration
	// Straggler is how long a promotion waits for a host that fails; 15 min
	// when zero.
	Straggler time.Duration
	// Backoff is the wait after a first failed pull; it doubles, with jitter,
	// up to MaxBackoff. 5 s and 10 min when zero.
	Backoff, MaxBackoff time.Duration
}

func (o *Options) defaults() {
	setDefault(&o.ProbeEvery, 15*time.Second)
	setDefault(&o.ProbeTimeout, 30*time.Second)
	setDefault(&o.Straggler, 15*time.Minute)
	setDefault(&o.Backoff, 5*time.Second)
	setDefault(&o.MaxBackoff, 10*time.Minute)
}

func setDefault(d *time.Duration, to time.Duration) {
	if *d == 0 {
		*d = to
	}
}

// Warmer keeps a fleet warm. Make it with New, load what was with Load, then
// Run it; the other methods may be called from any goroutine after Load.
type Warmer struct {
	opts Options
	log  *slog.Logger
	kick chan struct{} // holds one token: "look again"

	// deciding serialises whatever changes rollouts: they are written to the
	// store first and to memory after, without holding mu over the disk.
	deciding sync.Mutex

	mu      sync.Mutex
	tracks  []*track
	hosts   map[string]*host
	changed chan struct{} // closed and replaced at each change that a run may wait for
}

// New makes a Warmer. It does no I/O.
func New(o Options) *Warmer {
	o.defaults()
	w := &Warmer{
		opts:    o,
		log:     o.Logger,
		kick:    make(chan struct{}, 1),
		hosts:   make(map[string]*host, len(o.Hosts)),
		changed: make(chan struct{}),
	}
	for _, t := range o.Tracks {
		w.tracks = append(w.tracks, &track{Track: t})
	}
	for _, h := range o.Hosts {
		w.hosts[h.Name] = newHost(h)
	}
	return w
}

// Load reads the rollouts that an earlier life wrote down.
func (w *Warmer) Load(ctx context.Context) error {
	rollouts, err := w.opts.Store.Rollouts(ctx)
	if err != nil {
		return fmt.Errorf("load rollouts: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range rollouts {
		if t := w.trackOf(r.Track); t != nil {
			t.rollouts = append(t.rollouts, r)
		}
	}
	return nil
}

// Run looks at the hosts and reconciles until ctx ends, then waits for what it
// started. It returns nil after an orderly end.
func (w *Warmer) Run(ctx context.Context) error {
	var started sync.WaitGroup
	defer started.Wait()
	for _, h := range w.hosts {
		started.Go(func() { w.watchHost(ctx, h) })
	}
	for {
		wake := time.NewTimer(w.reconcile(ctx, &started))
		select {
		case <-ctx.Done():
			wake.Stop()
			return nil
		case <-w.kick:
		case <-wake.C:
		}
		wake.Stop()
	}
}

// Kick asks for another look at the whole. It never blocks.
func (w *Warmer) Kick() {
	select {
	case w.kick <- struct{}{}:
	default: // a look is owed already
	}
}

// maxIdle bounds the time between two looks when nothing is due: everything
// that matters kicks, so this only limits the cost of a kick that was missed.
const maxIdle = time.Minute

// reconcile takes one look and carries out what Plan says. It returns how long
// nothing more is due.
func (w *Warmer) reconcile(ctx context.Context, started *sync.WaitGroup) time.Duration {
	w.deciding.Lock()
	defer w.deciding.Unlock()

	now := time.Now()
	desired, observed := w.look(now)
	actions := Plan(desired, observed)
	if err := w.decide(ctx, now, actions); err != nil {
		if ctx.Err() == nil {
			w.log.Error("rollouts not written down, nothing promoted; next try in a second", "error", err)
		}
		return time.Second
	}
	for _, a := range actions {
		if p, ok := a.(Pull); ok {
			w.startPull(ctx, p, started)
		}
	}
	return w.nextDue(now)
}

// look copies what Plan needs.
func (w *Warmer) look(now time.Time) (Desired, Observed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := Desired{Straggler: w.opts.Straggler}
	for _, t := range w.tracks {
		d.Tracks = append(d.Tracks, t.state())
	}
	o := Observed{Now: now, Hosts: make(map[string]HostView, len(w.hosts))}
	for name, h := range w.hosts {
		o.Hosts[name] = h.view()
	}
	return d, o
}

// decide writes down promotions and ended rollouts, on disk first.
func (w *Warmer) decide(ctx context.Context, now time.Time, actions []Action) error {
	var decided []Rollout
	for _, a := range actions {
		switch a := a.(type) {
		case Promote:
			decided = append(decided, w.superseded(a.Rollout.Track, now)...)
			a.Rollout.Phase, a.Rollout.Promoted = Current, now
			decided = append(decided, a.Rollout)
		case Overtake:
			a.Rollout.Phase, a.Rollout.Ended = Overtaken, now
			decided = append(decided, a.Rollout)
		}
	}
	if len(decided) == 0 {
		return nil
	}
	if err := w.opts.Store.SaveRollouts(ctx, decided...); err != nil {
		return fmt.Errorf("save %d rollouts: %w", len(decided), err)
	}
	w.apply(decided)
	for _, r := range decided {
		w.log.Info("rollout "+string(r.Phase), "image", r.Track.String(), "digest", r.Pin.Digest(), "since_seen", now.Sub(r.Seen).Round(time.Millisecond))
	}
	return nil
}

// superseded gives the present current rollout of a track, ended.
func (w *Warmer) superseded(id TrackID, now time.Time) []Rollout {
	w.mu.Lock()
	defer w.mu.Unlock()
	current := w.trackOf(id).state().Current
	if current == nil {
		return nil
	}
	old := *current
	old.Phase, old.Ended = Superseded, now
	return []Rollout{old}
}

// apply puts written rollouts into memory.
func (w *Warmer) apply(rollouts []Rollout) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range rollouts {
		w.trackOf(r.Track).put(r)
	}
	w.announce()
}

// announce wakes whoever waits on Changed. The caller holds mu.
func (w *Warmer) announce() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// Changed gives a channel that is closed at the next change of what is warm or
// current.
func (w *Warmer) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

// trackOf finds a track. The caller holds mu.
func (w *Warmer) trackOf(id TrackID) *track {
	for _, t := range w.tracks {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// nextDue is how long until a backoff ends or a straggler stops counting.
func (w *Warmer) nextDue(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	due := maxIdle
	sooner := func(at time.Time) {
		if d := at.Sub(now); d > 0 && d < due {
			due = d
		}
	}
	for _, h := range w.hosts {
		for _, c := range h.copies {
			sooner(c.NextTry)
			if c.State == Failed {
				sooner(c.FailedSince.Add(w.opts.Straggler))
			}
		}
	}
	return due
}

// errStopped tells a pull that ended because the Warmer stops.
var errStopped = errors.New("the warmer stops")
