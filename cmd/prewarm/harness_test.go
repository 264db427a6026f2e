package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/seal"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
	"github.com/prewarm/prewarm/warmer"
)

// fleet is a server over fake engines, in the test's process: the warmer, the
// runner, the store and the API are the real ones. It serves one image, jobs,
// of one tag, latest.
type fleet struct {
	url     string
	hosts   map[string]*dockertest.Fake
	approve bool // each digest needs an approval

	tags     *tags
	api      api.Client
	listener *cuttable
	end      context.CancelFunc
	again    func() error // stops the server and starts it anew, on its address and state
	ended    chan error
}

var platform = registry.Platform{OS: "linux", Architecture: "amd64"}

const repository = "registry.test/etl/jobs"

// layers are those of every image, in bytes.
var layers = []int64{30_000_000, 12_000_000}

// pinOf is digest n: its digit, 64 times.
func pinOf(n int) registry.Pin {
	return registry.NewPin(dockertest.Pin(repository, 0).Repository(), registry.Digest("sha256:"+strings.Repeat(strconv.Itoa(n), 64)))
}

// newFleet starts a server with these hosts; its state is kept in dir. A first
// host called approve is none: digests need an approval then.
func newFleet(ctx context.Context, dir string, hosts ...string) (*fleet, error) {
	f := &fleet{hosts: make(map[string]*dockertest.Fake), tags: &tags{}, ended: make(chan error, 1)}
	if len(hosts) > 0 && hosts[0] == "approve" {
		f.approve, hosts = true, hosts[1:]
	}
	for _, name := range hosts {
		f.hosts[name] = dockertest.NewFake(dockertest.Options{Name: name})
	}
	return f, f.begin(ctx, "127.0.0.1:0", dir, hosts)
}

// begin starts the server on an address.
func (f *fleet) begin(ctx context.Context, address, dir string, hosts []string) error {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	f.listener = &cuttable{Listener: l, closed: make(chan struct{})}
	f.url = "http://" + l.Addr().String()
	f.api.URL = f.url
	run, err := f.wire(ctx, dir, hosts)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	f.end = end
	go func() { f.ended <- run(life) }()
	f.again = func() error {
		f.end()
		if err := <-f.ended; err != nil {
			return err
		}
		return f.begin(ctx, l.Addr().String(), dir, hosts)
	}
	return nil
}

// wire puts the server together, as package app does with real engines.
func (f *fleet) wire(ctx context.Context, dir string, hosts []string) (run func(context.Context) error, err error) {
	state, err := store.Open(ctx, filepath.Join(dir, "state"))
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	repo, err := registry.ParseRepository(repository)
	if err != nil {
		return nil, err
	}
	warm := warmer.Options{
		Setup: warmer.Setup{Entries: []warmer.Entry{
			{Image: "jobs", Tag: "latest", Repository: repo, Hosts: hosts, Policy: warmer.Policy{
				Promote: warmer.Promotion{Percent: warmer.All}, Approve: f.approve, Keep: 2,
			}},
		}},
		Registry: f.tags, Store: state, Ledger: state, Logger: log, ProbeEvery: 50 * time.Millisecond,
	}
	for _, name := range hosts {
		warm.Hosts = append(warm.Hosts, warmer.HostOptions{Name: name, Host: f.hosts[name], Pulls: 2})
	}
	var r *runner.Runner
	warm.Needs = func() warmer.Needs {
		pins, images, _ := r.Waiting()
		return warmer.Needs{Pins: pins, Images: images}
	}
	w := warmer.New(warm)
	if r, err = f.runner(dir, hosts, warmth{w}, state); err != nil {
		return nil, err
	}
	keys, err := access.NewKeyring(ctx, state, access.Setup{})
	if err != nil {
		return nil, err
	}
	s := server.New(server.Options{Images: w, Runs: r, Registry: f.tags, Access: keys, Audit: state, Version: "test", Logger: log})
	return func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return w.Run(ctx) })
		group.Go(func() error { return r.Run(ctx) })
		group.Go(func() error { return s.Serve(ctx, f.listener) })
		return errors.Join(group.Wait(), state.Close())
	}, errors.Join(w.Load(ctx), r.Recover(ctx))
}

// runner makes the one of the server, which allows what the scripts ask for.
func (f *fleet) runner(dir string, hosts []string, images runner.Images, state runner.Store) (*runner.Runner, error) {
	logs, err := spool.New(spool.Options{Dir: filepath.Join(dir, "logs")})
	if err != nil {
		return nil, err
	}
	secrets, err := seal.New([]byte(strings.Repeat("k", 32)))
	if err != nil {
		return nil, err
	}
	setup := runner.Setup{Policy: runner.Policy{BindMounts: []string{"/srv"}}, Images: map[string]runner.ImageOptions{"jobs": {}}}
	for _, name := range hosts {
		setup.Hosts = append(setup.Hosts, runner.HostOptions{Name: name, Engine: f.hosts[name], Slots: 4})
	}
	return runner.New(runner.Options{
		Setup: setup, Images: images, Store: state, Spool: logs, Sealer: secrets, ReadFile: os.ReadFile, Logger: slog.New(slog.DiscardHandler),
	}), nil
}

