package server_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/warmer/hints"
)

// announced is a delivery of 1 MiB of which only the beginning comes.
const announced = "POST /v1/webhooks/ci HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n{"

// announce sends what is announced, and nothing more.
func announce(t *testing.T, url string) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, announced); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBodiesThatAreReadAtOnceAreBounded(t *testing.T) {
	t.Parallel()
	h := &hooks{answer: hints.Answer{Verdict: hints.Accepted}}
	url, _ := serve(t, server.Options{Images: stubImages{}, Runs: stub{}, Webhooks: h})
	client := clientOf(t, url)
	deliver := func() *response { return call(t, client, http.MethodPost, url+"/v1/webhooks/ci", "{}") }
	deliver().into(new(api.Told))
	var open []net.Conn
	for range 80 { // 64 are enough, unless the little one below is being read just when the last comes
		open = append(open, announce(t, url))
	}
	await := func(status int) *response {
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if r := deliver(); r.status == status || time.Now().After(deadline) {
				return r
			}
		}
	}
	if p := await(http.StatusServiceUnavailable).problem(http.StatusServiceUnavailable, problem.WebhookBusy); p.RetryAfter == 0 {
		t.Errorf("%+v", p)
	}
	for _, c := range open {
		_ = c.Close()
	}
	await(http.StatusAccepted).into(new(api.Told)) // sooner than the bodies would have been given up
}

// Where no hook is, nothing is read.
func TestABodyForNoHookIsNotRead(t *testing.T) {
	t.Parallel()
	h := &hooks{unexpected: problem.New(problem.WebhookNotFound, "there is no such webhook here", "")}
	url, _ := serve(t, server.Options{Images: stubImages{}, Runs: stub{}, Webhooks: h})
	resp, _ := sendRaw(t, url, announced, 5*time.Second) // half of what a body may take
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusNotFound || !strings.Contains(string(body), "there is no such webhook here") || h.asked != 0 {
		t.Errorf("%d %s %v", resp.StatusCode, body, err)
	}
}
