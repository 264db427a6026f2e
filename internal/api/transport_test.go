package api_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// submit is the call for which it matters most whether it arrived.
func submit(t *testing.T, c *api.Client) error {
	t.Helper()
	_, err := c.Submit(t.Context(), api.SubmitRun{Image: "jobs"}, "")
	return err
}

func TestAnAddressWithAPasswordIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://u:hunter2@h", "u:hunter2@h:8470", "http://u:hunter2%zz@h"} {
		_, err := (&api.Client{URL: url}).Runs(t.Context())
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	c := clientOf(t, "http://"+address)
	calls := map[string]error{"submit": submit(t, c), "logs": c.Logs(t.Context(), "1", 0, true, nil)}
	for what, err := range calls {
		p := problemOf(t, err, problem.ServerUnreachable)
		if text := p.Error(); !strings.Contains(text, "http://"+address) || !strings.Contains(text, "refused") || strings.Count(text, address) > 2 {
			t.Errorf("%s: %s", what, text)
		}
		if !strings.Contains(p.Mend, "prewarm serve") || !strings.Contains(p.Mend, "PREWARM_URL") {
			t.Errorf("%s: mend %q", what, p.Mend)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	plain := ours(t, &domain{}).URL
	host := strings.TrimPrefix(plain, "http://")
	for _, address := range []string{plain, plain + "/", plain + "///", host, host + "/", "HTTP://" + host} {
		if err := submit(t, clientOf(t, address)); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
	_, port, _ := net.SplitHostPort(host)
	if err := submit(t, clientOf(t, "localhost:"+port)); err != nil {
		t.Errorf("localhost: %v", err)
	}
	for _, address := range []string{"", "http://", "http:///", "ftp://" + host, "unix:///run/prewarm.sock", ":8470", plain + "?x=1", plain + "#x", "http://a b", "http://[::1", "127.0.0.1:port"} {
		p := problemOf(t, submit(t, clientOf(t, address)), problem.ServerUnreachable)
		if !strings.Contains(p.Message, fmt.Sprintf("%q", address)) || !strings.Contains(p.Mend, "http://127.0.0.1:8470") {
			t.Errorf("%q: %v; %s", address, p, p.Mend)
		}
	}
	// TLS that fails, too, is a request that never was sent.
	expectCode(t, submit(t, clientOf(t, "https://"+host)), problem.ServerUnreachable)
}

func TestAPathBehindAProxy(t *testing.T) {
	t.Parallel()
	var asked string
	c := foreign(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, `{"images":[]}`)
	})
	c.URL += "/prewarm/"
	if _, err := c.Images(t.Context()); err != nil || asked != "/prewarm/v1/images" {
		t.Errorf("asked %s: %v", asked, err)
	}
}

// raw answers each connection with some bytes, once it got a request, and cuts
// it.
func raw(t *testing.T, answer string) *api.Client {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return clientOf(t, "http://"+l.Addr().String())
}

// Whenever the request may have arrived, a caller must not take it for safe to
// repeat.
func TestTheConnectionIsCutAfterTheRequest(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
	for name, answer := range map[string]string{
		"no answer":             "",
		"half a status line":    "HTTP/1.1 2",
		"half a header":         head + "Content-Le",
		"no body":               head + "Content-Length: 20\r\n\r\n",
		"half a body":           head + "Content-Length: 20\r\n\r\n{\"id\":\"1\"",
		"half a chunk":          head + "Transfer-Encoding: chunked\r\n\r\n14\r\n{\"id\":",
		"a body without length": head + "\r\n{\"id\":",
		"not JSON":              head + "Content-Length: 2\r\n\r\nok",
		"half a problem":        "HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\nContent-Length: 99\r\n\r\n{\"code\":",
		"not HTTP":              "SSH-2.0-OpenSSH_9.2p1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := raw(t, answer)
			p := problemOf(t, submit(t, c), problem.ServerLost)
			if !strings.Contains(p.Error(), c.URL) || p.Mend == "" {
				t.Errorf("%s; %s", p, p.Mend)
			}
		})
	}
}

