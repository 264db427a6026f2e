package server_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// sendRaw sends a request as it is written, and gives the head of the answer with
// what follows.
func sendRaw(t *testing.T, url, request string, patience time.Duration) (*http.Response, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return resp, in
}

// Whoever announces a body and sends none is let go, also where nothing reads the
// body, and whether or not the caller is known.
func TestABodyThatNeverComesHoldsNoConnection(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each())
	for _, line := range []string{"POST /v1/runs", "GET /healthz", "POST /nowhere", "GET /v1/hosts", "POST /v1/webhooks/ci"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			request := fmt.Sprintf("%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n", line)
			resp, in := sendRaw(t, l.url, request, 30*time.Second)
			_, _ = io.Copy(io.Discard, resp.Body)
			if _, err := in.ReadByte(); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is still open")
			}
		})
	}
}

// A body that nobody asked for does not end what is followed.
func TestABodyOfAGetEndsNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	request := "GET /v1/events?follow=true HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
	resp, _ := sendRaw(t, s.url, request, 12*time.Second)
	if _, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the answer ended: %v", err)
	}
}
