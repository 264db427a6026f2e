package warmer_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

const repository = "registry.test/etl/jobs"

var (
	amd64 = registry.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = registry.Platform{OS: "linux", Architecture: "arm64"}
)

// tags is a registry of one repository with one tag.
type tags struct {
	mu       sync.Mutex
	latest   registry.Pin
	err      error
	resolved int
	platform registry.Platform
	children []registry.Child // of every digest, where set
	listed   []string
	listings int
}

func (r *tags) set(pin registry.Pin, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest, r.err = pin, err
}

func (r *tags) Resolve(context.Context, registry.Ref) (registry.Pin, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resolved++
	return r.latest, r.err
}

func (r *tags) Tags(context.Context, registry.Repository) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listings++
	return r.listed, r.err
}

func (r *tags) list(tags ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listed = tags
}

func (r *tags) Manifest(_ context.Context, pin registry.Pin, _ []registry.Platform) (registry.Manifest, error) {
	if r.children != nil {
		return registry.Manifest{Pin: pin, Children: r.children}, nil
	}
	return registry.Manifest{Pin: pin, Children: []registry.Child{{Platform: r.platform, Digest: pin.Digest(), Layers: []registry.Layer{{Bytes: 1000}}}}}, nil
}

// memory is a store.
type memory struct {
	mu       sync.Mutex
	rollouts map[string]warmer.Rollout
	images   map[string]warmer.ImageState
	pauses   []warmer.Pause
	engines  map[string]string
	acts     []warmer.Act
	err      error
}

func (m *memory) Rollouts(context.Context) ([]warmer.Rollout, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []warmer.Rollout
	for _, id := range slices.Sorted(maps.Keys(m.rollouts)) {
		all = append(all, m.rollouts[id])
	}
	return all, nil
}

func (m *memory) Load(ctx context.Context) (warmer.Saved, error) {
	rollouts, err := m.Rollouts(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	return warmer.Saved{
		Rollouts: rollouts, Images: slices.Collect(maps.Values(m.images)),
		Pauses: slices.Clone(m.pauses), Engines: maps.Clone(m.engines),
	}, err
}

func (m *memory) Save(_ context.Context, c warmer.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	for _, r := range c.Rollouts {
		m.rollouts[r.ID] = r
	}
	for _, s := range c.Images {
		m.images[s.Image] = s
	}
	for _, p := range slices.Concat(c.Paused, c.Resumed) {
		m.pauses = slices.DeleteFunc(m.pauses, func(o warmer.Pause) bool { return o.What == p.What && o.Host == p.Host })
	}
	m.pauses = append(m.pauses, c.Paused...)
	m.acts = append(m.acts, c.Acts...)
	maps.Copy(m.engines, c.Engines)
	return nil
}

func (m *memory) History(ctx context.Context, image string, limit int) ([]warmer.Rollout, []warmer.Act, error) {
	rollouts, err := m.Rollouts(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	rollouts = slices.DeleteFunc(rollouts, func(r warmer.Rollout) bool { return r.Track.Image != image })
	slices.Reverse(rollouts)
	return rollouts[:min(len(rollouts), limit)], m.acts, err
}

// scene is a warmer with fakes around it, in a bubble of controlled time.
type scene struct {
	t     testing.TB
	tags  *tags
	store *memory
	hosts map[string]*dockertest.Fake
	// present are the hosts that are configured.
	present map[string]bool
	before  registry.Pin // what was current at the last look
	entry   warmer.Entry // what is configured; repository and hosts are filled in
	opts    warmer.Options
	w       *warmer.Warmer
	stop    func()
}

func newScene(t testing.TB, names ...string) *scene {
	s := &scene{
		t:     t,
		tags:  &tags{platform: amd64},
		store: &memory{rollouts: make(map[string]warmer.Rollout), images: make(map[string]warmer.ImageState), engines: make(map[string]string)},
		entry: warmer.Entry{Image: "jobs", Tag: "latest", Policy: warmer.Policy{Promote: warmer.Promotion{Percent: warmer.All, Straggler: 15 * time.Minute}}},
		hosts: make(map[string]*dockertest.Fake),

		present: make(map[string]bool),
	}
	for _, name := range names {
		s.join(name)
	}
	return s
}

// join adds an empty host.
func (s *scene) join(name string) {
	s.hosts[name], s.present[name] = dockertest.NewFake(dockertest.Options{Name: name}), true
}

// start begins a life of the warmer; stop ends it.
func (s *scene) start() {
	o := s.opts
	o.Registry, o.Store = s.tags, s.store
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Setup = s.setup()
	s.w = warmer.New(o)
	if err := s.w.Load(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.w.Run(ctx) }()
	s.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	}
}

// setup is the configuration of the scene.
func (s *scene) setup() warmer.Setup {
	repo, err := registry.ParseRepository(repository)
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.hosts)) {
		if s.present[name] {
			names = append(names, name)
		}
	}
	setup := s.opts.Setup
	setup.Hosts = nil
	for _, name := range names {
		setup.Hosts = append(setup.Hosts, warmer.HostOptions{Name: name, Host: s.hosts[name], Pulls: 2})
	}
	s.entry.Repository, s.entry.Hosts = repo, names
	setup.Entries = []warmer.Entry{s.entry}
	return setup
}

// push makes digest n what the tag shows.
func (s *scene) push(n int) registry.Pin {
	pin := dockertest.Pin(repository, n)
	for _, h := range s.hosts {
		h.Push(pin, amd64, []int64{100, int64(1000 + n)})
	}
	s.tags.set(pin, nil)
	return pin
}

func (s *scene) check() {
	s.t.Helper()
	if _, err := s.w.Check(context.Background(), "jobs"); err != nil {
		s.t.Fatal(err)
	}
}

// settle lets everything happen that happens within d.
func (s *scene) settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *scene) current() registry.Pin {
	_, pin, err := s.w.Pin("jobs")
	if err != nil && problem.CodeOf(err) != problem.NoCurrent {
		s.t.Fatal(err)
	}
	return pin
}

func (s *scene) expectCurrent(want registry.Pin) {
	s.t.Helper()
	if got := s.current(); got != want {
		s.t.Fatalf("current is %v, want %v", got, want)
	}
}

// copyOn is where the newest digest stands on a host.
func (s *scene) copyOn(name string) warmer.HostCopy {
	s.t.Helper()
	image, err := s.w.Image("jobs")
	if err != nil {
		s.t.Fatal(err)
	}
	tracks := image.Tracks
	rollout := tracks[0].Current
	if n := len(tracks[0].Coming); n > 0 {
		rollout = &tracks[0].Coming[n-1]
	}
	if rollout == nil {
		s.t.Fatal("no rollout")
	}
	for _, c := range rollout.Hosts {
		if c.Host == name {
			return c
		}
	}
	s.t.Fatalf("no host %s", name)
	return warmer.HostCopy{}
}

func (s *scene) expectState(name string, want warmer.HostState) warmer.HostCopy {
	s.t.Helper()
	c := s.copyOn(name)
	if c.State != want {
		s.t.Fatalf("%s is %s (%s), want %s", name, c.State, c.Reason, want)
	}
	return c
}
