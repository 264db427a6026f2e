package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Options says what to start.
type Options struct {
	// Hosts is how many; zero is as many as in Each, or else DefaultHosts. The
	// most is 99.
	Hosts int
	// Each says what the hosts are, etl-1 first. Those beyond it are plain.
	Each []HostOptions
	// Dir is the fleet's folder: new or empty, and removed with the fleet. By
	// default it is a temporary one.
	Dir string
	// Log gets a line per step; nil is nowhere.
	Log io.Writer
	// Detached lets the fleet outlive the process that starts it: as long as
	// any of it runs, only Down ends it.
	Detached bool
}

// Fleet is a set of running Docker hosts with a registry.
type Fleet struct {
	Dir      string
	Hosts    []*Host // etl-1 first
	Registry *Registry

	state state

	mu    sync.Mutex // serves gates, and makes registries be added one by one
	gates []*Gate
}

// Up starts a fleet and waits until all of it serves. ctx bounds the start
// only. Fleets that were left behind by killed programs are taken down first.
// After an error nothing is left; ending the fleet is else the caller's: Down.
func Up(ctx context.Context, o Options) (*Fleet, error) {
	o.Hosts = cmp.Or(o.Hosts, len(o.Each), DefaultHosts)
	if o.Hosts < max(1, len(o.Each)) || o.Hosts > maxHosts {
		return nil, fmt.Errorf("start a fleet of %d hosts, of which %d are described: it has 1 to %d", o.Hosts, len(o.Each), maxHosts)
	}
	if err := require(o.Each); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	f, err := create(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := f.start(ctx, o.Log); err != nil {
		return nil, errors.Join(err, f.Down())
	}
	return f, nil
}

// Load finds the fleet in a folder, running or not, also one of another
// process. A folder without a fleet is os.ErrNotExist.
func Load(dir string) (*Fleet, error) {
	s, err := readState(dir)
	if err != nil {
		return nil, err
	}
	return newFleet(s), nil
}

// CAFile is the authority that signs for the registries with TLS. Every engine
// of the fleet trusts it.
func (f *Fleet) CAFile() string { return f.state.authority().certFile() }

// Abandoned tells whether the fleet is a leftover: whoever started it has
// ended without taking it down, and did not detach it. The next Up clears it.
func (f *Fleet) Abandoned() bool { return f.state.abandoned() }

// Down ends the fleet and removes all that it made, its folder with it.
// Calling it again does nothing.
func (f *Fleet) Down() error {
	f.closeGates()
	ctx := context.Background() // a cancelled test must clear up all the same
	l, err := lockDir(ctx, indexDir)
	if err != nil {
		return err
	}
	defer l.unlock()
	return teardown(ctx, f.state)
}

// Clear takes down the fleets whose owners have ended without doing it.
func Clear(ctx context.Context, log io.Writer) error {
	l, err := lockDir(ctx, indexDir)
	if err != nil {
		return err
	}
	defer l.unlock()
	return clearAbandoned(ctx, "", log)
}

// clearAbandoned looks through the index, and into dir: the index is in memory,
// so after a restart of the machine only the folder is left.
func clearAbandoned(ctx context.Context, dir string, log io.Writer) error {
	known, err := enlisted()
	if err != nil {
		return err
	}
	if dir != "" {
		s, err := readState(dir)
		if err == nil && !slices.ContainsFunc(known, func(k state) bool { return k.ID == s.ID }) {
			known = append(known, s)
		}
	}
	var errs []error
	for _, s := range known {
		if s.abandoned() {
			fmt.Fprintf(log, "taking down fleet %s in %s, which was left behind\n", s.ID, s.Dir)
			errs = append(errs, teardown(ctx, s))
		}
	}
	return errors.Join(errs...)
}

func newFleet(s state) *Fleet {
	f := &Fleet{Dir: s.Dir, Registry: newRegistry(s), state: s}
	for n := range s.Hosts {
		f.Hosts = append(f.Hosts, newHost(s, n+1))
	}
	return f
}

// start starts the registry and all hosts at once.
func (f *Fleet) start(ctx context.Context, log io.Writer) error {
	begin := time.Now()
	fmt.Fprintf(log, "starting %d hosts and a registry in %s\n", len(f.Hosts), f.Dir)
	if err := f.state.authority().create(); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := f.Registry.create(); err != nil {
			return err
		}
		return f.Registry.Start(ctx)
	})
	for n, h := range f.Hosts {
		g.Go(func() error {
			if err := createNamespace(ctx, f.state.ID, n+1, f.state.Subnet); err != nil {
				return err
			}
			if err := h.create(bridgeAddr(f.state.Subnet)); err != nil {
				return err
			}
			return h.startAll(ctx)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	fmt.Fprintf(log, "all serve after %v\n", time.Since(begin).Round(100*time.Millisecond))
	return nil
}
