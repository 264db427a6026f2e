package docker

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshConn is one connection.
type sshConn struct {
	client *ssh.Client
	dead   chan struct{} // closed when the connection has ended

	mu      sync.Mutex
	streams int
	retired bool
}

// keepAlive asks for signs of life until the connection ends, and ends it when
// none comes: TCP alone does not notice an sshd that hangs.
func (c *sshConn) keepAlive(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-c.dead:
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), every)
		_, err := freed(ctx, func() (struct{}, error) {
			// Any answer is one; OpenSSH's is a refusal.
			_, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil)
			return struct{}{}, err
		}, nil)
		cancel()
		if err != nil {
			_ = c.client.Close() // it is given up
			return
		}
	}
}

// open opens a stream to a socket.
func (c *sshConn) open(ctx context.Context, socket string) (net.Conn, error) {
	far, err := freed(ctx, func() (net.Conn, error) { return c.client.Dial("unix", socket) },
		func(late net.Conn) { _ = late.Close() }) // nobody waits for it
	if err != nil {
		return nil, err
	}
	c.count(+1, false)
	return stream(far, func() { c.count(-1, false) }), nil
}

// run runs a command, within sshRunLimit, and gives its standard output.
func (c *sshConn) run(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sshRunLimit)
	defer cancel()
	return freed(ctx, func() (string, error) {
		s, err := c.client.NewSession()
		if err != nil {
			return "", err
		}
		defer func() { _ = s.Close() }()                         // ended by the command's end
		stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // it is given up
		defer stop()
		return said(s, command)
	}, nil)
}

// said is what a command prints.
func said(s *ssh.Session, command string) (string, error) {
	out, err := s.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := s.Start(command); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(out, maxSaid+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxSaid:
		return "", errEndless
	}
	return string(text), s.Wait()
}

// count takes streams in and out, and closes a retired connection that has
// none.
func (c *sshConn) count(change int, retire bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams += change
	c.retired = c.retired || retire
	if c.retired && c.streams == 0 {
		_ = c.client.Close() // nobody uses it
	}
}

// freed does what knows no context, and returns when ctx ends even if that has
// not; what comes then is dropped.
func freed[T any](ctx context.Context, do func() (T, error), drop func(T)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		value, err := do()
		answered <- answer{value, err}
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
	}
	go func() {
		if a := <-answered; a.err == nil && drop != nil {
			drop(a.value)
		}
	}()
	var none T
	return none, ctx.Err()
}

// stream gives far a near end that has deadlines and that a Close frees at once.
// A channel of an ssh connection has neither: its reader waits until the other
// side says goodbye, for ever on a link that is cut.
func stream(far net.Conn, ended func()) net.Conn {
	near, inner := net.Pipe()
	go func() {
		_, _ = io.Copy(far, inner) // the reader of the near end is told by the other copy
		_ = far.Close()            // nothing is written to it any more
		_ = inner.Close()          // nothing is read from it any more
	}()
	go func() {
		_, _ = io.Copy(inner, far) // an end of the stream, however it came, is an end for the reader
		_ = inner.Close()          // nothing is written to it any more
		ended()
	}()
	return near
}

// quoted makes a word of a POSIX shell of s.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
