package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// images says what is warm: one image, jobs.
type images struct {
	mu        sync.Mutex
	pin       registry.Pin
	fresh     registry.Pin
	warm      []string
	why       string // a host is not warm; "pulling" when empty
	markers   map[string]string
	down      map[string]bool
	rechecked []string
	asked     atomic.Int32 // how often the registry was asked
	changed   chan struct{}
}

func (i *images) set(pin registry.Pin, warm ...string) {
	i.change(func() { i.pin, i.warm = pin, warm })
}

func (i *images) change(do func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	do()
	close(i.changed)
	i.changed = make(chan struct{})
}

func (i *images) Resolve(name string) (runner.Target, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	target := runner.Target{Image: "jobs", Track: "jobs", Pin: i.pin}
	switch {
	case name != "jobs" && name != "etl-mirror:5000/jobs":
		return runner.Target{}, problem.New(problem.ImageNotManaged, "no image "+name, "")
	case i.pin.IsZero():
		return target, problem.New(problem.NoCurrent, "jobs has no current digest", "")
	}
	return target, nil
}

func (i *images) Fresh(_ context.Context, name string) (runner.Target, error) {
	i.asked.Add(1)
	target, err := i.Resolve(name)
	if err != nil && problem.CodeOf(err) != problem.NoCurrent {
		return target, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	target.Pin = i.fresh
	return target, nil
}

func (i *images) WarmHosts(_ string, pin registry.Pin) ([]string, map[string]string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	why := i.why
	if why == "" {
		why = "pulling"
	}
	var warm []string
	cold := make(map[string]string)
	for _, name := range []string{"a", "b"} {
		if pin == i.pin && slices.Contains(i.warm, name) {
			warm = append(warm, name)
		} else {
			cold[name] = why
		}
	}
	return warm, cold
}

func (i *images) Facts(host string) runner.Facts {
	i.mu.Lock()
	defer i.mu.Unlock()
	marker := i.markers[host]
	if marker == "" {
		marker = "marker-" + host
	}
	return runner.Facts{Marker: marker, Known: true, Reachable: !i.down[host], Platform: registry.Platform{OS: "linux", Architecture: "amd64"}, CPUs: 4, Memory: 4 << 30}
}

func (i *images) Changed() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.changed
}

func (i *images) Kick() {}

func (i *images) Seek(context.Context, string, registry.Pin) {}

func (i *images) Recheck(host string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.rechecked = append(i.rechecked, host)
}

// scene is a runner with two fake hosts, in a bubble of controlled time.
type scene struct {
	t       *testing.T
	images  *images
	store   *memory
	hosts   map[string]*dockertest.Fake
	setup   runner.Setup
	instead runner.Store // what is used instead of store, where set
	counts  runner.Measures
	r       *runner.Runner
	dir     string
	words   bytes.Buffer // what the runner logs
	stop    func()
}

// one and two are digests of jobs; one is current in every scene.
var (
	one = dockertest.Pin("registry.test/etl/jobs", 1)
	two = dockertest.Pin("registry.test/etl/jobs", 2)
)

// inTime runs a test with a running runner in controlled time: two hosts with
// two slots each, jobs warm on both.
func inTime(t *testing.T, test func(s *scene)) {
	t.Helper()
	inTimeWith(t, runner.Setup{MaxQueued: 5}, test)
}

func inTimeWith(t *testing.T, setup runner.Setup, test func(s *scene)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, dir, setup)
		s.start()
		defer s.over()
		test(s)
	})
}

// over ends the scene: the runner's life, and what runs in containers.
func (s *scene) over() {
	s.stop()
	for _, h := range s.hosts {
		h.Wipe()
	}
	synctest.Wait()
}

func newScene(t *testing.T, dir string, setup runner.Setup) *scene {
	s := &scene{
		t: t, dir: dir, setup: setup, store: newMemory(), hosts: map[string]*dockertest.Fake{},
		images: &images{changed: make(chan struct{}), markers: map[string]string{}, down: map[string]bool{}},
	}
	for _, name := range []string{"a", "b"} {
		h := dockertest.NewFake(dockertest.Options{Name: name})
		for _, pin := range []registry.Pin{one, two} {
			h.Push(pin, registry.Platform{OS: "linux", Architecture: "amd64"}, []int64{1})
			h.Load(pin)
		}
		s.hosts[name] = h
	}
	s.images.set(one, "a", "b")
	return s
}

