package registry

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestDefaultRate(t *testing.T) {
	t.Parallel()
	for host, want := range map[string][2]int{
		"docker.io": {1, 5}, "index.docker.io": {1, 5},
		"localhost": {100, 200}, "localhost:5000": {100, 200}, "x.localhost:5000": {100, 200}, "LOCALHOST": {100, 200},
		"127.0.0.1:5000": {100, 200}, "10.1.2.3": {100, 200}, "192.168.1.2:5000": {100, 200}, "172.16.0.1": {100, 200},
		"[::1]:5000": {100, 200}, "[fd00::1]:5000": {100, 200},
		"ghcr.io": {10, 20}, "8.8.8.8": {10, 20}, "localhost.example.com": {10, 20}, "172.32.0.1:5000": {10, 20},
	} {
		perSecond, burst := defaultRate(host)
		if int(perSecond) != want[0] || burst != want[1] {
			t.Errorf("%s: %g a second, burst %d, want %v", host, perSecond, burst, want)
		}
	}
}

// Every request waits: those for a token and repeated ones as well.
func TestRequestsKeepTheirRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: func(n int, _ *http.Request) (*http.Response, error) {
			return map[bool]*http.Response{true: status(500), false: status(200)}[n%2 == 0], nil
		}}
		e := testEndpoint(w, time.Nanosecond)
		e.limiter = newLimiter(e.host, 2, rate.NewLimiter(rate.Inf, 1))
		begin := time.Now()
		for _, path := range []string{"/v2/", "/token", "/v2/a/manifests/b", "/v2/a/tags/list", "/v2/a/manifests/c", "/v2/a/manifests/d"} {
			req := must(http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+e.host+path, nil))(t)
			resp := must(e.RoundTrip(req))(t)
			_ = resp.Body.Close()
		}
		want := time.Duration(len(w.urls)-4) * 500 * time.Millisecond // four at once, then two a second
		if took := time.Since(begin).Round(time.Millisecond); took != want || len(w.urls) < 8 {
			t.Errorf("%d requests in %s, want %s", len(w.urls), took, want)
		}
	})
}

func TestAllRegistriesShareTheOverallRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Rate: 1})
		begin := time.Now()
		for range 2 {
			for _, host := range []string{"a.example.com", "b.example.com"} {
				must(0, newLimiter(host, 0, c.overall).wait(t.Context(), false))(t)
			}
		}
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("four requests took %s, want 2s: two at once, then one a second", took)
		}
	})
}

func TestNoTurnInTime(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	c := testClient(t, Access{Name: f.host(), PlainHTTP: true, Rate: 0.001})
	ref := mustRef(t, f.host()+"/etl/node:latest")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begin := time.Now()
	_, err := c.Resolve(ctx, ref) // the ping took the only turn
	check(t, err, problem.RegistryLimited, "at most 0.001 requests a second from us", "registry "+f.host())
	if time.Since(begin) > 30*time.Second {
		t.Error("it waited for a turn that could not come in time")
	}
	ctx, cancel = context.WithDeadline(t.Context(), begin)
	defer cancel()
	if err := newLimiter(f.host(), 0, c.overall).wait(ctx, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a caller who came too late: %v, and our rate has no part in it", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := c.Resolve(ctx, ref); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
