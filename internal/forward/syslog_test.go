package forward

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rfc5424 takes a message apart: priority, time, host, run, text.
var rfc5424 = regexp.MustCompile(`^<(\d+)>1 (\S+) (\S+) prewarm (\S+) - - (.*)$`)

// parse gives the parts of a message.
func parse(t *testing.T, message string) (priority int, at, run string, o object) {
	t.Helper()
	m := rfc5424.FindStringSubmatch(message)
	if m == nil {
		t.Fatalf("no message of RFC 5424: %q", message)
	}
	priority, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(m[5]), &o); err != nil {
		t.Fatalf("%q: %v", m[5], err)
	}
	if host, err := os.Hostname(); err != nil || m[3] != host {
		t.Errorf("host %q, want %q (%v)", m[3], host, err)
	}
	return priority, m[2], m[4], o
}

func TestSyslogByDatagrams(t *testing.T) {
	t.Parallel()
	for network, address := range map[string]string{"unixgram": filepath.Join(t.TempDir(), "log"), "udp": "127.0.0.1:0"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			conn, err := new(net.ListenConfig).ListenPacket(t.Context(), network, address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			f := starts(t, Target{Kind: Syslog, Network: network, Address: conn.LocalAddr().String(), Facility: "local3"})
			r := aRun(t, "r1")
			for i, stream := range []string{"stdout", "stderr", "prewarm"} {
				e := entry(int64(i+1), "of "+stream)
				e.Stream = stream
				f.Forward(r, e)
			}
			f.Forward(r, entry(4, strings.Repeat("too long", 1<<20)))
			for _, want := range []struct {
				severity int
				text     string
			}{{6, "of stdout"}, {3, "of stderr"}, {5, "of prewarm"}} {
				priority, at, run, o := parse(t, datagram(t, conn))
				if priority != 19*8+want.severity || at != "2030-03-17T17:46:40.123456Z" || run != "r1" || o.Text != want.text || o.Run != "r1" {
					t.Errorf("got %d %s %s %+v, want %+v", priority, at, run, o, want)
				}
			}
			priority, _, run, o := parse(t, datagram(t, conn))
			if priority != 19*8+5 || run != "-" || o.Dropped != 1 {
				t.Errorf("of the line that was too long: %d %s %+v", priority, run, o)
			}
		})
	}
}

func datagram(t *testing.T, conn net.PacketConn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<16)
	n, _, err := conn.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// A syslog that is restarted, as every update of it does, gets the lines that
// come then.
func TestLocalSyslogComesBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	f := starts(t, Target{Kind: Syslog, Address: path})
	for n := range 3 {
		f.Forward(aRun(t, "r"), entry(int64(n), fmt.Sprint("life ", n))) // while there is none
		conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "unixgram", path)
		if err != nil {
			t.Fatal(err)
		}
		if priority, _, _, o := parse(t, datagram(t, conn)); o.Text != fmt.Sprint("life ", n) || priority != 1*8+6 {
			t.Errorf("got %d %+v", priority, o)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

// frames reads messages with their octets counted, until the connection ends.
func frames(t *testing.T, conn net.Conn, each func(message string)) {
	t.Helper()
	r := bufio.NewReader(conn)
	for {
		head, err := r.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(head, " "))
		if err != nil {
			t.Errorf("no count of octets: %q", head)
			return
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		each(string(b))
	}
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestSyslogOverTCP(t *testing.T) {
	t.Parallel()
	l := listen(t, "127.0.0.1:0")
	f := starts(t, Target{Kind: Syslog, Network: "tcp", Address: l.Addr().String()})
	var want []string
	for i, text := range append(numbers(1000), "with ü and\na line feed", strings.Repeat("long", 1<<17)) {
		want = append(want, text)
		f.Forward(aRun(t, "r"), entry(int64(i+1), text))
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	var got []string
	frames(t, conn, func(message string) {
		_, _, _, o := parse(t, message)
		if got = append(got, o.Text); len(got) == len(want) {
			_ = conn.Close()
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A receiver that closes its connection and comes back loses nothing of what
// is forwarded in between.
func TestReceiverOverTCPComesBack(t *testing.T) {
	t.Parallel()
	l := listen(t, "127.0.0.1:0")
	f := starts(t, Target{Kind: Syslog, Network: "tcp", Address: l.Addr().String()})
	sink, ok := f.workers[0].sink.(*syslog)
	if !ok {
		t.Fatal("another sink")
	}
	for n := range 3 {
		f.Forward(aRun(t, "r"), entry(int64(n), fmt.Sprint("life ", n)))
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		frames(t, conn, func(message string) {
			if _, _, _, o := parse(t, message); o.Text != fmt.Sprint("life ", n) {
				t.Errorf("got %+v", o)
			}
			_ = conn.Close()
		})
		sink.watches.Wait() // the end has been noticed
	}
}

// A receiver that reads nothing is given up by Close.
func TestStuckReceiverIsGivenUp(t *testing.T) {
	t.Parallel()
	l := listen(t, "127.0.0.1:0") // which accepts nothing: the kernel does, and buffers a little
	f, err := start([]Target{{Kind: Syslog, Network: "tcp", Address: l.Addr().String()}}, slog.New(slog.DiscardHandler), quick)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(12) {
		f.Forward(aRun(t, "r"), entry(i, strings.Repeat("x", 1<<20)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	err = f.Close(ctx)
	<-f.workers[0].done // a write that waits is interrupted
	if took := time.Since(began); took > netTime/2 || err == nil || !strings.Contains(err.Error(), "were left") {
		t.Errorf("%v after %v", err, took)
	}
}
