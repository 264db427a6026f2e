package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prewarm/prewarm/runner"
)

// netTime is how long a connection, and a write, may take.
const netTime = 5 * time.Second

// syslog speaks RFC 5424. The standard library's log/syslog knows only the
// older RFC 3164 and is frozen. Over udp nothing tells that a line arrived, and
// over tcp what a connection had in its buffers when it broke is lost.
type syslog struct {
	network, address string
	facility         int
	host             string

	conn    net.Conn
	watches sync.WaitGroup
}

func newSyslog(network, address string, facility int) *syslog {
	host, err := os.Hostname()
	if err != nil || host == "" || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }) {
		host = "-" // which is how the format says that it is unknown
	}
	return &syslog{network: network, address: address, facility: facility, host: host}
}

func (s *syslog) write(ctx context.Context, lines []line) (int, error) {
	if s.conn == nil {
		if err := s.dial(ctx); err != nil {
			return 0, err
		}
	}
	if s.network == "tcp" {
		return s.writeStream(ctx, lines)
	}
	for i, l := range lines {
		_, err := s.send(ctx, s.message(l))
		if errors.Is(err, syscall.EMSGSIZE) {
			return i, errTooLong
		}
		if err != nil {
			s.hangUp()
			return i, err
		}
	}
	return len(lines), nil
}

// writeStream counts octets before each message. A message that was cut by a
// broken connection is sent again as a whole: its receiver has dropped the cut
// one.
func (s *syslog) writeStream(ctx context.Context, lines []line) (int, error) {
	frames := make([]line, len(lines))
	var all bytes.Buffer
	for i, l := range lines {
		m := s.message(l)
		frames[i].body = append(strconv.AppendInt(nil, int64(len(m)), 10), append([]byte{' '}, m...)...)
		all.Write(frames[i].body)
	}
	n, err := s.send(ctx, all.Bytes())
	if err != nil {
		s.hangUp()
	}
	done, _ := written(frames, n)
	return done, err
}

func (s *syslog) send(ctx context.Context, b []byte) (int, error) {
	conn := s.conn
	if err := conn.SetWriteDeadline(time.Now().Add(netTime)); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) }) // a broken connection ends by itself
	defer stop()
	return conn.Write(b)
}

func (s *syslog) dial(ctx context.Context) error {
	conn, err := (&net.Dialer{Timeout: netTime}).DialContext(ctx, s.network, s.address)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	s.conn = conn
	if s.network == "tcp" {
		s.watches.Go(func() { watch(conn) })
	}
	return nil
}

// watch closes a connection when its other end does. A server that was
// restarted would get the next lines on the old one else, and lose them.
func watch(conn net.Conn) {
	_, _ = io.Copy(io.Discard, conn) // a receiver says nothing; what ends this doesn't matter
	_ = conn.Close()                 // may be the second time
}

func (s *syslog) hangUp() {
	_ = s.conn.Close() // it is broken, or done with
	s.conn = nil
}

func (s *syslog) close() error {
	if s.conn != nil {
		s.hangUp()
	}
	s.watches.Wait()
	return nil
}

// severities are those that docker's own syslog driver gives to the streams.
var severities = map[runner.Stream]int{runner.Stdout: 6, runner.Stderr: 3, runner.Ours: 5}

// message is a line in the format of RFC 5424: the run in the place of the
// process id, no structured data, and JSON as the text. A byte order mark is
// left out, as most senders do: receivers would keep it before the JSON.
func (s *syslog) message(l line) []byte {
	proc := l.run
	if proc == "" {
		proc = "-"
	}
	head := fmt.Sprintf("<%d>1 %s %s prewarm %s - - ", s.facility*8+severities[l.stream],
		l.at.UTC().Format("2006-01-02T15:04:05.000000Z"), s.host, proc)
	return append([]byte(head), bytes.TrimSuffix(l.body, []byte("\n"))...)
}
