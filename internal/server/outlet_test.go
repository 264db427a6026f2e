package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/server"
)

// wire is a network without buffers, so that time passes only where a test
// says so: what a server writes waits until it is read.
type wire struct {
	conns chan net.Conn
	ended chan struct{}
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.ended:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error {
	close(w.ended)
	return nil
}

func (w *wire) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// ask serves a domain on a wire, sends it one request and gives the connection.
func ask(t *testing.T, o server.Options, header string) net.Conn {
	t.Helper()
	if o.Logger == nil {
		o.Logger = discard
	}
	w := &wire{conns: make(chan net.Conn), ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.New(o).Serve(ctx, w) }()
	client, theirs := net.Pipe()
	w.conns <- theirs
	t.Cleanup(func() {
		_ = client.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if _, err := io.WriteString(client, "GET /v1/runs/1/logs?follow=1 HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\n"); err != nil {
		t.Fatal(err)
	}
	return client
}

func TestAReaderThatTakesNothingIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		failed := make(chan error, 1)
		o := over(stub{logs: func(_ context.Context, _ int64, _ bool, w func([]byte) error) error {
			err := w(lineOf(1, strings.Repeat("x", 1<<20)))
			failed <- err
			return err
		}})
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		conn := ask(t, o, "")
		_, _ = bufio.NewReader(conn).ReadString('\n') // 4 KiB of it, at most, and no more
		begun := time.Now()
		if err := <-failed; err == nil {
			t.Error("it was not cut off")
		}
		if took := time.Since(begun); took < 4*time.Minute || took > 6*time.Minute {
			t.Errorf("it was cut off after %s", took)
		}
		synctest.Wait()
		if !strings.Contains(log.String(), "log reader cut off") || strings.Contains(log.String(), "level=WARN") {
			t.Errorf("log: %s", log.String())
		}
	})
}

// What counts is that it goes on, however slowly.
func TestASlowReaderIsNotCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20
		conn := ask(t, over(stub{logs: func(_ context.Context, _ int64, _ bool, w func([]byte) error) error {
			return w(lineOf(1, strings.Repeat("x", size)))
		}}), "Connection: close\r\n")
		begun, got, buffer := time.Now(), 0, make([]byte, 64<<10)
		for {
			n, err := io.ReadFull(conn, buffer)
			got += n
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(4 * time.Minute)
		}
		if took := time.Since(begun); got < size || took < time.Hour {
			t.Errorf("%d bytes in %s", got, took)
		}
	})
}

func TestASilentEventStreamIsKeptAwake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lines := make(chan string)
		conn := bufio.NewReader(ask(t, over(source(lines, nil)), "Accept: text/event-stream\r\n"))
		begun := time.Now()
		wait := func(want string) time.Duration {
			t.Helper()
			for {
				line, err := conn.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(line, want) {
					return time.Since(begun)
				}
			}
		}
		for n := range 3 {
			if at, want := wait(": ping"), time.Duration(n+1)*15*time.Second; at < want || at > want+time.Second {
				t.Errorf("ping %d after %s", n, at)
			}
		}
		time.Sleep(10 * time.Second)
		lines <- "one"
		if at := wait("data: "); at > 56*time.Second {
			t.Errorf("the line came after %s", at)
		}
		if at := wait(": ping"); at < 69*time.Second || at > 71*time.Second { // silent since the line
			t.Errorf("the next ping came after %s", at)
		}
		close(lines)
		wait("event: end")
		time.Sleep(time.Minute)
	})
}

// The lines of a plain log have nothing among them.
func TestASilentLogStaysSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lines := make(chan string)
		conn := ask(t, over(source(lines, nil)), "Connection: close\r\n")
		go func() {
			time.Sleep(time.Hour) // far longer than a reader may take nothing of what is there
			lines <- "one"
			close(lines)
		}()
		b, err := io.ReadAll(conn)
		_, body, ok := strings.Cut(string(b), "\r\n\r\n")
		if err != nil || !ok || strings.Count(body, "\n") != 5 || !strings.HasSuffix(body, "\r\n0\r\n\r\n") || !strings.Contains(body, `"text":"one"}`) {
			t.Errorf("%q %v", b, err)
		}
	})
}

// A browser takes the event end for the end of the log, so it comes only there.
func TestABrokenEventStreamHasNoEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lines := make(chan string)
		conn := ask(t, over(source(lines, errors.New("the disk is gone"))), "Accept: text/event-stream\r\n")
		go func() {
			lines <- "one"
			close(lines)
		}()
		b, err := io.ReadAll(conn)
		if err != nil || !strings.Contains(string(b), `"text":"one"}`) || strings.Contains(string(b), "event: end") || strings.HasSuffix(string(b), "\r\n0\r\n\r\n") {
			t.Errorf("%q %v", b, err)
		}
	})
}
