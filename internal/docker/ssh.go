package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// SSH is how to sign in at an ssh endpoint. The files are read for each
// connection.
type SSH struct {
	// KeyFile is a private key without a passphrase, or one that the agent holds
	// open; empty: any key of the agent.
	KeyFile string
	// KnownHosts is the file with the machine's host key, as OpenSSH writes it.
	// There is no way around it: whoever answers in the machine's place could do
	// all that an engine can.
	KnownHosts string
	// Agent is the socket of an ssh-agent; empty: $SSH_AUTH_SOCK.
	Agent string
}

const (
	// sshAlive is how often a connection is asked for a sign of life, and how
	// long the answer may take: a dead one is noticed within twice that.
	sshAlive = 15 * time.Second
	// sshRunLimit bounds a command on the machine. Nothing depends on one.
	sshRunLimit = 5 * time.Second
)

// sshLink reaches a socket on another machine. All its streams share one TCP
// connection, which is made when it is needed and made anew when it died.
type sshLink struct {
	endpoint endpoint
	settings SSH
	alive    time.Duration
	log      *slog.Logger

	connecting chan struct{} // holds one token while nobody connects
	mu         sync.Mutex
	conn       *sshConn // nil while there is none
	retired    bool     // its connections end with their last stream
}

func newSSHLink(e endpoint, settings SSH, log *slog.Logger) *sshLink {
	l := &sshLink{endpoint: e, settings: settings, alive: sshAlive, log: log, connecting: make(chan struct{}, 1)}
	l.connecting <- struct{}{}
	return l
}

// dial opens a stream to the engine's socket. A connection that stood can turn
// out to be dead only now, so there is a second try, over a new one.
func (l *sshLink) dial(ctx context.Context) (net.Conn, error) {
	var broken error
	for range 2 {
		c, err := l.connect(ctx)
		if err != nil {
			return nil, err
		}
		stream, err := c.open(ctx, l.endpoint.socket)
		if err != nil {
			c.count(0, false) // nobody has it then
		}
		var refused *ssh.OpenChannelError
		switch {
		case err == nil:
			return stream, nil
		case errors.As(err, &refused):
			return nil, l.explainRefusal(ctx, c, refused)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		_ = c.client.Close() // it is of no use
		<-c.dead
		broken = err
	}
	return nil, broken
}

// connect gives the connection that stands, or makes one. One caller does it at
// a time.
func (l *sshLink) connect(ctx context.Context) (*sshConn, error) {
	if c := l.current(); c != nil {
		return c, nil
	}
	select {
	case <-l.connecting:
		defer func() { l.connecting <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c := l.current(); c != nil {
		return c, nil
	}
	client, err := l.handshake(ctx)
	if err != nil {
		return nil, err
	}
	c := &sshConn{client: client, dead: make(chan struct{})}
	go func() {
		err := client.Wait()
		l.log.Debug("the ssh connection ended", "error", err)
		close(c.dead)
	}()
	go c.keepAlive(l.alive)
	l.mu.Lock()
	defer l.mu.Unlock()
	c.retired = l.retired // a run that goes on there asks once more
	l.conn = c
	return c, nil
}

// current gives the connection that stands, or nil.
func (l *sshLink) current() *sshConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil
	}
	select {
	case <-l.conn.dead:
		l.conn = nil
	default:
	}
	return l.conn
}

// handshake connects and signs in.
func (l *sshLink) handshake(ctx context.Context) (*ssh.Client, error) {
	checker, err := newHostKeys(l.endpoint, l.settings.KnownHosts)
	if err != nil {
		return nil, err
	}
	auth, done, err := l.settings.auth(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	bare, err := dial(ctx, "tcp", l.endpoint.address)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, &obstacle{why: "nothing listens at " + l.endpoint.address, mend: "start sshd on the machine, or correct the host's endpoint"}
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	// Neither the handshake nor the agent knows a context.
	stop := context.AfterFunc(ctx, func() {
		_ = bare.Close() // it is given up
		done()
	})
	conn, channels, requests, err := ssh.NewClientConn(bare, l.endpoint.address, &ssh.ClientConfig{
		User: l.endpoint.user, Auth: []ssh.AuthMethod{auth},
		HostKeyCallback: checker.check, HostKeyAlgorithms: checker.algorithms(),
	})
	if !stop() && err == nil {
		_ = conn.Close() // it came too late
		err = ctx.Err()
	}
	if err != nil {
		_ = bare.Close() // closed already by a handshake that failed
		return nil, l.explainHandshake(ctx, checker, err)
	}
	return ssh.NewClient(conn, channels, requests), nil
}

func (l *sshLink) explainHandshake(ctx context.Context, checker *hostKeys, err error) error {
	switch {
	case checker.refused != nil:
		return checker.refused
	case ctx.Err() != nil:
		return ctx.Err()
	case strings.Contains(err.Error(), "unable to authenticate"):
		return &obstacle{
			why:   fmt.Sprintf("sshd at %s lets no %s in with our key", l.endpoint.address, l.endpoint.user),
			mend:  fmt.Sprintf("add the public key to authorized_keys of user %s on the host (ssh-copy-id), or correct the user or ssh.key_file", l.endpoint.user),
			cause: err,
		}
	}
	return &obstacle{why: "no ssh connection to %s", mend: "check that an OpenSSH server listens there, and its log (journalctl -u ssh)", cause: err}
}

// explainRefusal says why sshd opened no stream to the socket. It gives the same
// answer for all causes, so the machine itself is asked.
func (l *sshLink) explainRefusal(ctx context.Context, c *sshConn, refused error) error {
	socket := l.endpoint.socket
	look := fmt.Sprintf("if [ ! -e %[1]s ]; then echo absent; elif [ ! -w %[1]s ]; then echo closed; else echo usable; fi", quoted(socket))
	said, err := c.run(ctx, look)
	if err != nil {
		said = "unknown"
	}
	switch strings.TrimSpace(said) {
	case "absent":
		return &obstacle{
			why:  "there is no socket " + socket + " on the machine of %s",
			mend: "install or start the engine (systemctl start docker), or correct the path in the host's endpoint",
		}
	case "closed":
		return &obstacle{
			why:  fmt.Sprintf("user %s may not use %s on the machine of %%s", l.endpoint.user, socket),
			mend: fmt.Sprintf("add the user to the group that owns the socket: usermod -aG docker %s", l.endpoint.user),
		}
	case "usable":
		return &obstacle{
			why:   "sshd does not forward to " + socket + " on the machine of %s, or nothing listens on it",
			mend:  "set AllowStreamLocalForwarding yes in its sshd_config and take restrictions off the key in authorized_keys; if that is so, start the engine",
			cause: refused,
		}
	}
	return &obstacle{
		why: "sshd opens no stream to " + socket + " on the machine of %s",
		mend: fmt.Sprintf("check on the machine that the socket is there, that user %s is in the group that owns it (docker, usually), "+
			"and that sshd_config says AllowStreamLocalForwarding yes", l.endpoint.user),
		cause: refused,
	}
}

// run runs a command on the machine, over the connection that stands or a new
// one.
func (l *sshLink) run(ctx context.Context, command string) (string, error) {
	c, err := l.connect(ctx)
	if err != nil {
		return "", err
	}
	defer c.count(0, false)
	return c.run(ctx, command)
}

// retire closes the connection when its last stream ends, and so each that is
// made after it.
func (l *sshLink) retire() {
	l.mu.Lock()
	c := l.conn
	l.conn, l.retired = nil, true
	l.mu.Unlock()
	if c != nil {
		c.count(0, true)
	}
}
