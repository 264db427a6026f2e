package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

const (
	// readyAim is how soon a server answers, from the start of its process.
	readyAim = 300 * time.Millisecond
	// idleAim is the memory of a server that has nothing to do but watch.
	idleAim = 60e6
	// idleWatch is how often each image is looked at meanwhile.
	idleWatch = "@every 1m"
	// startRest lets a machine come to rest between two starts.
	startRest = 500 * time.Millisecond
)

// benchFootprint tells what a server takes that is only there: of the disk, of
// time until it answers, and of memory and CPU while nothing happens. It is the
// program as it is released.
func benchFootprint(ctx context.Context, r *rig) (t table, err error) {
	t = table{
		title:   fmt.Sprintf("A server of %d hosts and %d images that are warm, each looked at every minute", r.hosts, r.images),
		columns: []string{"measured", "of", "figure", "at most", "aim"},
	}
	f := &footprint{rig: r}
	if err := f.prepare(ctx); err != nil {
		return t, err
	}
	if err := f.sizes(ctx, &t); err != nil {
		return t, err
	}
	fmt.Fprintf(r.log, "  warming, and at rest for %s\n", r.settle+r.idle)
	if err := f.atRest(ctx, &t); err != nil {
		return t, err
	}
	fmt.Fprintf(r.log, "  starts, with a state of %d runs among them\n", r.endedRuns)
	if err := f.starts(ctx, &t); err != nil {
		return t, err
	}
	fmt.Fprintf(r.log, "  at rest with %d runs, for %s\n", r.endedRuns, r.settle+r.idle)
	return t, f.atRestFull(ctx, &t)
}

// footprint is the released program with a configuration, and states for it:
// new ones, one that knows the warm images, and one that is full of runs too.
type footprint struct {
	*rig
	released
	known, old string
	pin        registry.Pin // of one of the images
}

// prepare builds the program with its image and pushes the images that are watched.
func (f *footprint) prepare(ctx context.Context) error {
	f.known, f.old = filepath.Join(f.dir, "known"), filepath.Join(f.dir, "full")
	var err error
	if f.released, err = release(ctx, filepath.Join(f.dir, "image")); err != nil {
		return err
	}
	fmt.Fprintf(f.log, "  pushing %d images\n", f.images)
	for n := range f.images {
		pin, err := f.push(ctx, footprintImage(n), fleet.ProgramImage(fmt.Sprint("footprint ", n)))
		if err != nil {
			return err
		}
		if f.pin, err = registry.ParsePin(pin); err != nil {
			return err
		}
	}
	return nil
}

func footprintImage(n int) string { return fmt.Sprintf("footprint-%d", n) }

// server begins to serve with a state, and tells how long it took until it was
// ready.
func (f *footprint) server(ctx context.Context, state string) (*prewarmtest.Server, time.Duration, error) {
	address, err := prewarmtest.FreeAddress()
	if err != nil {
		return nil, 0, err
	}
	setup := prewarmtest.SetupOf(f.fleet, address, state)
	for n := range f.images {
		setup.Images = append(setup.Images, f.watched(footprintImage(n), idleWatch))
	}
	file := filepath.Join(f.dir, "footprint.yaml")
	if err := os.WriteFile(file, []byte(setup.String()), 0o600); err != nil {
		return nil, 0, fmt.Errorf("write the configuration: %w", err)
	}
	begin := time.Now()
	s, err := prewarmtest.Serve(ctx, f.program, file, address, io.Discard)
	return s, time.Since(begin), err
}
