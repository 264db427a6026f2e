package docker

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
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
	network string // unix, tcp or ssh
	address string // a path, or host:port
	user    string // ssh: who signs in
	socket  string // ssh: the engine's socket on that machine
}

func (e endpoint) String() string {
	if e.network == "ssh" {
		return "ssh://" + e.user + "@" + e.address + e.socket
	}
	return e.network + "://" + e.address
}

const (
	defaultSocket  = "/var/run/docker.sock"
	defaultSSHPort = "22"
)

// parseEndpoint reads unix:///path, tcp://host:port or
// ssh://user@host[:port][/path].
func parseEndpoint(s string) (endpoint, error) {
	u, err := url.Parse(s)
	if err != nil {
		return endpoint{}, badEndpoint(s, "it is not a URL", "write unix:///var/run/docker.sock")
	}
	switch u.Scheme {
	case "unix":
		if u.Host != "" || !filepath.IsAbs(u.Path) {
			return endpoint{}, badEndpoint(s, "a unix endpoint takes an absolute path", "write unix:///var/run/docker.sock")
		}
		return endpoint{network: "unix", address: u.Path}, nil
	case "tcp":
		if u.Hostname() == "" || u.Port() == "" || (u.Path != "" && u.Path != "/") {
			return endpoint{}, badEndpoint(s, "a tcp endpoint takes a host and a port", "write tcp://10.0.0.11:2375")
		}
		return endpoint{network: "tcp", address: u.Host}, nil
	case "ssh":
		return sshEndpoint(s, u)
	}
	return endpoint{}, badEndpoint(s, fmt.Sprintf("no engine is reached by scheme %q", u.Scheme), "use unix://, tcp:// or ssh://")
}

// sshEndpoint reads the parts of an ssh URL. A password in it is refused: it
// would stand in the configuration and in every message.
func sshEndpoint(s string, u *url.URL) (endpoint, error) {
	const example = "write ssh://prewarm@etl-1, or ssh://prewarm@etl-1:22/var/run/docker.sock"
	_, password := u.User.Password()
	switch {
	case password:
		return endpoint{}, badEndpoint(u.Redacted(), "an ssh endpoint takes no password", "give a key file, or an agent")
	case u.Hostname() == "" || u.User.Username() == "":
		return endpoint{}, badEndpoint(s, "an ssh endpoint takes a user and a host", example)
	case u.RawQuery != "" || u.Fragment != "":
		return endpoint{}, badEndpoint(s, "an ssh endpoint ends with the path of the engine's socket", example)
	}
	e := endpoint{network: "ssh", user: u.User.Username(), socket: u.Path}
	port := u.Port()
	if port == "" {
		port = defaultSSHPort
	}
	e.address = net.JoinHostPort(u.Hostname(), port)
	if strings.Trim(e.socket, "/") == "" {
		e.socket = defaultSocket
	}
	return e, nil
}

func badEndpoint(s, why, mend string) error {
	return problem.New(problem.InvalidConfig, fmt.Sprintf("endpoint %q: %s", s, why), mend)
}

// A dialer opens a connection on which the engine's API is spoken.
type dialer func(ctx context.Context) (net.Conn, error)

// dial opens a bare connection.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{
		Timeout: dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveCount,
		},
	}
	return d.DialContext(ctx, network, address)
}

// dial reaches a unix socket or a plain port.
func (e endpoint) dial(ctx context.Context) (net.Conn, error) { return dial(ctx, e.network, e.address) }

// transport is built by hand: a client made from the environment would obey
// HTTP_PROXY and DOCKER_CERT_PATH, which belong to other programs. It speaks
// plain HTTP over whatever the dialer opens, be that TLS or a stream of an ssh
// connection, and dials the endpoint whatever address it is asked for.
func transport(open dialer) *http.Transport {
	return &http.Transport{
		Proxy: nil,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := open(ctx)
			if err != nil {
				return nil, &dialError{err}
			}
			return conn, nil
		},
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
