package docker

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

const (
	// dialTimeout bounds how long a connection may take to come up.
	dialTimeout = 10 * time.Second
	// A peer that vanished is noticed within keepAliveIdle and three
	// unanswered probes: 30 s. Go's own defaults take about 2.5 minutes, in
	// which a wait or a log would hang.
	keepAliveIdle     = 15 * time.Second
	keepAliveInterval = 5 * time.Second
	keepAliveCount    = 3
	// idlePerHost is how many connections stay open between calls. Each wait,
	// log and pull holds one of its own; the Docker client's default of two
	// would make a new connection for nearly every call of a busy host.
	idlePerHost = 32
	idleTimeout = 90 * time.Second
)

// endpoint is where an engine listens.
type endpoint struct {
	network string // unix or tcp, as net.Dial says it
	address string // a path, or host:port
}

func (e endpoint) String() string { return e.network + "://" + e.address }

// parseEndpoint reads unix:///path or tcp://host:port. Plain tcp is refused
// unless it is asked for: whoever reaches such a port is root on the host.
func parseEndpoint(s string, insecure bool) (endpoint, error) {
	u, err := url.Parse(s)
	if err != nil {
		return endpoint{}, badEndpoint(s, "it is not a URL", "write unix:///var/run/docker.sock")
	}
	switch u.Scheme {
	case "unix":
		if u.Host != "" || !filepath.IsAbs(u.Path) {
			return endpoint{}, badEndpoint(s, "a unix endpoint takes an absolute path", "write unix:///var/run/docker.sock")
		}
		return endpoint{"unix", u.Path}, nil
	case "tcp":
		if u.Hostname() == "" || u.Port() == "" || (u.Path != "" && u.Path != "/") {
			return endpoint{}, badEndpoint(s, "a tcp endpoint takes a host and a port", "write tcp://10.0.0.11:2375")
		}
		if !insecure {
			return endpoint{}, badEndpoint(s, "plain tcp gives root on the host to anyone who reaches the port",
				"set insecure: true on the host if its network is trusted")
		}
		return endpoint{"tcp", u.Host}, nil
	}
	return endpoint{}, badEndpoint(s, fmt.Sprintf("no engine is reached by scheme %q", u.Scheme), "use unix:// or tcp://")
}

func badEndpoint(s, why, mend string) error {
	return problem.New(problem.InvalidConfig, fmt.Sprintf("endpoint %q: %s", s, why), mend)
}

// dial opens a connection to the endpoint, whatever address it is asked for:
// the Docker client makes up names for unix sockets.
func (e endpoint) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	d := net.Dialer{
		Timeout: dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveCount,
		},
	}
	conn, err := d.DialContext(ctx, e.network, e.address)
	if err != nil {
		return nil, &dialError{err}
	}
	return conn, nil
}

// transport is built by hand: a client made from the environment would obey
// HTTP_PROXY and DOCKER_CERT_PATH, which belong to other programs.
func (e endpoint) transport() *http.Transport {
	return &http.Transport{
		Proxy:               nil,
		DialContext:         e.dial,
		DisableCompression:  true,
		MaxIdleConnsPerHost: idlePerHost,
		IdleConnTimeout:     idleTimeout,
	}
}

// dialError hides the words of a failed dial from the Docker client, which
// looks for them and then replaces the error by one without its cause.
type dialError struct{ cause error }

func (e *dialError) Error() string { return "no connection to the engine" }
func (e *dialError) Unwrap() error { return e.cause }