func TestAnswersThatAreNotOurs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, contentType, body string
		status                  int
		want                    problem.Code
		says                    string
	}{
		{"a web page", "text/html", "<html>hi</html>", 200, problem.ServerUnreachable, "not a prewarm server: 200 OK, text/html"},
		{"no content", "", "", 204, problem.ServerUnreachable, "204 No Content"},
		{"another server's 404", "text/html", "<html>", 404, problem.ServerUnreachable, "404 Not Found"},
		{"another API's 401", "application/json", `{"message":"no"}`, 401, problem.ServerUnreachable, "401 Unauthorized"},
		{"a code of another kind", "application/json", `{"code":7}`, 400, problem.ServerUnreachable, "400 Bad Request"},
		{"a gateway that found nobody", "text/html", "<html>", 502, problem.ServerLost, "502 Bad Gateway"},
		{"a gateway that gave up", "text/plain", "timeout", 504, problem.ServerLost, "504 Gateway Timeout"},
		{"a server that fell over", "text/plain", "", 500, problem.ServerLost, "500 Internal Server Error"},
		{"a problem of ours", "application/problem+json", `{"code":"queue_full","detail":"full"}`, 429, problem.QueueFull, "full"},
		{"a code of a later release", "application/problem+json", `{"code":"brand_new","detail":"new"}`, 418, "brand_new", "new"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := foreign(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.contentType)
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			for _, err := range []error{submit(t, client), client.Logs(t.Context(), "1", 0, true, nil)} {
				if p := problemOf(t, err, c.want); !strings.Contains(p.Error(), c.says) {
					t.Errorf("says %q, want %q in it", p, c.says)
				}
			}
		})
	}
}

func TestAnEndlessErrorIsNotReadToItsEnd(t *testing.T) {
	t.Parallel()
	c := foreign(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	expectCode(t, submit(t, c), problem.ServerUnreachable)
}

// An environment holds secrets: they go to the server that was named, only.
func TestNoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	var elsewhere int
	other := foreign(t, func(http.ResponseWriter, *http.Request) { elsewhere++ })
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := foreign(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+r.URL.Path, status) })
		for _, err := range []error{submit(t, c), c.Logs(t.Context(), "1", 0, true, nil)} {
			if p := problemOf(t, err, problem.ServerUnreachable); !strings.Contains(p.Error(), "to "+other.URL) {
				t.Errorf("%d: where to is not said: %s", status, p)
			}
		}
	}
	if elsewhere != 0 {
		t.Errorf("%d requests went on to another host", elsewhere)
	}
}

func TestALogThatIsCut(t *testing.T) {
	t.Parallel()
	const line = `{"seq":1,"time":"2026-11-22T12:00:00Z","stream":"stdout","text":"one"}`
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
	for name, answer := range map[string]string{
		"between chunks":     head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\n\r\n", len(line)+1, line),
		"within a chunk":     head + "Transfer-Encoding: chunked\r\n\r\n1000\r\n" + line + "\n{",
		"within a line":      head + "\r\n" + line + "\n" + line[:20],
		"no line of a log":   head + "\r\n" + line + "\n<html>\n",
		"before its length":  head + "Content-Length: 1000\r\n\r\n" + line + "\n",
		"a line without end": head + "\r\n" + line + "\n" + line,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []api.LogLine
			err := raw(t, answer).Logs(t.Context(), "1", 0, true, func(l api.LogLine) error { got = append(got, l); return nil })
			expectCode(t, err, problem.ServerLost)
			if len(got) != 1 || got[0].Text != "one" {
				t.Errorf("before the cut: %+v", got)
			}
			var out bytes.Buffer
			last, err := raw(t, answer).CopyLogs(t.Context(), "1", 0, true, &out)
			expectCode(t, err, problem.ServerLost)
			if text := out.String(); last == 1 != (text == line+"\n") || last == 0 != (text == "") {
				t.Errorf("copied before the cut, to line %d: %q", last, text)
			}
		})
	}
}

func TestTheContextEndsACall(t *testing.T) {
	t.Parallel()
	hanging := foreign(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/logs") {
			w.Header().Set("Content-Type", "application/x-ndjson")
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	for name, call := range map[string]func(context.Context) error{
		"submit": func(ctx context.Context) error { _, err := hanging.Submit(ctx, api.SubmitRun{}, ""); return err },
		"logs":   func(ctx context.Context) error { return hanging.Logs(ctx, "1", 0, true, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := call(ctx)
			expectCode(t, err, problem.ServerLost) // it was sent
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			err = call(ctx) // it is not even sent
			expectCode(t, err, problem.ServerUnreachable)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}
