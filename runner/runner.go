package runner

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
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
	// Measures gets what is counted; nil: nobody counts.
	Measures Measures
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
	// restored is the moment of the backup that the state comes from, until the
	// hosts were looked at since; gateTold is what was said of that last.
	restored time.Time
	gateTold string
}

// host is where runs are placed. It outlives a reload that takes the host away,
// as long as runs are there.
type host struct {
	HostOptions
	inUse     int
	memory    int64
	nanoCPUs  int64
	unclaimed []string
	strangers int       // containers under way that no run claims, after a restore
	swept     time.Time // when its containers were listed last
}

// live is a run without an outcome. Runner.mu guards all but writing, log and
// the channels.
type live struct {
	writing sync.Mutex // held over each write of the run to the store
	log     *spool.Log
	stop    chan struct{} // closed once the run is to be stopped, and that is on disk
	ended   chan struct{} // closed when the outcome is recorded
	poke    chan struct{} // holds one token: "don't wait to ask the host again"

	run     Run
	avoid   map[string]avoided     // hosts where it was placed in vain
	cold    time.Time              // since when it could start nowhere; zero: it can
	ready   bool                   // it could have been started before
	fixing  bool                   // what it waits for is being written down, or read
	cleared bool                   // the outcome of the run before it is known
	wishing bool                   // a stop is being written down
	freed   bool                   // an admin released it
	adopted bool                   // an earlier life of ours started its container
	masked  []string               // values that the log must not show
	heard   time.Time              // when its caller was heard last
	readers int                    // who follow or wait now
	news    map[notice.Kind]string // the ids of what people were told of it
}

// avoided is why a run is not placed on a host for a while.
type avoided struct {
	why   string
	until time.Time
}

// New makes a Runner. It does no I/O.
func New(o Options) *Runner {
	if o.Measures == nil {
		o.Measures = unmeasured{}
	}
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

// rest is a pause before a run's host is asked again, which a release ends.
func (l *live) rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-l.poke:
	case <-t.C:
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
