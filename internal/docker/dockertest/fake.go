package dockertest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

var (
	_ warmer.Host   = (*Fake)(nil)
	_ runner.Engine = (*Fake)(nil)
)

// Options describe a fake host.
type Options struct {
	Name     string            // the host's name; "fake" by default
	Instance string            // whose containers Owned lists; "test" by default
	Platform registry.Platform // linux/amd64 by default
	Unique   bool              // List tells what each image shares with none, as engines since 23 do
}

// Fake is an engine in memory, together with the registry that it pulls from.
// Its methods may be called from any goroutine.
type Fake struct {
	name, instance string
	platform       registry.Platform

	mu       sync.Mutex
	changed  chan struct{} // closed, and made anew, at every change
	down     bool
	stopping bool
	wiped    int // how often; what began before a wipe can't end well after it
	cuts     int // how often every stream broke
	news     news
	space    space
	unique   bool
	offset   time.Duration
	life     int // how often it was started anew
	away     bool
	faults   map[Call][]bool // whether each comes after its call

	liveRestore bool

	marker     string
	upstream   upstream
	images     map[string]*held // by id
	containers map[string]*box
	volumes    map[string]*store
	programs   map[string]Program
	counts     counts
	serial     int // of ids and markers

	removals     map[string]*failure // that are to fail, by the image's id
	holdRemovals bool
}

// counts are what tests ask afterwards.
type counts struct {
	pulls         map[registry.Pin]int
	pulling, most int
	created       map[string]int
	started       map[string]int
	stopped       map[string]int

	lists, removals int
}

// NewFake makes an engine that is up and holds nothing.
func NewFake(o Options) *Fake {
	if o.Name == "" {
		o.Name = "fake"
	}
	if o.Instance == "" {
		o.Instance = "test"
	}
	if o.Platform.IsZero() {
		o.Platform = registry.Platform{OS: "linux", Architecture: "amd64"}
	}
	return &Fake{
		name: o.Name, instance: o.Instance, platform: o.Platform, unique: o.Unique,
		changed:    make(chan struct{}),
		upstream:   upstream{pushed: map[registry.Pin]pushed{}, failures: map[registry.Pin]*failure{}},
		images:     map[string]*held{},
		removals:   map[string]*failure{},
		containers: map[string]*box{},
		volumes:    map[string]*store{},
		faults:     map[Call][]bool{},
		programs:   builtin(),
		counts:     counts{pulls: map[registry.Pin]int{}, created: map[string]int{}, started: map[string]int{}, stopped: map[string]int{}},
	}
}

// Probe tells who answers, as a classic 20.10 would.
func (f *Fake) Probe(ctx context.Context) (warmer.Engine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reach(ctx, "probe"); err != nil {
		return warmer.Engine{}, err
	}
	if f.marker == "" {
		f.marker = f.id("marker")
	}
	return warmer.Engine{
		Marker: f.marker, MarkerHost: f.name,
		Version: engineVersion, APIVersion: "1.41", ImageStore: "classic",
		Platform: f.platform, CPUs: 2, Memory: 4 << 30, Disk: f.diskNow(), ClockOffset: f.offset,
	}, nil
}

// Pulls is how many pulls of pin were begun.
func (f *Fake) Pulls(pin registry.Pin) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts.pulls[pin]
}

// MostPulls is how many pulls were under way at once, at most.
func (f *Fake) MostPulls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts.most
}

// Created is how many containers were created for a run.
func (f *Fake) Created(run string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts.created[run]
}

// Started is how many containers of a run were started.
func (f *Fake) Started(run string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts.started[run]
}

// Stopped is how often a container of a run was stopped while it ran.
func (f *Fake) Stopped(run string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts.stopped[run]
}

// change does something under the lock and wakes whoever waits for a change.
func (f *Fake) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	f.wake()
}

// wake tells all waiters to look again. The caller holds the lock.
func (f *Fake) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// until calls ready under the lock, at every change, until it says that it is
// done or fails.
func (f *Fake) until(ctx context.Context, what string, ready func() (bool, error)) error {
	for {
		f.mu.Lock()
		done, err := ready()
		changed := f.changed
		f.mu.Unlock()
		if done || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return f.gaveUp(ctx, what)
		}
	}
}

// reach fails where a call would get no answer. The caller holds the lock.
func (f *Fake) reach(ctx context.Context, what string) error {
	switch {
	case ctx.Err() != nil:
		return f.gaveUp(ctx, what)
	case f.down || f.away:
		return f.unreachable(what)
	}
	return nil
}

func (f *Fake) gaveUp(ctx context.Context, what string) error {
	return fmt.Errorf("%s on host %s: %w", what, f.name, ctx.Err())
}

func (f *Fake) unreachable(what string) error {
	return problem.New(problem.HostUnreachable, fmt.Sprintf("%s on host %s: nothing listens at fake://%s", what, f.name, f.name), "start the engine")
}

func (f *Fake) refuse(code problem.Code, what, why string) error {
	return problem.New(code, fmt.Sprintf("%s on host %s: %s", what, f.name, why), "")
}

// id makes an id that no other thing of this fake has. The caller holds the
// lock.
func (f *Fake) id(kind string) string {
	f.serial++
	return fmt.Sprintf("%s-%s-%d", f.name, kind, f.serial)
}

// pause lasts d, and less when ctx ends or the engine is cut off or wiped.
func (f *Fake) pause(ctx context.Context, what string, d time.Duration, wiped int) error {
	over := time.NewTimer(d)
	defer over.Stop()
	for {
		f.mu.Lock()
		err := f.reach(ctx, what)
		if err == nil && f.wiped != wiped {
			err = f.unreachable(what)
		}
		changed := f.changed
		f.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-over.C:
			return nil
		case <-changed:
		case <-ctx.Done():
		}
	}
}