// start begins a life of the runner; stop ends it.
func (s *scene) start() {
	s.t.Helper()
	logs, err := spool.New(spool.Options{Dir: s.dir})
	if err != nil {
		s.t.Fatal(err)
	}
	setup := s.setup
	if len(setup.Hosts) == 0 {
		for _, name := range slices.Sorted(maps.Keys(s.hosts)) {
			setup.Hosts = append(setup.Hosts, runner.HostOptions{Name: name, Engine: s.hosts[name], Slots: 2, Labels: map[string]string{"name": name}})
		}
	}
	store := s.instead
	if store == nil {
		store = s.store
	}
	s.r = runner.New(runner.Options{
		Setup: setup, Images: s.images, Store: store, Spool: logs, Sealer: plain{}, ReadFile: os.ReadFile, Measures: s.counts,
		Logger: slog.New(slog.NewTextHandler(&s.words, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
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

// restart ends a life and begins the next.
func (s *scene) restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

func command(words ...string) runner.Ask {
	return runner.Ask{Spec: runner.Spec{Image: "jobs", Command: words}}
}

// with changes the terms of a submit.
func with(ask runner.Ask, change func(*runner.Terms)) runner.Ask {
	change(&ask.Terms)
	return ask
}

func keyed(key string, words ...string) runner.Ask {
	return with(command(words...), func(t *runner.Terms) { t.Key = key })
}

func (s *scene) ask(ask runner.Ask) runner.Answer {
	s.t.Helper()
	answer, err := s.r.Submit(context.Background(), ask)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

func (s *scene) submit(words ...string) runner.Run {
	s.t.Helper()
	return s.ask(command(words...)).Run
}

func (s *scene) refused(ask runner.Ask, want problem.Code) {
	s.t.Helper()
	answer, err := s.r.Submit(context.Background(), ask)
	if problem.CodeOf(err) != want {
		s.t.Errorf("submit: %v (%v), want %s", err, answer.Run.ID, want)
	}
}

// end waits for a run's outcome.
func (s *scene) end(id string) runner.Run {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Hour)
	defer cancel()
	run, err := s.r.Wait(ctx, id)
	if err != nil {
		s.t.Fatal(err)
	}
	if !run.State.Ended() {
		s.t.Fatalf("run is %s after three hours (%s)", run.State, run.Waiting)
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

func (s *scene) expectState(id string, want runner.State) runner.Run {
	s.t.Helper()
	run := s.get(id)
	if run.State != want {
		s.t.Fatalf("run is %s (%s, %s), want %s", run.State, run.Waiting, run.Detail, want)
	}
	return run
}

// entries are the lines of a run's log so far.
func (s *scene) entries(id string) []spool.Entry {
	s.t.Helper()
	var all []spool.Entry
	err := s.r.CopyLog(context.Background(), id, 0, false, func(chunk []byte) error {
		for line := range bytes.Lines(chunk) {
			var e spool.Entry
			if err := json.Unmarshal(line, &e); err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
			all = append(all, e)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// log is what a run printed so far.
func (s *scene) log(id string) string {
	s.t.Helper()
	var lines []string
	for _, e := range s.entries(id) {
		lines = append(lines, e.Text)
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

// host gives the fake that a run is on.
func (s *scene) host(id string) *dockertest.Fake {
	s.t.Helper()
	h := s.hosts[s.get(id).Host]
	if h == nil {
		s.t.Fatalf("run %s is on no host", id)
	}
	return h
}

// started counts the starts of a run on all hosts.
func (s *scene) started(id string) int {
	n := 0
	for _, h := range s.hosts {
		n += h.Started(id)
	}
	return n
}

// down cuts a host off, or brings it back.
func (s *scene) down(name string, down bool) {
	s.images.change(func() { s.images.down[name] = down })
	s.hosts[name].SetDown(down)
}

func (s *scene) settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
