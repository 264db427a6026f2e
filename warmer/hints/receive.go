package hints

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/registry/webhook"
)

// Receiver takes deliveries and looks at what they are about. Make it with New,
// then Run it; its other methods may be called from any goroutine.
type Receiver struct {
	opts  Options
	log   *slog.Logger
	setup atomic.Pointer[Setup]

	queue   chan entry
	refused chan struct{} // holds one token: "there are refusals to write down"
	told    chan struct{} // holds one token: "there are outcomes to write down"
	stopped chan struct{} // closed when Run takes no more deliveries
	slots   chan struct{} // as many as looks may be under way
	looking sync.WaitGroup

	mu       sync.Mutex
	lookers  map[string]*looker // by image
	memory   *memory
	refusals map[string]*refusal // not written down yet, by hook
	outcomes map[string]string   // not written down yet, by delivery
	counts   map[string]map[Verdict]int
}

// entry is a delivery on its way to the disk, and what it asks for once it is
// there.
type entry struct {
	delivery Delivery
	hints    []hint
	done     chan error
}

// hint asks for a look at a tag of an image, or at all where tag is empty.
type hint struct {
	image, tag string
	event      webhook.Event
}

// New makes a Receiver. It does no I/O.
func New(o Options) *Receiver {
	r := &Receiver{
		opts: o, log: o.Logger,
		queue:    make(chan entry, maxQueued),
		refused:  make(chan struct{}, 1),
		told:     make(chan struct{}, 1),
		stopped:  make(chan struct{}),
		slots:    make(chan struct{}, maxLooks),
		lookers:  make(map[string]*looker),
		memory:   newMemory(),
		refusals: make(map[string]*refusal),
		outcomes: make(map[string]string),
		counts:   make(map[string]map[Verdict]int),
	}
	r.setup.Store(&o.Setup)
	return r
}

// Use puts a changed setup into force. What was to be looked at of images that
// left it is forgotten.
func (r *Receiver) Use(s Setup) {
	r.setup.Store(&s)
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, l := range r.lookers {
		stays := slices.ContainsFunc(s.Images, func(i Image) bool { return i.Name == name && i.Repository == l.image.Repository })
		if !stays {
			l.leave()
			delete(r.lookers, name)
			r.settleAll(l, "failed: the image left the configuration")
		}
	}
}

// Receive takes a delivery to the hook of a name, with the secret last part of
// the address that it came to (empty: there was none), from an address. What it
// answers with a verdict is on disk. No error tells a wrong secret part from a
// name that is not there; no secret is in any.
func (r *Receiver) Receive(ctx context.Context, name, path string, d webhook.Delivery, from string) (Answer, error) {
	setup := r.setup.Load()
	hook, err := setup.admit(name, path, d)
	if err == nil {
		var events []webhook.Event
		if events, err = webhook.Decode(hook.Kind, hook.Fields, d); err == nil {
			return r.take(ctx, setup, hook, events, d.At, from)
		}
	}
	if hook.Name != "" {
		r.refuse(hook.Name, from, d.At, err)
	}
	return Answer{}, err
}

// Expect refuses a delivery to an address that leads to no hook, in the words of
// Receive, so that nobody need read its body.
func (r *Receiver) Expect(name, path string, at time.Time, from string) error {
	hook, err := r.setup.Load().at(name, path)
	if err != nil && hook.Name != "" {
		r.refuse(hook.Name, from, at, err)
	}
	return err
}

// at finds the hook of an address. It takes as long where there is none.
func (s *Setup) at(name, path string) (Hook, error) {
	hook, found := s.hook(name)
	accepted := hook.Path
	if !found {
		accepted = []string{"compared in vain, so that it takes as long"}
	}
	right := webhook.SamePath(accepted, path)
	if !found || len(hook.Path) > 0 && !right || len(hook.Path) == 0 && path != "" {
		return hook, problem.New(problem.WebhookNotFound, "there is no such webhook here",
			"compare the address with the configuration: the name, and the secret behind it where the hook has one")
	}
	return hook, nil
}

// admit finds a hook and asks for proof of who sent a delivery to it. A secret
// part of the address is proof enough for a sender that can't sign; one that can
// is asked for its signature, too, where its hook has a secret.
func (s *Setup) admit(name, path string, d webhook.Delivery) (Hook, error) {
	hook, err := s.at(name, path)
	switch {
	case err != nil:
		return hook, err
	case hook.signs():
		return hook, webhook.Authenticate(hook.Kind, hook.Secrets, d)
	case len(hook.Path) == 0: // config refuses such a hook
		return hook, problem.New(problem.WebhookDenied, "the hook has no secret to compare with", "give it one in the configuration")
	}
	return hook, nil
}

