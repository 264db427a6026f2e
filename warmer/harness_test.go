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
	jobs  = warmer.TrackID{Image: "jobs", Tag: "latest"}
)

// tags is a registry of one repository with one tag.
type tags struct {
	mu       sync.Mutex
	latest   registry.Pin
	err      error
	resolved int
	platform registry.Platform
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

func (r *tags) Manifest(_ context.Context, pin registry.Pin, _ []registry.Platform) (registry.Manifest, error) {
	return registry.Manifest{Pin: pin, Children: []registry.Child{{Platform: r.platform, Digest: pin.Digest(), Layers: []registry.Layer{{Bytes: 1000}}}}}, nil
}

// memory is a store.
type memory struct {
	mu       sync.Mutex
	rollouts map[string]warmer.Rollout
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

func (m *memory) SaveRollouts(_ context.Context, rollouts ...warmer.Rollout) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	for _, r := range rollouts {
		m.rollouts[r.ID] = r
	}
	return nil
}

// scene is a warmer with fakes around it, in a bubble of controlled time.
type scene struct {
	t     testing.TB
	tags  *tags
	store *memory
	hosts map[string]*dockertest.Fake
	w     *warmer.Warmer
	stop  func()
}

func newScene(t testing.TB, names ...string) *scene {
	s := &scene{
		t:     t,
		tags:  &tags{platform: amd64},
		store: &memory{rollouts: make(map[string]warmer.Rollout)},
		hosts: make(map[string]*dockertest.Fake),
	}
	for _, name := range names {
		s.hosts[name] = dockertest.NewFake(dockertest.Options{Name: name})
	}
	return s
}

// start begins a life of the warmer; stop ends it.
func (s *scene) start() {
	o := warmer.Options{Registry: s.tags, Store: s.store, Logger: slog.New(slog.DiscardHandler)}
	repo, err := registry.ParseRepository(repository)
	if err != nil {
		s.t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(s.hosts))
	for _, name := range names {
		o.Hosts = append(o.Hosts, warmer.HostOptions{Name: name, Host: s.hosts[name], Pulls: 2})
	}
	o.Tracks = []warmer.Track{{ID: jobs, Repository: repo, Hosts: names}}
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

// push makes digest n what the tag shows.
func (s *scene) push(n int) registry.Pin {
	pin := dockertest.Pin(repository, n)
	for _, h := range s.hosts {
		h.Publish(pin, amd64, []int64{100, int64(1000 + n)})
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
	tracks, err := s.w.Image("jobs")
	if err != nil {
		s.t.Fatal(err)
	}
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
