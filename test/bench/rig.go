package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// rig is what the benchmarks share: a fleet and the program.
type rig struct {
	settings
	log    io.Writer
	fleet  *fleet.Fleet
	dir    string // for everything but the fleet
	binary string
}

// newRig starts the fleet and builds the program, without the race detector.
func newRig(ctx context.Context, s settings, hosts int, log io.Writer) (*rig, error) {
	dir, err := os.MkdirTemp("", "prewarm-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	r := &rig{settings: s, log: log, dir: dir}
	if r.binary, err = prewarmtest.Build(ctx, dir); err != nil {
		return nil, errors.Join(err, r.close())
	}
	if r.fleet, err = fleet.Up(ctx, fleet.Options{Hosts: hosts, Log: log}); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *rig) close() error {
	var err error
	if r.fleet != nil {
		err = r.fleet.Down()
	}
	return errors.Join(err, os.RemoveAll(r.dir))
}

// server is a running prewarm serve.
type server struct {
	*prewarmtest.Server
	client  *api.Client
	log     *os.File
	address string
}

// close ends the server at once: its state is thrown away.
func (s *server) close() error { return errors.Join(s.Kill(), s.log.Close()) }

// serve starts prewarm on the first hosts of the fleet.
func (r *rig) serve(ctx context.Context, name string, hosts int, images ...string) (*server, error) {
	part := &fleet.Fleet{Hosts: r.fleet.Hosts[:hosts], Registry: r.fleet.Registry}
	setup := prewarmtest.SetupOf(part, "", "")
	setup.Images = images
	return r.serveSetup(ctx, name, setup)
}

// wholeLogs keeps the firehose's log from being cut: ten million short lines are
// more than the 1 GiB that is the default, with what stands beside each of them.
const wholeLogs = "runner: {logs: {cap: 4g}}\n"

// serveSetup starts prewarm with a state and an address of its own. Its log is
// in the rig's folder: a terminal would slow it.
func (r *rig) serveSetup(ctx context.Context, name string, setup prewarmtest.Setup) (*server, error) {
	address, err := prewarmtest.FreeAddress()
	if err != nil {
		return nil, err
	}
	setup.Address, setup.State = address, filepath.Join(r.dir, name)
	file := filepath.Join(r.dir, name+".yaml")
	if err := os.WriteFile(file, []byte(setup.String()+wholeLogs), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	log, err := os.Create(filepath.Join(r.dir, name+".log"))
	if err != nil {
		return nil, fmt.Errorf("make the server's log: %w", err)
	}
	s, err := prewarmtest.Serve(ctx, r.binary, file, address, log)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &server{Server: s, client: &api.Client{URL: s.URL}, log: log, address: address}, nil
}

// clear removes what the benchmark before left: its server was killed, and with
// it went the state that knew of its containers.
func (r *rig) clear(ctx context.Context) error {
	for _, h := range r.fleet.Hosts {
		if err := newEngine(h).clear(ctx); err != nil {
			return fmt.Errorf("clear host %s: %w", h.Name, err)
		}
	}
	return nil
}

// lookPause is how often something slow is looked at: seldom enough to cost
// nothing, often enough to add nothing to seconds.
const lookPause = 10 * time.Millisecond

// awaitCurrent waits until an image runs on a digest.
func (s *server) awaitCurrent(ctx context.Context, image, digest string) error {
	for {
		found, err := s.client.Image(ctx, image)
		if err != nil {
			return err
		}
		if c := found.Tracks[0].Current; c != nil && c.Digest == digest {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s to run on %s: %w", image, digest, ctx.Err())
		case <-time.After(lookPause):
		}
	}
}
