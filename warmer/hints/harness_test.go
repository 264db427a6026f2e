package hints_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/registry/webhook"
	"github.com/prewarm/prewarm/warmer/hints"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	host   = "registry.test"
	secret = "s3cret"
)

// lookedAt is a look that somebody asked for.
type lookedAt struct {
	at    time.Time
	image string
	tags  string // joined by commas; empty: all
	saw   string // the digests, likewise
}

// images are a warmer that only looks.
type images struct {
	mu      sync.Mutex
	shows   map[string]map[string]registry.Digest // by image and tag
	before  map[string]registry.Digest            // by image:tag
	err     error
	takes   time.Duration // a look
	paused  bool
	changed chan struct{}
	looks   []lookedAt
	now     int // looks under way
	most    int
}

func (i *images) LookAt(ctx context.Context, image string, tags []string) ([]hints.Look, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.now++
	i.most = max(i.most, i.now)
	defer func() { i.now-- }()
	begun := lookedAt{at: time.Now(), image: image, tags: strings.Join(tags, ",")}
	all := tags
	if len(all) == 0 {
		all = slices.Sorted(maps.Keys(i.shows[image]))
	}
	var found []hints.Look
	var saw []string
	err := i.err
	for _, tag := range all {
		digest, ok := i.shows[image][tag]
		switch {
		case i.err != nil:
		case !ok:
			err = errors.Join(problem.New(problem.TagNotFound, "no "+tag, ""))
		default:
			found = append(found, hints.Look{Tag: tag, Digest: digest, New: i.before[image+":"+tag] != digest})
			i.before[image+":"+tag] = digest
			saw = append(saw, string(digest))
		}
	}
	begun.saw = strings.Join(saw, ",")
	i.looks = append(i.looks, begun)
	if i.takes > 0 {
		i.mu.Unlock()
		select {
		case <-time.After(i.takes):
		case <-ctx.Done():
		}
		i.mu.Lock()
	}
	return found, err
}

func (i *images) AwaitResume(ctx context.Context) bool {
	for {
		i.mu.Lock()
		paused, changed := i.paused, i.changed
		i.mu.Unlock()
		if !paused {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

func (i *images) pause(paused bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.paused = paused
	close(i.changed)
	i.changed = make(chan struct{})
}

func (i *images) fail(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.err = err
}

func (i *images) show(image, tag string, digest registry.Digest) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.shows[image] == nil {
		i.shows[image] = make(map[string]registry.Digest)
	}
	i.shows[image][tag] = digest
}

// seen gives the looks of an image and forgets them.
func (i *images) seen() []lookedAt {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := i.looks
	i.looks = nil
	return all
}

// together is how many looks there were at the same time at most.
func (i *images) together() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.most
}

// disk is a store in memory.
type disk struct {
	mu      sync.Mutex
	rows    []hints.Delivery
	records int
	err     error
	takes   time.Duration
}

func (d *disk) Record(_ context.Context, all []hints.Delivery) error {
	time.Sleep(d.takes)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	d.records++
	d.rows = append(d.rows, all...)
	return nil
}

func (d *disk) Led(_ context.Context, all map[string]string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.rows {
		if text, ok := all[d.rows[i].ID]; ok {
			d.rows[i].Led = text
		}
	}
	return nil
}

func (d *disk) Deliveries(_ context.Context, hook string, _ int) ([]hints.Delivery, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []hints.Delivery
	for _, row := range slices.Backward(d.rows) {
		if row.Hook == hook {
			all = append(all, row)
		}
	}
	return all, nil
}

func (d *disk) all() []hints.Delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.rows)
}

func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// scene is a Receiver with a hook ci of kind distribution and one hub of kind
// dockerhub, for the images image-0 … image-9 of etl/image-N, which follow the
// tag latest; image-0 selects tags that begin with v, too.
type scene struct {
	t      *testing.T
	images *images
	disk   *disk
	r      *hints.Receiver
	ctx    context.Context
	stop   func()
}

func setup(n int) hints.Setup {
	var s hints.Setup
	for i := range n {
		s.Images = append(s.Images, hints.Image{
			Name: fmt.Sprintf("image-%d", i), Repository: repo(fmt.Sprintf("%s/etl/image-%d", host, i)),
			Takes: func(tag string) bool { return tag == "latest" || i == 0 && strings.HasPrefix(tag, "v") },
		})
	}
	s.Images = append(s.Images, hints.Image{Name: "node", Repository: repo("docker.io/library/node"), Takes: func(tag string) bool { return tag == "22" }})
	s.Hooks = []hints.Hook{
		{Name: "ci", Kind: webhook.Distribution, Secrets: []string{secret}, Repositories: patterns(host + "/etl/*")},
		{Name: "hub", Kind: webhook.DockerHub, Path: []string{"a-secret-path", "the-one-before"}, Repositories: patterns("docker.io/**")},
	}
	return s
}

func repo(name string) registry.Repository {
	r, err := registry.ParseRepository(name)
	if err != nil {
		panic(err)
	}
	return r
}

func patterns(all ...string) (list []registry.Pattern) {
	for _, text := range all {
		p, err := registry.ParsePattern(text)
		if err != nil {
			panic(err)
		}
		list = append(list, p)
	}
	return list
}

func newScene(t *testing.T, o hints.Setup) *scene {
	s := &scene{
		t:      t,
		images: &images{shows: make(map[string]map[string]registry.Digest), before: make(map[string]registry.Digest), changed: make(chan struct{})},
		disk:   &disk{},
	}
	s.start(o)
	return s
}

func (s *scene) start(o hints.Setup) {
	s.r = hints.New(hints.Options{Setup: o, Images: s.images, Store: s.disk, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	s.ctx = ctx
	ended := make(chan error, 1)
	go func() { ended <- s.r.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(s.stop)
}

// digest is the nth.
func digest(n int) registry.Digest { return registry.Digest(fmt.Sprintf("sha256:%064x", n)) }

// event is one push, as Distribution tells it.
type event struct {
	id, repository, tag string
	digest              registry.Digest
}

func body(events ...event) []byte {
	var all []string
	for _, e := range events {
		all = append(all, fmt.Sprintf(`{"id":%q,"action":"push","target":{"mediaType":"application/vnd.oci.image.index.v1+json","repository":%q,"tag":%q,"digest":%q},"request":{"host":%q}}`,
			e.id, e.repository, e.tag, e.digest, host))
	}
	return []byte(`{"events":[` + strings.Join(all, ",") + `]}`)
}

func signed(b []byte) webhook.Delivery {
	return webhook.Delivery{
		Header: http.Header{"Authorization": {"Bearer " + secret}, "Content-Type": {"application/vnd.docker.distribution.events.v2+json"}}, Body: b, At: time.Now(),
	}
}

// push changes what a tag of an image shows and tells of it.
func (s *scene) push(image, tag string, n int) hints.Answer {
	s.t.Helper()
	s.images.show(image, tag, digest(n))
	return s.tell(event{repository: "etl/" + image, tag: tag, digest: digest(n)})
}

func (s *scene) tell(events ...event) hints.Answer {
	s.t.Helper()
	a, err := s.r.Receive(s.ctx, "ci", "", signed(body(events...)), "10.0.0.1")
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// last is the newest delivery, with what it led to.
func (s *scene) last() hints.Delivery {
	synctest.Wait()
	all := s.disk.all()
	return all[len(all)-1]
}
