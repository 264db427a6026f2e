package warmer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
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
	// Tags lists the tags of a repository.
	Tags(ctx context.Context, repo registry.Repository) ([]string, error)
}

// HostOptions is one host of the fleet.
type HostOptions struct {
	Name string
	Host Host
	// Labels are told with what concerns it.
	Labels map[string]string
	// Pulls is how many pulls the host may have at once.
	Pulls int
	// Prune says what may go from it.
	Prune PruneRules
}

// Setup is what a reload can change.
type Setup struct {
	Entries []Entry
	Hosts   []HostOptions
	// Registries are the rules of registries, by host, that have some.
	Registries map[string]RegistryRules
	// Pulls is how many pulls the fleet may have at once; 0: any number.
	Pulls int
}

// Options is what a Warmer is made of.
type Options struct {
	Setup
	Registry Registry
	Store    Store
	Ledger   Ledger
	Verifier Verifier
	// Needs tells what runs wait for now; nil: nothing ever.
	Needs func() Needs
	// Quota tells what a registry said last of the requests that it allows; nil:
	// nobody knows.
	Quota func(host string) (registry.Quota, bool)
	// Measures gets what is counted; nil: nobody counts.
	Measures Measures
	Logger   *slog.Logger
	// ProbeEvery is how often each host is looked at; 15 s when zero.
	ProbeEvery time.Duration
	// InspectEvery is how often each image on a host is looked at while the
	// engine tells of removals by itself; 1 min when zero.
	InspectEvery time.Duration
	// ProbeTimeout bounds one look; 30 s when zero.
	ProbeTimeout time.Duration
	// Backoff is the wait after a first failed pull; it doubles, with jitter,
	// up to MaxBackoff. 5 s and 10 min when zero.
	Backoff, MaxBackoff time.Duration
}

func (o *Options) defaults() {
	setDefault(&o.ProbeEvery, 15*time.Second)
	setDefault(&o.InspectEvery, time.Minute)
	setDefault(&o.ProbeTimeout, 30*time.Second)
	setDefault(&o.Backoff, 5*time.Second)
	setDefault(&o.MaxBackoff, 10*time.Minute)
	if o.Needs == nil {
		o.Needs = func() Needs { return Needs{} }
	}
	if o.Measures == nil {
		o.Measures = unmeasured{}
	}
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

	// deciding serialises whatever changes rollouts, entries and hosts: it is
	// written to the store first and to memory after, without holding mu over
	// the disk.
	deciding sync.Mutex
	started  sync.WaitGroup

	mu      sync.Mutex
	life    context.Context // of Run; nil before it
	setup   Setup
	entries []*entry
	// shelf are the entries that left the configuration, by image.
	shelf   map[string]*entry
	hosts   map[string]*host
	pulling map[string]int       // pulls of this moment by registry host
	closed  map[string]time.Time // until when registries want no pulls, by host
	pauses  map[pauseKey]Pause
	// engines are the markers of the engines that answered last, by host, and
	// written those of them that are on disk.
	engines, written map[string]string
	// sought are digests that matter beside what is live.
	sought map[HeldPin]*sought
	// verifying are the rollouts whose verification is under way.
	verifying map[string]bool
	warned    map[string]bool // of protected patterns that match nothing
	events    events
	news      news
	changed   chan struct{} // closed and replaced at each change that a run may wait for
}

// New makes a Warmer. It does no I/O.
func New(o Options) *Warmer {
	o.defaults()
	w := &Warmer{
		opts:      o,
		log:       o.Logger,
		kick:      make(chan struct{}, 1),
		shelf:     make(map[string]*entry),
		hosts:     make(map[string]*host, len(o.Hosts)),
		pulling:   make(map[string]int),
		closed:    make(map[string]time.Time),
		pauses:    make(map[pauseKey]Pause),
		engines:   make(map[string]string),
		written:   make(map[string]string),
		sought:    make(map[HeldPin]*sought),
		verifying: make(map[string]bool),
		warned:    make(map[string]bool),
		news:      news{troubles: make(map[Trouble]time.Time), changed: make(map[Trouble]bool)},
		changed:   make(chan struct{}),
	}
	w.install(o.Setup)
	return w
}

// Load reads what an earlier life wrote down.
func (w *Warmer) Load(ctx context.Context) error {
	saved, err := w.opts.Store.Load(ctx)
	if err != nil {
		return fmt.Errorf("load what is warm and current: %w", err)
	}
	givenUp, err := w.opts.Ledger.Recall(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, pins := range givenUp {
		for _, pin := range pins {
			if h := w.hosts[name]; h != nil {
				h.copyOf(pin).GivenUp = true
			}
		}
	}
	for _, p := range saved.Pauses {
		w.pauses[pauseKey{p.What, p.Host}] = p
	}
	maps.Copy(w.news.troubles, saved.Troubles)
	for t, since := range saved.Troubles {
		if time.Since(since) >= tellAgain {
			w.overcome(t)
		}
	}
	w.forgetTroubles()
	for host, marker := range saved.Engines {
		w.engines[host], w.written[host] = marker, marker
	}
	owner := func(image string) (e *entry, inForce bool) {
		if e := w.entryOf(image); e != nil {
			return e, true
		}
		return w.shelved(image), false
	}
	for _, s := range saved.Images {
		e, inForce := owner(s.Image)
		e.held = s
		if !inForce || s.Repository == e.Repository.String() {
			e.chosen = s.Chosen
		}
		e.retag()
	}
	for _, r := range saved.Rollouts {
		e, inForce := owner(r.Track.Image)
		e.adopt(r, inForce)
	}
	return nil
}

// adopt takes a rollout of an earlier life. Where the entry is in force, one
// whose tag is not tracked now matters only while it is current: until another
// takes its place.
func (e *entry) adopt(r Rollout, inForce bool) {
	for _, t := range e.tracks {
		if t.ID == r.Track {
			t.put(r)
			return
		}
	}
	if inForce && r.Phase != Current {
		return
	}
	left := &track{Track: e.track(r.Track.Tag), entry: e, leaving: true}
	left.put(r)
	e.tracks = append(e.tracks, left)
}

// Run looks at the hosts and reconciles until ctx ends, then waits for what it
// started. It returns nil after an orderly end.
func (w *Warmer) Run(ctx context.Context) error {
	defer func() {
		w.started.Wait()
		w.part(ctx)
	}()
	w.mu.Lock()
	w.life = ctx
	for _, h := range w.hosts {
		w.startHost(h)
	}
	w.mu.Unlock()
	for {
		wake := time.NewTimer(w.reconcile(ctx))
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

// tracks gives all tracks, in the order of the configuration. The caller holds
// mu.
func (w *Warmer) tracks() iter.Seq[*track] {
	return func(yield func(*track) bool) {
		for _, e := range w.entries {
			for _, t := range e.tracks {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// entryOf finds an entry. The caller holds mu.
func (w *Warmer) entryOf(image string) *entry {
	for _, e := range w.entries {
		if e.Image == image {
			return e
		}
	}
	return nil
}

// trackOf finds a track. The caller holds mu.
func (w *Warmer) trackOf(id TrackID) *track {
	if e := w.entryOf(id.Image); e != nil {
		for _, t := range e.tracks {
			if t.ID == id {
				return t
			}
		}
	}
	return nil
}

// errStopped tells a pull that ended because the Warmer stops.
var errStopped = errors.New("the warmer stops")
