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
	// Endpoint is unix:///path, tcp://host:port or
	// ssh://user@host[:port][/path/to.sock].
	Endpoint string
	// Insecure allows plain tcp: whoever reaches such a port is root on the host.
	Insecure bool
	// TLS secures a tcp endpoint. Nil: plain tcp.
	TLS *TLS
	// SSH is how to sign in at an ssh endpoint.
	SSH *SSH
	// Credentials gives what the engine shows to a repository's registry; the
	// zero Credentials mean none. It is asked before each pull. Nil: none.
	Credentials func(ctx context.Context, repo registry.Repository) (registry.Credentials, error)
	// Mirror tells where a repository is pulled from first, if anywhere: a
	// registry near the host that has the same content. Nil: none.
	Mirror func(repo registry.Repository) (registry.Repository, bool)
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
	mirror      func(repo registry.Repository) (registry.Repository, bool)
	stall       time.Duration
	pulled      lastNews
	logStall    time.Duration
	log         *slog.Logger
	open        dialer
	secure      *tlsDialer // nil but for tcp with TLS
	ssh         *sshLink   // nil but for ssh
	transport   *http.Transport

	negotiating chan struct{} // holds one token while nobody negotiates
	mu          sync.Mutex
	session     *session // nil while the engine is not known to answer
}

// New makes the Host of an endpoint. It does no I/O: an engine that is down is
// noticed at the first call.
func New(o Options) (*Host, error) {
	e, err := parseEndpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	h := &Host{
		name: o.Name, instance: o.Instance, endpoint: e,
		credentials: o.Credentials, mirror: o.Mirror, stall: o.Stall, logStall: logStall, log: o.Logger,
		negotiating: make(chan struct{}, 1),
	}
	if h.stall <= 0 {
		h.stall = defaultStall
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	h.log = h.log.With("host", o.Name)
	if err := h.choose(o); err != nil {
		return nil, err
	}
	h.transport = transport(h.open)
	h.negotiating <- struct{}{}
	return h, nil
}

// choose picks the way to the engine. Plain tcp is refused unless it is asked
// for.
func (h *Host) choose(o Options) error {
	network := h.endpoint.network
	switch {
	case o.TLS != nil && network != "tcp":
		return badEndpoint(o.Endpoint, "tls goes with a tcp endpoint only", "write tcp://host:2376, or leave tls out")
	case o.SSH != nil && network != "ssh":
		return badEndpoint(o.Endpoint, "ssh settings go with an ssh endpoint only", "write ssh://user@host, or leave ssh out")
	case o.TLS != nil && o.Insecure:
		return badEndpoint(o.Endpoint, "it is to be insecure and to use TLS", "leave one of the two out")
	case o.TLS != nil && (o.TLS.Cert == "") != (o.TLS.Key == ""):
		return badEndpoint(o.Endpoint, "a client certificate is two files", "give both cert and key, or neither")
	case network == "ssh" && (o.SSH == nil || o.SSH.KnownHosts == ""):
		return badEndpoint(o.Endpoint, "without known_hosts anybody could answer in the machine's place",
			"set the host's ssh.known_hosts to a file that has the machine's key: "+keyscan(h.endpoint, "", "known_hosts"))
	case network == "tcp" && o.TLS == nil && !o.Insecure:
		return badEndpoint(o.Endpoint, "plain tcp gives root on the host to anyone who reaches the port",
			"give tls on the host, or set insecure: true if its network is trusted")
	}
	h.open = h.endpoint.dial
	switch {
	case o.TLS != nil:
		h.secure = &tlsDialer{address: h.endpoint.address, files: *o.TLS, log: h.log}
		h.open = h.secure.dial
	case network == "ssh":
		h.ssh = newSSHLink(h.endpoint, *o.SSH, h.log)
		h.open = h.ssh.dial
	}
	return nil
}

// Close gives back the connections that are not in use. Calls that are still
// under way end by their own contexts.
func (h *Host) Close() {
	h.transport.CloseIdleConnections()
	if h.ssh != nil {
		h.ssh.retire()
	}
}
