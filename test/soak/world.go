package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

const (
	hosts      = 3
	imageName  = "soak"
	repository = "soak/jobs"
	// ledgerTarget is where programs find their ledger.
	ledgerTarget = "/ledger"
	// patience is how long it may take until all work is over, once nothing fails
	// any more: a program lives 40 s, and may have to be executed again. Nothing
	// else takes longer.
	patience = 4 * time.Minute
)

// world is a fleet, a server, and a ledger.
type world struct {
	settings
	log     io.Writer
	dir     string // for everything but the fleet
	fleet   *fleet.Fleet
	binary  string
	address string
	client  *api.Client
	words   *os.File // what the server logs
	server  *prewarmtest.Server
	faults  *faults
	version int // of the image
}

// lockedLog is written by all that goes on at once.
type lockedLog struct {
	mu sync.Mutex
	to io.Writer
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(b)
}

func newWorld(ctx context.Context, s settings, log io.Writer) (*world, error) {
	w := &world{settings: s, log: &lockedLog{to: log}, faults: &faults{}}
	if err := w.open(ctx); err != nil {
		return nil, errors.Join(err, w.close(false))
	}
	return w, nil
}

func (w *world) open(ctx context.Context) (err error) {
	if w.dir, err = os.MkdirTemp("", "prewarm-soak-"); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	if err := os.Mkdir(w.ledgerDir(), 0o700); err != nil {
		return fmt.Errorf("make the ledger: %w", err)
	}
	if w.words, err = os.Create(filepath.Join(w.dir, "server.log")); err != nil {
		return fmt.Errorf("make the server's log: %w", err)
	}
	if w.binary, err = prewarmtest.Build(ctx, w.dir); err != nil {
		return err
	}
	each := make([]fleet.HostOptions, hosts)
	each[1].LiveRestore = true
	if w.fleet, err = fleet.Up(ctx, fleet.Options{Each: each, Log: w.log}); err != nil {
		return err
	}
	if err := w.push(ctx); err != nil {
		return err
	}
	if err := w.configure(); err != nil {
		return err
	}
	if err := w.serve(ctx); err != nil {
		return err
	}
	return w.awaitWarm(ctx)
}

// close ends everything. The server's log is kept where something was wrong.
func (w *world) close(keep bool) error {
	var errs []error
	if w.server != nil {
		_ = w.server.Kill() // it may be dead
	}
	if w.words != nil {
		errs = append(errs, w.words.Close())
	}
	if w.fleet != nil {
		errs = append(errs, w.fleet.Down())
	}
	if keep {
		fmt.Fprintf(w.log, "kept: %s\n", w.dir)
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}

func (w *world) ledgerDir() string { return filepath.Join(w.dir, "ledger") }

func (w *world) stateDir() string { return filepath.Join(w.dir, "state") }

func (w *world) configFile() string { return filepath.Join(w.dir, "prewarm.yaml") }

func (w *world) configure() (err error) {
	if w.address, err = prewarmtest.FreeAddress(); err != nil {
		return err
	}
	w.client = &api.Client{URL: "http://" + w.address}
	setup := prewarmtest.Setup{Address: w.address, State: w.stateDir(), Registries: []string{prewarmtest.Registry(w.fleet.Registry)}}
	for _, h := range w.fleet.Hosts {
		// Two hosts have room for all, so that one that fails delays nobody for long.
		setup.Hosts = append(setup.Hosts, prewarmtest.Host(h, fmt.Sprintf("limits: {runs: %d}", 1+w.atOnce/(hosts-1))))
	}
	setup.Images = []string{fmt.Sprintf("{name: %s, repository: %s/%s, watch: '@every 1s', keep: 2}", imageName, w.fleet.Registry.Addr, repository)}
	text := setup.String() + fmt.Sprintf("runner: {queue: 1000, policy: {bind_mounts: [%s]}}\n", w.ledgerDir())
	if err := os.WriteFile(w.configFile(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}

// push gives the tag a new image.
func (w *world) push(ctx context.Context) error {
	w.version++
	_, err := w.fleet.Registry.Push(ctx, repository+":latest", fleet.ProgramImage(fmt.Sprint("v", w.version)))
	return err
}

func (w *world) serve(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := prewarmtest.Serve(ctx, w.binary, w.configFile(), w.address, w.words)
	if err == nil {
		w.server = s
	}
	return err
}

// awaitWarm waits until the newest digest is current, and warm everywhere.
func (w *world) awaitWarm(ctx context.Context) error {
	return await(ctx, patience, "the image to be warm on all hosts", func() (bool, error) {
		image, err := w.client.Image(ctx, imageName)
		if err != nil || image.Tracks[0].Current == nil || len(image.Tracks[0].Coming) > 0 {
			return false, err
		}
		for _, h := range image.Tracks[0].Current.Hosts {
			if h.State != "warm" {
				return false, nil
			}
		}
		return true, nil
	})
}

// live does pieces of work while things fail, and waits until all are over, with
// everything mended. A piece of work that is not over in time is a broken promise.
func (w *world) live(ctx context.Context, b *book) error {
	ctx, cancel := context.WithTimeout(ctx, w.length+patience)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	failing, calm := context.WithTimeout(ctx, w.length)
	defer calm()
	g.Go(func() error { return w.fail(ctx, failing) })
	var number atomic.Int64
	for range w.atOnce {
		g.Go(func() error {
			for failing.Err() == nil {
				d := &driver{plan: draw(w.seed, int(number.Add(1))), client: w.client, ledger: w.ledgerDir(), book: b}
				if err := d.work(ctx); err != nil {
					b.breach(api.Run{ID: d.run}, "%s in epoch %d is not over: %v", d.key, d.epoch, err)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// size is what a server takes that has nothing to do.
type size struct {
	memory     int64 // bytes
	goroutines int
}

// size measures the server, for which it has to die: a dying one tells what all
// its goroutines do. The next one is ready when it returns.
func (w *world) size(ctx context.Context) (s size, err error) {
	const idle = 3 * time.Second
	if err := rest(ctx, idle); err != nil {
		return s, err
	}
	if s.memory, err = residentBytes(w.server.PID()); err != nil {
		return s, err
	}
	before, err := os.ReadFile(w.words.Name())
	if err != nil {
		return s, err
	}
	_ = w.server.Dump() // it ends with an error, as it was told
	now, err := os.ReadFile(w.words.Name())
	if err != nil {
		return s, err
	}
	s.goroutines = countGoroutines(string(now[len(before):]))
	return s, w.serve(ctx)
}

// countGoroutines counts those of a dump, but for two of each connection that is
// kept for later: how many of them there are is chance.
func countGoroutines(dump string) (n int) {
	for _, one := range strings.Split(dump, "\n\n") {
		if strings.HasPrefix(one, "goroutine ") && !strings.Contains(one, "net/http.(*persistConn)") {
			n++
		}
	}
	return n
}

// residentBytes is the memory that a process has now.
func residentBytes(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("ask for memory: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("ask for memory: the process has none")
}

// await asks again and again until it is done. What it is told by a server that
// does not answer yet is no failure.
func await(ctx context.Context, within time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		ok, err := done()
		if ok {
			return nil
		}
		if restErr := rest(ctx, 50*time.Millisecond); restErr != nil {
			return errors.Join(fmt.Errorf("wait for %s: %w", what, restErr), err)
		}
	}
}
