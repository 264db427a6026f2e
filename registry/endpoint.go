package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Limits of what a registry can make us do. The distribution specification
// asks registries to take manifests up to 4 MiB; a configuration is smaller.
const (
	maxBody      = 8 << 20
	maxHeaders   = 256 << 10
	maxRedirects = 10 // what http.Client allows by itself
)

// errPlainHTTP refuses a request that would travel unencrypted.
var errPlainHTTP = errors.New("plain HTTP is not allowed for this registry")

// endpoint sends the requests for one registry, those to its token server and
// those that it redirects included. Each of them waits for its turn first, and
// is not sent where the registry asked to be left alone.
//
// It is below the layer that adds credentials.
type endpoint struct {
	host    string // host[:port] as requests carry it
	plain   bool
	timeout time.Duration
	pauses  []time.Duration
	now     func() time.Time
	inner   http.RoundTripper

	limiter *limiter
	breaker *breaker
	tally   *tally
	quota   quota
}

var _ http.RoundTripper = (*endpoint)(nil)

// newWire makes the connections to a registry.
func newWire(host string, access Access, timeout time.Duration, logger *slog.Logger) http.RoundTripper {
	plain := func() *http.Transport { return newTransport(timeout) }
	if access.CAFile == "" && access.CertFile == "" && access.KeyFile == "" {
		return plain()
	}
	return &certified{host: host, access: access, make: plain, logger: logger}
}

func newTransport(timeout time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    timeout,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second, // longer than the usual interval of a watch
		MaxResponseHeaderBytes: maxHeaders,
	}
}

func (e *endpoint) close() {
	if t, ok := e.inner.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// scheme is what the registry itself is spoken to with.
func (e *endpoint) scheme() string {
	if e.plain {
		return "http"
	}
	return "https"
}

// owns tells whether a request goes to the registry itself, which alone gets
// its credentials. The port may be written out or not.
func (e *endpoint) owns(u *url.URL) bool {
	port := map[string]string{"http": ":80", "https": ":443"}[e.scheme()]
	return strings.EqualFold(strings.TrimSuffix(u.Host, port), strings.TrimSuffix(e.host, port))
}

// RoundTrip sends a request, again after a short pause where the failure looks
// like a blip. It gives up as soon as the request's context ends.
func (e *endpoint) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := e.checkScheme(req); err != nil {
		return nil, err
	}
	if redirects(req) > maxRedirects {
		return nil, fmt.Errorf("it redirects more than %d times", maxRedirects)
	}
	for _, pause := range e.pauses {
		resp, err := e.attempt(req)
		if sends := req.Body != nil && req.Body != http.NoBody; sends || !blip(resp, err, trailOf(req.Context())) || req.Context().Err() != nil {
			return resp, err
		}
		if resp != nil {
			_ = resp.Body.Close() // nothing in it is wanted
		}
		if err := sleep(req.Context(), pause); err != nil {
			return nil, err
		}
	}
	return e.attempt(req)
}

// checkScheme holds the promise of Access.PlainHTTP. go-containerregistry
// falls back to http by itself for localhost and private addresses, and tries
// https first where http is configured; a redirect can change the scheme too.
func (e *endpoint) checkScheme(req *http.Request) error {
	switch {
	case req.URL.Scheme == "http" && !e.plain:
		return errPlainHTTP
	case req.URL.Scheme == "https" && e.plain && strings.EqualFold(req.URL.Host, e.host):
		return errors.New("registry is configured for plain HTTP")
	}
	return nil
}

// redirects counts the redirects that led to a request. go-containerregistry's
// own check of redirects replaced http.Client's limit: without one, a registry
// that redirects to itself would hold a call for good.
func redirects(req *http.Request) int {
	n := 0
	for from := req.Response; from != nil && from.Request != nil; from = from.Request.Response {
		n++
	}
	return n
}

// attempt sends the request once, within the time limit that also covers the
// reading of its answer. Waiting for its turn does not count.
func (e *endpoint) attempt(req *http.Request) (*http.Response, error) {
	t := trailOf(req.Context())
	question := questionOf(req)
	if err := e.await(req.Context(), t, question); err != nil {
		e.tally.turned(err)
		return nil, err
	}
	t.sent(req, e.now())
	ctx, cancel := context.WithTimeout(req.Context(), e.timeout)
	resp, err := e.inner.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		t.failed = err
		if req.Context().Err() == nil {
			e.tally.count(NoAnswer)
		}
		return nil, err
	}
	resp.Body = &limitedBody{ReadCloser: http.MaxBytesReader(nil, resp.Body, maxBody), cancel: cancel}
	t.answered(resp)
	e.tally.count(outcomeOf(resp.StatusCode))
	if e.owns(req.URL) {
		e.quota.read(resp.Header, question, e.now())
	}
	return resp, nil
}

// await waits for a request's turn within the registry's quota and our rates,
// unless it has had it. The breaker is asked before, so as to fail at once, and
// after; where it opens meanwhile, the wait ends.
func (e *endpoint) await(ctx context.Context, t *trail, question asked) error {
	watched, done := e.breaker.watch(ctx, t)
	defer done()
	if err := e.breaker.admit(t, e.now()); err != nil || t.paid {
		return err
	}
	err := e.queue(watched, t, question)
	var held *errHeld
	switch {
	case errors.As(context.Cause(watched), &held):
		return held
	case err != nil:
		return err
	}
	t.begun = true
	return e.breaker.admit(t, e.now())
}

func (e *endpoint) queue(ctx context.Context, t *trail, question asked) error {
	pause, err := e.quota.admit(question, e.now())
	if err != nil {
		return err
	}
	if pause > 0 {
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
	return e.limiter.wait(ctx, t.begun)
}

// blip tells whether the same request may well succeed in a moment: the server
// erred, the connection was cut, or the registry itself speaks of an instant. A
// Retry-After is the server's own word on when, and longer than we wait here; a
// timeout has taken its time already.
func blip(resp *http.Response, err error, t *trail) bool {
	if err != nil {
		return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
			errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	}
	switch resp.StatusCode {
	case http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return resp.Header.Get("Retry-After") == ""
	case http.StatusTooManyRequests:
		return t.instant
	}
	return false
}

// sleep waits for about d, so that many who failed together don't come back
// together, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	return wait(ctx, d/2+rand.N(d))
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a turn: %w", ctx.Err())
	}
}

// limitedBody frees the attempt's timer when its answer was read.
type limitedBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *limitedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
