package warmer_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

const repository = "registry.test/etl/jobs"

var (
	amd64 = registry.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = registry.Platform{OS: "linux", Architecture: "arm64"}
)

// everywhere is the default policy.
var everywhere = warmer.Policy{Promote: warmer.Promotion{Percent: warmer.All, Straggler: 15 * time.Minute}}

// tags is a registry of one repository with one tag.
type tags struct {
	mu       sync.Mutex
	latest   registry.Pin
	err      error
	resolved int
	manifest error // what reading a manifest fails with
	read     int   // how many manifests were asked for
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

// failManifests lets every reading of a manifest fail; nil ends that.
func (r *tags) failManifests(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.manifest = err
}

func (r *tags) reads() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read
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
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read++
	if r.manifest != nil {
		return registry.Manifest{}, r.manifest
	}
	if r.children != nil {
		return registry.Manifest{Pin: pin, Children: r.children}, nil
	}
	return registry.Manifest{Pin: pin, Children: []registry.Child{{Platform: r.platform, Digest: pin.Digest(), Layers: []registry.Layer{{Bytes: 1000}}}}}, nil
}

// memory is a store. It watches over what is promoted, too.
type memory struct {
	mu       sync.Mutex
	rollouts map[string]warmer.Rollout
	images   map[string]warmer.ImageState
	pauses   []warmer.Pause
	engines  map[string]string
	acts     []warmer.Act
	told     []notice.Event
	troubles map[warmer.Trouble]time.Time
	saves    int
	err      error

	fleet     []*dockertest.Fake         // those that are configured
	warm      map[registry.Pin]time.Time // when a pin was last seen warm on one of them
	violation string                     // the first promise that was broken by a save
}

func newMemory() *memory {
	return &memory{
		rollouts: make(map[string]warmer.Rollout), images: make(map[string]warmer.ImageState),
		engines: make(map[string]string), warm: make(map[registry.Pin]time.Time), troubles: make(map[warmer.Trouble]time.Time),
	}
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
		Pauses: slices.Clone(m.pauses), Engines: maps.Clone(m.engines), Troubles: maps.Clone(m.troubles),
	}, err
}

func (m *memory) Save(_ context.Context, c warmer.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.saves++
	rollouts, err := m.with(c.Rollouts)
	if err != nil {
		m.broke(err.Error())
		return err
	}
	promoted := 0
	for _, r := range c.Rollouts {
		if r.Phase != warmer.Current || m.rollouts[r.ID].Phase == warmer.Current {
			continue
		}
		promoted++
		if !m.heldOf(r.Pin) {
			m.broke(fmt.Sprintf("%s became current and is warm nowhere", r.Pin.Digest().Short()))
		}
	}
	for _, e := range c.Notices {
		if e.Kind == notice.ImagePromoted {
			promoted--
		}
	}
	if promoted != 0 {
		m.broke(fmt.Sprintf("%d promotions more were written than told", promoted))
	}
	m.told = append(m.told, c.Notices...)
	if up := m.unasked(); up != "" {
		m.broke(up + " is told to be back, and was not told to be away")
	}
	m.rollouts = rollouts
	for _, s := range c.Images {
		m.images[s.Image] = s
	}
	for _, p := range slices.Concat(c.Paused, c.Resumed) {
		m.pauses = slices.DeleteFunc(m.pauses, func(o warmer.Pause) bool { return o.What == p.What && o.Host == p.Host })
	}
	m.pauses = append(m.pauses, c.Paused...)
	m.acts = append(m.acts, c.Acts...)
	maps.Copy(m.engines, c.Engines)
	for _, t := range c.Over {
		delete(m.troubles, t)
	}
	maps.Copy(m.troubles, c.Troubles)
	return nil
}

// unasked names a host that is told to be back and was never told to be away.
func (m *memory) unasked() string {
	down := make(map[string]bool)
	for _, e := range m.told {
		if e.Kind == notice.HostUp && !down[e.Host] {
			return e.Host
		}
		if e.Kind == notice.HostDown || e.Kind == notice.HostUp {
			down[e.Host] = e.Kind == notice.HostDown
		}
	}
	return ""
}

