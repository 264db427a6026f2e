package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// defaultURL is where the prewarm program looks for its server.
const defaultURL = "http://127.0.0.1:8470"

// stage is what the demo puts up: the fleet, and in its folder the program, its
// configuration, state and log. So the folder of a demo that was killed goes
// with its fleet, when the next one starts.
type stage struct {
	fleet         *fleet.Fleet
	dir           string
	binary        string
	address       string
	server        *prewarmtest.Server
	log           *os.File
	first, second string // digests
}

// up starts the fleet and builds the program.
func (s *stage) up(ctx context.Context, log io.Writer) error {
	var err error
	if s.fleet, err = fleet.Up(ctx, fleet.Options{Log: log}); err != nil {
		return err
	}
	s.dir = filepath.Join(s.fleet.Dir, "demo")
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	fmt.Fprintln(log, "building prewarm")
	s.binary, err = prewarmtest.Build(ctx, s.dir)
	return err
}

// push pushes a version of the image as CI would and gives its digest.
func (s *stage) push(ctx context.Context, image fleet.Image) (digest string, err error) {
	return s.fleet.Registry.Push(ctx, repository+":latest", image)
}

// configure writes the configuration and gives its text. The tag is watched so
// seldom that the demo's own look at it comes first.
func (s *stage) configure() (string, error) {
	address, err := s.freeAddress()
	if err != nil {
		return "", err
	}
	s.address = address
	text := prewarmtest.Config(s.fleet, address, filepath.Join(s.dir, "state"),
		fmt.Sprintf("{name: %s, repository: %s/%s, watch: '@every 5m'}", imageName, s.fleet.Registry.Addr, repository))
	return text, os.WriteFile(s.configFile(), []byte(text), 0o600)
}

func (s *stage) configFile() string { return filepath.Join(s.dir, "prewarm.yaml") }

// startServer starts prewarm serve, in a process group of its own.
func (s *stage) startServer(ctx context.Context) error {
	var err error
	if s.log, err = os.Create(s.logFile()); err != nil {
		return fmt.Errorf("make the server's log: %w", err)
	}
	s.server, err = prewarmtest.Serve(ctx, s.binary, s.configFile(), s.address, s.log)
	return err
}

// freeAddress is the usual one, so that the reader's own prewarm command finds
// the server, or another one where that is taken.
func (s *stage) freeAddress() (string, error) {
	usual := strings.TrimPrefix(defaultURL, "http://")
	l, err := net.Listen("tcp", usual)
	if err != nil {
		return prewarmtest.FreeAddress()
	}
	return usual, l.Close()
}

// takeDown ends what was put up, however far that came.
func (s *stage) takeDown() error {
	var errs []error
	if s.server != nil {
		errs = append(errs, s.stopServer())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.fleet != nil {
		errs = append(errs, s.fleetDown())
	}
	return errors.Join(errs...)
}

// serverStop is how long the server may take to end in order: it lets requests
// under way finish for three seconds.
const serverStop = 10 * time.Second

func (s *stage) stopServer() error {
	stopped := make(chan error, 1)
	go func() { stopped <- s.server.Stop() }()
	select {
	case err := <-stopped:
		return err
	case <-time.After(serverStop):
		return errors.Join(fmt.Errorf("prewarm serve did not stop within %s", serverStop), s.server.Kill())
	}
}

// fleetDown tries twice: another Ctrl-C reaches the small programs by which a
// fleet is taken down, and Down goes on where it was stopped.
func (s *stage) fleetDown() error {
	if err := s.fleet.Down(); err == nil {
		return nil
	}
	return s.fleet.Down()
}
