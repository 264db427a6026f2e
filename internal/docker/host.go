package docker

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

var (
	_ warmer.Host   = (*Host)(nil)
	_ runner.Engine = (*Host)(nil)
)

// The labels that tell what is ours, and whose.
const (
	labelInstance = "prewarm.instance" // the installation that made it
	labelHost     = "prewarm.host"     // on the marker: the host entry that left it
	labelMarker   = "prewarm.marker"   // on the marker: its random id
	labelRun      = "prewarm.run"      // on a container: the run's id
	labelImage    = "prewarm.image"    // on a container: the image as the caller named it
	labelDigest   = "prewarm.digest"   // on a container: the digest that it runs
)

// The deadlines of short calls. They are long, because an engine under load is
// slow long before it is dead: with 100 containers at once a start was seen to
// take half a second, a remove on a full disk far longer.
const (
	inspectLimit = 15 * time.Second
	createLimit  = 60 * time.Second
	startLimit   = 120 * time.Second
	removeLimit  = 120 * time.Second
	// stopSlack is how much longer than the grace a stop may take.
	stopSlack = 30 * time.Second
)

// defaultStall is how long a pull may say nothing. The engine reports each
// second of a retry and of an extraction, so three minutes of silence is a pull
// that hangs.
const defaultStall = 3 * time.Minute

// Options say which engine a Host is and how it is reached.
type Options struct {
	// Name is the host's name in the configuration. It goes into messages and
	// into the marker.
	Name string
	// Instance is the id of this installation. It goes into every label;
	// nothing that carries another id is touched.
	Instance string
	// Endpoint is unix:///path or tcp://host:port.
	Endpoint string
	// Insecure allows plain tcp.
	Insecure bool
	// Credentials gives what the engine shows to a repository's registry; the
	// zero Credentials mean none. It is asked before each pull. Nil: none.
	Credentials func(ctx context.Context, repo registry.Repository) (registry.Credentials, error)
	// Stall is how long a pull may stay silent before it is given up; zero
	// means three minutes.
	Stall time.Duration
	// Logger takes what no caller is told: reconnections. Nil: slog.Default.
	Logger *slog.Logger
}

// Host is one Docker Engine. Its methods may be called from any goroutine.
type Host struct {
	name        string
	instance    string
	endpoint    endpoint
	credentials func(ctx context.Context, repo registry.Repository) (registry.Credentials, error)
	stall       time.Duration
	log         *slog.Logger
	transport   *http.Transport

	negotiating chan struct{} // holds one token while nobody negotiates
	mu          sync.Mutex
	session     *session // nil while the engine is not known to answer
}

// New makes the Host of an endpoint. It does no I/O: an engine that is down is
// noticed at the first call.
func New(o Options) (*Host, error) {
	e, err := parseEndpoint(o.Endpoint, o.Insecure)
	if err != nil {
		return nil, err
	}
	h := &Host{
		name: o.Name, instance: o.Instance, endpoint: e,
		credentials: o.Credentials, stall: o.Stall, log: o.Logger,
		transport:   e.transport(),
		negotiating: make(chan struct{}, 1),
	}
	if h.stall <= 0 {
		h.stall = defaultStall
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	h.log = h.log.With("host", o.Name)
	h.negotiating <- struct{}{}
	return h, nil
}

// Close gives back the connections that are not in use. Calls that are still
// under way end by their own contexts.
func (h *Host) Close() { h.transport.CloseIdleConnections() }
