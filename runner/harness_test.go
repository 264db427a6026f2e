package runner_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// images says what is warm: one image, jobs.
type images struct {
	mu        sync.Mutex
	pin       registry.Pin
	warm      []string
	rechecked []string
	changed   chan struct{}
}

func (i *images) set(pin registry.Pin, warm ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.pin, i.warm = pin, warm
	close(i.changed)
	i.changed = make(chan struct{})
}

func (i *images) Pin(name string) (string, registry.Pin, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case name != "jobs":
		return "", registry.Pin{}, problem.New(problem.ImageNotManaged, "no image "+name, "")
	case i.pin.IsZero():
		return "jobs", i.pin, problem.New(problem.NoCurrent, "jobs has no current digest", "")
	default:
		return "jobs", i.pin, nil
	}
}

func (i *images) WarmHosts(string, registry.Pin) ([]string, map[string]string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	cold := make(map[string]string)
	for _, name := range []string{"a", "b"} {
		if !slices.Contains(i.warm, name) {
			cold[name] = "pulling"
		}
	}
	return slices.Clone(i.warm), cold
}

func (i *images) Marker(host string) string { return "marker-" + host }

func (i *images) Changed() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.changed
}

func (i *images) Kick() {}

func (i *images) Recheck(host string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.rechecked = append(i.rechecked, host)
}

// memory is a store.
type memory struct {
	mu   sync.Mutex
	runs map[string]runner.Run
	err  error
}

func (m *memory) put(r runner.Run) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.runs[r.ID] = r
	}
	return m.err
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memory) InsertRun(_ context.Context, r runner.Run) error { return m.put(r) }
func (m *memory) UpdateRun(_ context.Context, r runner.Run) error { return m.put(r) }

func (m *memory) Run(_ context.Context, id string) (runner.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.runs[id]
	if !ok {
		return r, problem.New(problem.RunNotFound, "no run "+id, "")
	}
	return r, nil
}

func (m *memory) Runs(context.Context, int) ([]runner.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.runs)), nil
}

func (m *memory) UnfinishedRuns(context.Context) ([]runner.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []runner.Run
	for _, r := range m.runs {
		if !r.State.Ended() {
			all = append(all, r)
		}
	}
	return all, nil
}

// scene is a runner with two fake hosts, in a bubble of controlled time.
type scene struct {
	t      *testing.T
	images *images
	store  *memory
	hosts  map[string]*dockertest.Fake
	r      *runner.Runner
	dir    string
	stop   func()
}

// one is the digest that jobs has in every scene.
var one = dockertest.Pin("registry.test/etl/jobs", 1)

// inTime runs a test with a running runner in controlled time: two hosts with
// two slots each, jobs warm on both.
func inTime(t *testing.T, test func(s *scene)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{
			t: t, dir: dir, images: &images{changed: make(chan struct{})}, store: &memory{runs: make(map[string]runner.Run)},
			hosts: map[string]*dockertest.Fake{},
		}
		for _, name := range []string{"a", "b"} {
			h := dockertest.NewFake(dockertest.Options{Name: name})
			h.Push(one, registry.Platform{OS: "linux", Architecture: "amd64"}, []int64{1})
			h.Load(one)
			s.hosts[name] = h
		}
		s.images.set(one, "a", "b")
		s.start()
		defer func() { s.stop() }()
		test(s)
	})
}

// start begins a life of the runner; stop ends it.
func (s *scene) start() {
	o := runner.Options{Images: s.images, Store: s.store, LogDir: s.dir, Logger: slog.New(slog.DiscardHandler), MaxQueued: 5}
	for _, name := range slices.Sorted(maps.Keys(s.hosts)) {
		o.Hosts = append(o.Hosts, runner.HostOptions{Name: name, Engine: s.hosts[name], Slots: 2})
	}
	s.r = runner.New(o)
	if err := s.r.Recover(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.r.Run(ctx) }()
	s.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	}
}

func (s *scene) submit(wait time.Duration, command ...string) runner.Run {
	s.t.Helper()
	run, err := s.r.Submit(context.Background(), runner.Spec{Image: "jobs", Command: command}, wait)
	if err != nil {
		s.t.Fatal(err)
	}
	return run
}

// end waits for a run's outcome.
func (s *scene) end(id string) runner.Run {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	run, err := s.r.Wait(ctx, id)
	if err != nil {
		s.t.Fatal(err)
	}
	if !run.State.Ended() {
		s.t.Fatalf("run is %s after an hour", run.State)
	}
	return run
}

func (s *scene) expectEnd(id string, want runner.State, reason problem.Code) runner.Run {
	s.t.Helper()
	run := s.end(id)
	if run.State != want || run.Reason != reason {
		s.t.Fatalf("run is %s (%s: %s), want %s (%s)", run.State, run.Reason, run.Detail, want, reason)
	}
	return run
}

func (s *scene) get(id string) runner.Run {
	s.t.Helper()
	run, err := s.r.Get(context.Background(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return run
}

// log is what a run printed so far.
func (s *scene) log(id string) string {
	s.t.Helper()
	var lines []string
	err := s.r.Logs(context.Background(), id, 0, false, func(e runner.Entry) error {
		lines = append(lines, e.Text)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// left counts the containers on both hosts.
func (s *scene) left() int {
	n := 0
	for _, h := range s.hosts {
		owned, err := h.Owned(context.Background())
		if err != nil {
			s.t.Fatal(err)
		}
		n += len(owned)
	}
	return n
}

func (s *scene) settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
