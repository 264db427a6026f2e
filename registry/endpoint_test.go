package registry

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"

	"github.com/prewarm/prewarm/internal/problem"
)

// wire answers requests without a network and notes their URLs.
type wire struct {
	answer func(n int, r *http.Request) (*http.Response, error)
	urls   []string
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.urls = append(w.urls, r.URL.Scheme+"://"+r.URL.Host)
	return w.answer(len(w.urls), r)
}

func status(code int, header ...string) *http.Response {
	resp := &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("x"))}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

// testEndpoint makes an endpoint over a wire.
func testEndpoint(w *wire, pauses ...time.Duration) *endpoint {
	const host = "r.example.com"
	all := rate.NewLimiter(rate.Inf, 1)
	return &endpoint{host: host, timeout: time.Second, pauses: pauses, now: time.Now, inner: w, limiter: newLimiter(host, 0, all), breaker: &breaker{}, tally: newTally()}
}

func TestEndpointRetries(t *testing.T) {
	t.Parallel()
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	fails := func(first int, resp *http.Response, err error) func(int, *http.Request) (*http.Response, error) {
		return func(n int, _ *http.Request) (*http.Response, error) {
			if n <= first {
				return resp, err
			}
			return status(http.StatusOK), nil
		}
	}
	for _, tc := range []struct {
		name     string
		method   string
		answer   func(int, *http.Request) (*http.Response, error)
		attempts int
		status   int // 0: an error
	}{
		{"success", "GET", fails(0, nil, nil), 1, 200},
		{"one 500", "GET", fails(1, status(500), nil), 2, 200},
		{"502 and 503", "HEAD", fails(2, status(502), nil), 3, 200},
		{"503 for good", "HEAD", fails(9, status(503), nil), 3, 503},
		{"503 that says when", "GET", fails(9, status(503, "Retry-After", "7"), nil), 1, 503},
		{"429 is the caller's affair", "GET", fails(9, status(429), nil), 1, 429},
		{"404", "GET", fails(9, status(404), nil), 1, 404},
		{"501", "GET", fails(9, status(501), nil), 1, 501},
		{"cut connection", "GET", fails(1, nil, reset), 2, 200},
		{"cut for good", "GET", fails(9, nil, io.EOF), 3, 0},
		{"refused connection", "GET", fails(9, nil, refused), 1, 0},
		{"a body is not sent twice", "POST", fails(9, status(500), nil), 1, 500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answer: tc.answer}
				e := testEndpoint(w, time.Second, 2*time.Second)
				var body io.Reader
				if tc.method == "POST" {
					body = strings.NewReader("grant_type=refresh_token")
				}
				req := must(http.NewRequestWithContext(t.Context(), tc.method, "https://r.example.com/v2/", body))(t)
				resp, err := e.RoundTrip(req)
				if len(w.urls) != tc.attempts {
					t.Errorf("%d attempts, want %d", len(w.urls), tc.attempts)
				}
				if err != nil {
					if tc.status != 0 {
						t.Errorf("error %v, want status %d", err, tc.status)
					}
					return
				}
				defer func() { _ = resp.Body.Close() }()
				if resp.StatusCode != tc.status {
					t.Errorf("status %d, want %d", resp.StatusCode, tc.status)
				}
			})
		})
	}
}

func TestEndpointStopsRetryingWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: func(int, *http.Request) (*http.Response, error) { return status(500), nil }}
		e := testEndpoint(w, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		req := must(http.NewRequestWithContext(ctx, http.MethodGet, "https://r.example.com/v2/", nil))(t)
		resp, err := e.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second || len(w.urls) != 1 {
			t.Errorf("%v after %s and %d attempts, want the context's end after 1s and 1 attempt", err, time.Since(begin), len(w.urls))
		}
	})
}

func TestPrivateAddressesAreSpokenToWithHTTPSOnly(t *testing.T) {
	t.Parallel()
	refuse := func(int, *http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	for _, tc := range []struct {
		host  string
		plain bool
		want  string
	}{
		{"10.1.2.3:5000", false, "https://10.1.2.3:5000"},
		{"192.168.1.2:5000", false, "https://192.168.1.2:5000"},
		{"localhost:5000", false, "https://localhost:5000"},
		{"127.0.0.1:5000", false, "https://127.0.0.1:5000"},
		{"registry.localhost", false, "https://registry.localhost"},
		{"registry.example.com", false, "https://registry.example.com"},
		{"10.1.2.3:5000", true, "http://10.1.2.3:5000"},
		{"localhost:5000", true, "http://localhost:5000"},
		{"registry.example.com", true, "http://registry.example.com"},
	} {
		t.Run(tc.want, func(t *testing.T) {
			t.Parallel()
			c := testClient(t, Access{Name: strings.ToUpper(tc.host), PlainHTTP: tc.plain})
			ref := mustRef(t, tc.host+"/etl/node:latest")
			w := &wire{answer: refuse}
			must(c.session(ref.Repository()))(t).endpoint.inner = w
			_, err := c.Resolve(t.Context(), ref)
			if diff := cmp.Diff([]string{tc.want}, w.urls); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if problem.CodeOf(err) != problem.RegistryUnavailable || !strings.Contains(err.Error(), "refuses the connection") {
				t.Errorf("Resolve = %v, want a refused connection", err)
			}
		})
	}
}

func TestPlainHTTPIsNotProbedWithHTTPS(t *testing.T) {
	t.Parallel()
	var conns atomic.Int32
	f := newFake(t, func(h http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				conns.Add(1)
			}
		}
		s.Start()
		return s
	})
	f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	c := testClient(t, anonymous(f))
	must(c.Resolve(t.Context(), mustRef(t, f.host()+"/etl/node:latest")))(t)
	if got := conns.Load(); got != 1 {
		t.Errorf("%d connections were opened, want 1", got)
	}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	f := newFake(t, httptest.NewTLSServer)
	f.login = "bearer"
	want := f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	c := testClient(t, Access{Name: f.host(), Username: testUser, Password: testPassword})
	ref := mustRef(t, f.host()+"/etl/node:latest")
	s := must(c.session(ref.Repository()))(t)

	_, err := c.Resolve(t.Context(), ref)
	if problem.CodeOf(err) != problem.RegistryUnavailable || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("Resolve = %v, want a certificate that does not hold", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(f.Certificate())
	s.endpoint.inner.(*http.Transport).TLSClientConfig.RootCAs = roots
	if got := must(c.Resolve(t.Context(), ref))(t); got.Digest() != want {
		t.Errorf("Resolve = %s, want digest %s", got, want)
	}

	// The way down to plain HTTP is closed for redirects too.
	other := plainFake(t)
	f.set(func(f *fake) {
		f.fault = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}
	})
	_, err = c.Resolve(t.Context(), ref)
	if problem.CodeOf(err) != problem.RegistryAnswer || len(other.requests()) != 0 {
		t.Errorf("redirect to http: %v, want it refused without a request", err)
	}
}

func TestCloseEndsIdleConnections(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{}, 1)
	f := newFake(t, func(h http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				closed <- struct{}{}
			}
		}
		s.Start()
		return s
	})
	f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	c := testClient(t, anonymous(f))
	must(c.Resolve(t.Context(), mustRef(t, f.host()+"/etl/node:latest")))(t)
	c.Close()
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Error("the connection is still open")
	}
}
