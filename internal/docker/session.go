package docker

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/docker/docker/client"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// session is what is known of an engine for as long as it answers. It is
// thrown away as a whole at the first call without an answer: what answers
// afterwards may be a newer engine, an older one, or another machine.
type session struct {
	api *client.Client // its API version is agreed on before anyone shares it

	mu     sync.Mutex
	facts  facts                   // zero until asked
	images map[registry.Pin]string // engine's image id of pins that were verified
	fresh  map[string]struct{}     // containers that we made and nobody started
	ttys   map[string]bool         // containers that were looked at: whether they have a terminal
	bridge string                  // the engine's default network when the facts were asked

	stock *stock // what lists of images learned
}

// facts are what is known about the engine beside its API version.
type facts struct {
	platform    registry.Platform
	store       string
	version     string
	liveRestore bool
}

// connect gives the current session, or agrees on a new one.
func (h *Host) connect(ctx context.Context) (*session, error) {
	if s := h.current(); s != nil {
		return s, nil
	}
	return h.negotiate(ctx, h.current)
}

// reconnect agrees on the API version anew, also while a session stands: an
// engine may have been upgraded between two calls, unseen.
func (h *Host) reconnect(ctx context.Context) (*session, error) {
	return h.negotiate(ctx, func() *session { return nil })
}

// negotiate pings the engine and makes a session of the API version that both
// sides speak. One caller does it at a time; settled tells the others that it
// has been done meanwhile.
func (h *Host) negotiate(ctx context.Context, settled func() *session) (*session, error) {
	const what = "connect"
	select {
	case <-h.negotiating:
		defer func() { h.negotiating <- struct{}{} }()
	case <-ctx.Done():
		return nil, h.explain(ctx, nil, what, ctx.Err())
	}
	if s := settled(); s != nil {
		return s, nil
	}
	api, err := h.newClient()
	if err != nil {
		return nil, problem.Wrap(problem.Internal, err, "make a client for host "+h.name, "")
	}
	short, cancel := context.WithTimeout(ctx, inspectLimit)
	defer cancel()
	ping, err := api.Ping(short)
	if err != nil {
		return nil, h.explain(ctx, h.current(), what, err)
	}
	if ping.APIVersion == "" {
		return nil, problem.New(problem.EngineAPI, "connect to host "+h.name+": what answers at "+h.endpoint.String()+" is not a Docker Engine",
			"check the host's endpoint")
	}
	api.NegotiateAPIVersionPing(ping)
	return h.settle(api), nil
}

// newClient makes a client for the latest API version it knows; negotiating
// only ever goes down from there, so a later engine takes a new client.
func (h *Host) newClient() (*client.Client, error) {
	return client.NewClientWithOpts(
		// A name for the requests; where they go is the transport's business.
		client.WithHost("tcp://docker"),
		// After WithHost, which puts a proxy and a dialer of its own into the
		// transport that it finds.
		client.WithHTTPClient(&http.Client{Transport: bounded{h.transport}, CheckRedirect: client.CheckRedirect}),
		client.WithUserAgent("prewarm"),
	)
}

// settle makes the session of a client that has negotiated, or keeps the one
// that stands when nothing changed.
func (h *Host) settle(api *client.Client) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.session != nil && h.session.api.ClientVersion() == api.ClientVersion() {
		return h.session
	}
	h.session = &session{api: api, images: map[registry.Pin]string{}, fresh: map[string]struct{}{}, ttys: map[string]bool{}, stock: newStock()}
	return h.session
}

func (h *Host) current() *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.session
}

// drop ends a session whose engine did not answer. A session that replaced it
// meanwhile stays.
func (h *Host) drop(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s == nil || h.session != s {
		return
	}
	h.session = nil
	h.transport.CloseIdleConnections()
}

// call does one short call: with a session, a deadline, and an error that says
// what was tried.
func (h *Host) call(ctx context.Context, limit time.Duration, what string, do func(context.Context, *session) error) error {
	s, err := h.connect(ctx)
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := do(short, s); err != nil {
		return h.explain(ctx, s, what, err)
	}
	return nil
}

// verified remembers the engine's id of a pin that was inspected.
func (s *session) verified(pin registry.Pin, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.images[pin] = id
}

// imageID gives the id under which pin was last verified, if it was.
func (s *session) imageID(pin registry.Pin) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.images[pin]
	return id, ok
}

// forget drops what was verified of pin.
func (s *session) forget(pin registry.Pin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.images, pin)
}

// markFresh notes a container that we know was never started.
func (s *session) markFresh(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh[id] = struct{}{}
}

// takeFresh tells whether id was never started, once: whoever asks is about to
// start it, or to remove it.
func (s *session) takeFresh(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.fresh[id]
	delete(s.fresh, id)
	return ok
}

// version is the engine's; "" where nobody has asked yet.
func (s *session) version() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.facts.version
}

// sawTTY remembers whether a container has a terminal. That never changes.
func (s *session) sawTTY(id string, tty bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ttys[id] = tty
}

// hasTTY tells whether a container has a terminal, where that is known.
func (s *session) hasTTY(id string) (tty, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tty, known = s.ttys[id]
	return tty, known
}

// forgetContainer drops what is known of a container.
func (s *session) forgetContainer(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.fresh, id)
	delete(s.ttys, id)
}