func (m *memory) tell(notices []notice.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, notices...)
}

// with gives the rollouts after a save. One at a time, as the database's index
// sees them: a second current one of a track is refused, and all with it.
func (m *memory) with(saved []warmer.Rollout) (map[string]warmer.Rollout, error) {
	all := maps.Clone(m.rollouts)
	for _, r := range saved {
		all[r.ID] = r
		for id, o := range all {
			if id != r.ID && o.Track == r.Track && o.Phase == warmer.Current && r.Phase == warmer.Current {
				return nil, fmt.Errorf("two current digests of %s", r.Track)
			}
		}
	}
	return all, nil
}

func (m *memory) broke(promise string) {
	if m.violation == "" {
		m.violation = promise
	}
}

// oneLook is how old what is known of a host may be while events get lost: each
// image that is wanted is looked at once a minute, at the next probe.
const oneLook = 76 * time.Second

// heldOf tells whether a host has a pin, as far as anybody can know.
func (m *memory) heldOf(pin registry.Pin) bool {
	m.sight(pin)
	at, ok := m.warm[pin]
	return ok && time.Since(at) <= oneLook
}

// sight notes that a pin is warm now, where it is.
func (m *memory) sight(pin registry.Pin) {
	for _, h := range m.fleet {
		if _, ok, err := h.Inspect(context.Background(), pin); err == nil && ok {
			m.warm[pin] = time.Now()
			return
		}
	}
}

// sightAll notes what is warm now, before somebody takes it away.
func (m *memory) sightAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rollouts {
		m.sight(r.Pin)
	}
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
	// quirks are what some of the hosts are reached through.
	quirks map[string]*quirk
	// present are the hosts that are configured, and on those that the entry is
	// for, where it is not for all.
	present    map[string]bool
	on         []string
	removed    bool // the entry is not configured
	repository string
	entry      warmer.Entry // what is configured; repository and hosts are filled in
	opts       warmer.Options
	limits     limits
	rules      warmer.PruneRules // of all hosts
	over       warmer.Ledger     // what is used instead of ledger, where set
	custom     map[string]warmer.Host
	ledger     *ledger
	needs      needs
	w          *warmer.Warmer
	stop       func()
}

