package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
)

func TestAStopTakesItsTimeAndNoMore(t *testing.T) {
	t.Parallel()
	// A domain that does not notice the stop: only its reader's end ends it.
	domain := stub{logs: func(ctx context.Context, _ int64, _ bool, _ func([]byte) error) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	url, stop := serve(t, over(domain))
	r := follow(t, url)
	begun := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := r.ReadByte(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the follower sees %v", err)
	}
}

func TestAListenerThatFailsIsTold(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := server.New(server.Options{Logger: discard}).Serve(t.Context(), l); err == nil {
		t.Error("no error")
	}
}

// Whoever opens connections and says nothing, or a letter at a time, is cut off.
func TestSlowHeadersAreCutOff(t *testing.T) {
	t.Parallel()
	limit := server.New(server.Options{Logger: discard}).Limits()
	if limit.ReadHeaderTimeout <= 0 || limit.ReadHeaderTimeout > 30*time.Second || limit.IdleTimeout <= 0 || limit.MaxHeaderBytes <= 0 {
		t.Errorf("headers within %s and %d bytes, idle for %s", limit.ReadHeaderTimeout, limit.MaxHeaderBytes, limit.IdleTimeout)
	}
	if limit.WriteTimeout != 0 {
		t.Errorf("a log can be followed for %s only", limit.WriteTimeout)
	}
}

// The same for bodies, which huma reads.
func TestASlowBodyIsCutOff(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, over(stub{}))
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	(&response{t: t, status: resp.StatusCode, header: resp.Header, body: b}).problem(http.StatusRequestTimeout, problem.InvalidRequest)
}

// A caller that dies in the middle of its request is no fault of the server.
func TestACutBodyIsARequestThatIsWrong(t *testing.T) {
	t.Parallel()
	handler := server.New(server.Options{Logger: discard}).Handler()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://localhost/v1/runs", iotest.ErrReader(io.ErrUnexpectedEOF)))
	(&response{t: t, status: w.Code, header: w.Header(), body: w.Body.Bytes()}).problem(http.StatusBadRequest, problem.InvalidRequest)
}

// The first token of a server that listens beyond its machine can't be made by a
// call.
func TestAServerThatNobodyCanComeIntoSaysSo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		listen string
		keys   access.Setup
		locked bool
	}{
		{"0.0.0.0:0", access.Setup{}, true},
		{"0.0.0.0:0", each(), false},
		{"0.0.0.0:0", access.Setup{Certificates: []access.Caller{{Name: "ada"}}}, false},
		{"127.0.0.1:0", access.Setup{}, false},
	} {
		var logged bytes.Buffer
		keys := newLocked(t, c.keys).keys
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", c.listen)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		o := serverOf(newRuns())
		o.Access, o.Logger = keys, slog.New(slog.NewTextHandler(&logged, nil))
		if err := server.New(o).Serve(ctx, l); err != nil {
			t.Fatal(err)
		}
		if text := logged.String(); strings.Contains(text, "nobody can come in") != c.locked || c.locked && !strings.Contains(text, "auth.tokens") {
			t.Errorf("%s with %d tokens: %s", c.listen, len(c.keys.Tokens), text)
		}
	}
}