// take writes an authenticated delivery down and asks for what it is about.
func (r *Receiver) take(ctx context.Context, setup *Setup, hook Hook, events []webhook.Event, at time.Time, from string) (Answer, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Answer{}, fmt.Errorf("make an id: %w", err)
	}
	e := entry{done: make(chan error, 1)}
	e.delivery = Delivery{ID: id.String(), Hook: hook.Name, At: at, From: from, Stands: 1, Events: len(events)}
	r.sort(&e, setup, hook, events)
	if err := r.write(ctx, e); err != nil {
		return Answer{}, err
	}
	d := e.delivery
	r.log.Debug("webhook delivery", "hook", d.Hook, "verdict", d.Verdict, "events", d.Events, "images", d.Images)
	return Answer{Verdict: d.Verdict, Events: d.Events, Images: d.Images}, nil
}

// maxIDs bounds how many of a sender's names for events are kept of a delivery,
// and maxID how long one is, in bytes: a longer one is none.
const (
	maxIDs = 100
	maxID  = 200
)

// sort says what is to be made of a delivery.
func (r *Receiver) sort(e *entry, setup *Setup, hook Hook, events []webhook.Event) {
	d := &e.delivery
	d.Verdict, d.Detail = Irrelevant, "it tells of no push"
	repeated := false
	for _, event := range events {
		images, why := setup.match(hook, event)
		if len(images) == 0 {
			d.Detail = why
			continue
		}
		if r.knows(hook.Name, event.ID, d.At) {
			repeated = true
			continue
		}
		if event.ID != "" && len(event.ID) <= maxID && len(d.IDs) < maxIDs && !slices.Contains(d.IDs, event.ID) {
			d.IDs = append(d.IDs, event.ID)
		}
		for _, image := range images {
			e.hints = append(e.hints, hint{image: image, tag: event.Tag, event: event})
			if !slices.Contains(d.Images, image) {
				d.Images = append(d.Images, image)
			}
		}
	}
	switch {
	case len(e.hints) > 0:
		d.Verdict, d.Detail = Accepted, ""
	case repeated:
		d.Verdict, d.Detail = Repeated, ""
	}
}

func (r *Receiver) knows(hook, id string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return id != "" && r.memory.knows(told{hook, id}, now)
}

// write returns once a delivery is on disk.
func (r *Receiver) write(ctx context.Context, e entry) error {
	select {
	case r.queue <- e:
	default:
		busy := problem.New(problem.WebhookBusy, "more deliveries wait for the disk than can", "send it again")
		busy.RetryAfter = time.Second
		return busy
	}
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done(): // it may be written down, and is looked at then
		return ctx.Err()
	case <-r.stopped:
	}
	select {
	case err := <-e.done:
		return err
	default:
		return errStopping
	}
}

var errStopping = problem.New(problem.Stopping, "the server stops", "send it again")

// HookStatus is a hook, without its secrets, with what came of its deliveries
// since the start.
type HookStatus struct {
	Name         string
	Kind         webhook.Kind
	Signed       bool // its deliveries prove by their headers who sent them
	SecretPath   bool // its address ends with a secret
	Repositories []registry.Pattern
	Registry     string
	Counts       map[Verdict]int
}

// Hooks gives the hooks in the order of the configuration.
func (r *Receiver) Hooks() []HookStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []HookStatus
	for _, h := range r.setup.Load().Hooks {
		status := HookStatus{
			Name: h.Name, Kind: h.Kind, Signed: h.signs(), SecretPath: len(h.Path) > 0,
			Repositories: h.Repositories, Registry: h.Registry, Counts: make(map[Verdict]int),
		}
		maps.Copy(status.Counts, r.counts[h.Name])
		all = append(all, status)
	}
	return all
}

// signs tells whether the hook's deliveries have to prove by their headers who
// sent them.
func (h Hook) signs() bool { return h.Kind.Signs() && len(h.Secrets) > 0 }

// Deliveries gives the newest deliveries to a hook, newest first.
func (r *Receiver) Deliveries(ctx context.Context, hook string, limit int) ([]Delivery, error) {
	return r.opts.Store.Deliveries(ctx, hook, limit)
}

// count counts deliveries. The caller holds mu.
func (r *Receiver) count(hook string, v Verdict, n int) {
	if r.counts[hook] == nil {
		r.counts[hook] = make(map[Verdict]int)
	}
	r.counts[hook][v] += n
}

// isEnd tells an error that says only that its context ended.
func isEnd(ctx context.Context, err error) bool { return ctx.Err() != nil && errors.Is(err, ctx.Err()) }