// warmth is what the runner sees of the warmer, as package app has it.
type warmth struct{ *warmer.Warmer }

func (w warmth) Resolve(name string) (runner.Target, error) {
	image, track, pin, err := w.Warmer.Resolve(name)
	return runner.Target{Image: image, Track: track, Pin: pin}, err
}

func (w warmth) Fresh(ctx context.Context, name string) (runner.Target, error) {
	image, track, pin, err := w.Warmer.Fresh(ctx, name)
	return runner.Target{Image: image, Track: track, Pin: pin}, err
}

func (w warmth) Facts(host string) runner.Facts {
	f, _ := w.Warmer.Facts(host)
	return runner.Facts(f)
}

// stop ends the server in order, and then the containers that go on.
func (f *fleet) stop() error {
	f.end()
	err := <-f.ended
	for _, h := range f.hosts {
		h.Wipe()
	}
	return err
}

// push makes digest n what the tag shows.
func (f *fleet) push(n int) registry.Pin {
	pin := pinOf(n)
	for _, h := range f.hosts {
		h.Push(pin, platform, layers)
	}
	f.tags.set(pin, nil)
	return pin
}

// warm makes digest n current: the server has seen it, and every host has it.
func (f *fleet) warm(ctx context.Context, n int) error {
	pin := f.push(n)
	if _, err := f.api.Check(ctx, "jobs"); err != nil {
		return err
	}
	return f.await(ctx, func(image api.Image) bool {
		current := image.Tracks[0].Current
		return current != nil && current.Digest == string(pin.Digest())
	})
}

// await waits until jobs is as it is wanted.
func (f *fleet) await(ctx context.Context, wanted func(api.Image) bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		image, err := f.api.Image(ctx, "jobs")
		switch {
		case err != nil:
			return err
		case wanted(image):
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// tags is a registry of one repository with one tag.
type tags struct {
	mu     sync.Mutex
	latest registry.Pin
	err    error
}

func (r *tags) set(pin registry.Pin, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest, r.err = pin, err
}

func (r *tags) Resolve(_ context.Context, ref registry.Ref) (registry.Pin, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil && r.latest.IsZero() {
		return r.latest, problem.New(problem.TagNotFound, fmt.Sprintf("resolve %s: the registry knows no such tag", ref), "push it")
	}
	return r.latest, r.err
}

func (r *tags) Manifest(_ context.Context, pin registry.Pin, _ []registry.Platform) (registry.Manifest, error) {
	child := registry.Child{Platform: platform, Digest: pin.Digest()}
	for _, bytes := range layers {
		child.Layers = append(child.Layers, registry.Layer{Bytes: bytes})
	}
	origin := registry.Origin{Version: "1." + pin.Digest().Hex()[:1], Source: "https://git.test/jobs", Revision: strings.Repeat("c0ffee00", 5)}
	return registry.Manifest{Pin: pin, Children: []registry.Child{child}, Origin: origin}, nil
}

func (r *tags) Tags(context.Context, registry.Repository) ([]string, error) {
	return []string{"latest"}, nil
}

// Describe gives each digest a layer of its own above a common one.
func (r *tags) Describe(_ context.Context, pin registry.Pin, platform registry.Platform) (registry.Image, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	image := registry.Image{Pin: pin, Platform: platform, Digest: pin.Digest(), Env: []string{"BUILD=" + pin.Digest().Short()}}
	for i, digest := range []registry.Digest{pinOf(0).Digest(), pin.Digest()} {
		image.Layers = append(image.Layers, registry.ImageLayer{Layer: registry.Layer{Digest: digest, Bytes: layers[i]}, CreatedBy: "COPY\x1b[2J dist"})
	}
	return image, r.err
}

// cuttable is a listener that can fail under a server that goes on.
type cuttable struct {
	net.Listener
	closed chan struct{} // by the server

	mu    sync.Mutex
	conns []net.Conn
}

func (c *cuttable) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		<-c.closed // the server is not to notice before
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conn)
	return conn, nil
}

func (c *cuttable) Close() error {
	close(c.closed)
	_ = c.Listener.Close() // it may be frozen
	return nil
}

// freeze refuses new connections and keeps those there are.
func (c *cuttable) freeze() { _ = c.Listener.Close() }

// cut refuses new connections and ends those there are.
func (c *cuttable) cut() {
	c.freeze()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
}