func newScene(t testing.TB, names ...string) *scene {
	s := &scene{
		t:     t,
		tags:  &tags{platform: amd64},
		store: newMemory(),
		entry: warmer.Entry{Image: "jobs", Tag: "latest", Policy: everywhere},
		hosts: make(map[string]*dockertest.Fake),

		quirks:     make(map[string]*quirk),
		present:    make(map[string]bool),
		repository: repository,
	}
	s.ledger = newLedger(s.store)
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
	o.Registry = s.tags
	if o.Store == nil {
		o.Store = s.store
	}
	o.Ledger = s.ledger
	if s.over != nil {
		o.Ledger = s.over
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Setup = s.setup()
	o.Needs = s.needs.now
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

// needs are what runs and pin scopes need.
type needs struct {
	mu   sync.Mutex
	held map[warmer.HeldPin]bool
	pins map[registry.Pin]bool
}

func (n *needs) now() warmer.Needs {
	n.mu.Lock()
	defer n.mu.Unlock()
	return warmer.Needs{Held: maps.Clone(n.held), Pins: maps.Clone(n.pins)}
}

// hold lets a pin scope hold a digest; with no, it ends.
func (s *scene) hold(pin registry.Pin, yes bool) {
	s.needs.mu.Lock()
	defer s.needs.mu.Unlock()
	if s.needs.held == nil {
		s.needs.held = make(map[warmer.HeldPin]bool)
	}
	delete(s.needs.held, warmer.HeldPin{Image: "jobs", Pin: pin})
	if yes {
		s.needs.held[warmer.HeldPin{Image: "jobs", Pin: pin}] = true
	}
	s.w.Kick()
}

// setup is the configuration of the scene.
func (s *scene) setup() warmer.Setup {
	repo, err := registry.ParseRepository(s.repository)
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
	var fleet []*dockertest.Fake
	for _, name := range names {
		fleet = append(fleet, s.hosts[name])
		o := warmer.HostOptions{Name: name, Host: s.hosts[name], Labels: map[string]string{"name": name}, Pulls: 2, Prune: s.rules}
		if q := s.quirks[name]; q != nil {
			o.Host = q
		}
		if c := s.custom[name]; c != nil {
			o.Host = c
		}
		setup.Hosts = append(setup.Hosts, o)
	}
	s.entry.Repository, s.entry.Hosts = repo, names
	if s.on != nil {
		s.entry.Hosts = s.on
	}
	setup.Entries = nil
	if !s.removed {
		setup.Entries = []warmer.Entry{s.entry}
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.fleet = fleet
	return setup
}

// push makes digest n what the tag shows.
func (s *scene) push(n int) registry.Pin {
	pin := dockertest.Pin(s.repository, n)
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
	s.store.sightAll()
}

// reconfigure puts into force what the scene says now.
func (s *scene) reconfigure() { s.w.Reconfigure(s.setup()) }

// rollback goes back to a digest, or to the one before.
func (s *scene) rollback(digest string) warmer.Rollout {
	s.t.Helper()
	r, err := s.w.Rollback(context.Background(), "jobs", digest, "ana")
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// live pushes digest n and lets it go live.
func (s *scene) live(n int) registry.Pin {
	s.t.Helper()
	pin := s.push(n)
	s.check()
	s.settle(time.Minute)
	s.expectCurrent(pin)
	return pin
}

func (s *scene) current() registry.Pin {
	_, _, pin, err := s.w.Resolve("jobs")
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

// quirk is a fake host that answers in its own way.
type quirk struct {
	*dockertest.Fake
	publish error         // what publishing fails with
	slow    time.Duration // how long a look at an image takes
	clings  bool          // removals do nothing
	chatty  bool          // it tells of removals without end
	looks   atomic.Int64  // at images
	mu      sync.Mutex
	marker  string // whose engine it says it is
}

func (q *quirk) Publish(ctx context.Context, pin registry.Pin, tag string) error {
	if q.publish != nil {
		return q.publish
	}
	return q.Fake.Publish(ctx, pin, tag)
}

func (q *quirk) Probe(ctx context.Context) (warmer.Engine, error) {
	engine, err := q.Fake.Probe(ctx)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.marker != "" {
		engine.Marker = q.marker
	}
	return engine, err
}

func (q *quirk) mark(marker string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.marker = marker
}

func (q *quirk) Inspect(ctx context.Context, pin registry.Pin) (warmer.Copy, bool, error) {
	q.looks.Add(1)
	select {
	case <-time.After(q.slow):
	case <-ctx.Done():
		return warmer.Copy{}, false, problem.New(problem.HostUnreachable, "inspect: "+ctx.Err().Error(), "")
	}
	return q.Fake.Inspect(ctx, pin)
}

func (q *quirk) Watch(ctx context.Context, tell func(warmer.Happening)) error {
	for q.chatty && ctx.Err() == nil {
		tell(warmer.Happening{Removed: true, At: time.Now()})
		tell(warmer.Happening{Used: fmt.Sprint("registry.test/other/", time.Now().UnixNano(), ":1"), At: time.Now()})
		time.Sleep(time.Millisecond)
	}
	return q.Fake.Watch(ctx, tell)
}

// odd gives a host a quirk.
func (s *scene) odd(name string) *quirk {
	q := &quirk{Fake: s.hosts[name]}
	s.quirks[name] = q
	return q
}

func (q *quirk) List(ctx context.Context) ([]warmer.Listed, error) {
	q.pause(ctx)
	return q.Fake.List(ctx)
}

func (q *quirk) RemoveImage(ctx context.Context, r warmer.Removal) (warmer.Removed, error) {
	q.pause(ctx)
	defer q.pause(ctx) // its answer takes as long
	if q.clings {
		return warmer.Removed{}, nil
	}
	return q.Fake.RemoveImage(ctx, r)
}

func (q *quirk) pause(ctx context.Context) {
	select {
	case <-time.After(q.slow):
	case <-ctx.Done():
	}
}
