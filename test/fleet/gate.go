package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// gateBurst is how much passes a limited gate at once, and how much is written
// at once at most.
const gateBurst = 32 << 10

// Gate is a reverse proxy in this process, before a registry, whose address it
// has. It counts what passes, and makes the registry slow or fail.
type Gate struct {
	server            *http.Server
	proxy             *httputil.ReverseProxy
	transport         *http.Transport
	tokens            *tokens // nil where the registry wants none
	certFile, keyFile string  // empty without TLS
	served            chan struct{}
	limit             *rate.Limiter

	mu     sync.Mutex // serves what follows
	counts Counts
	delay  time.Duration
	status int // with which every request is answered; none is zero
	header http.Header
}

func newGate(backend dialer) *Gate {
	g := &Gate{
		transport: &http.Transport{
			DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return backend(ctx) },
			DisableCompression:  true, // what is counted is what a client gets
			MaxIdleConnsPerHost: 32,
		},
		served: make(chan struct{}),
		limit:  rate.NewLimiter(rate.Inf, gateBurst),
	}
	quiet := log.New(io.Discard, "", 0) // a client that goes away is no news to a test
	g.proxy = &httputil.ReverseProxy{Rewrite: g.rewrite, Transport: g.transport, ErrorLog: quiet}
	g.server = &http.Server{Handler: http.HandlerFunc(g.serve), ErrorLog: quiet, ReadHeaderTimeout: time.Minute}
	return g
}

// start listens at the registry's address.
func (g *Gate) start(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("start gate: %w", err)
	}
	go func() {
		defer close(g.served)
		if g.certFile == "" {
			_ = g.server.Serve(l) // ends with "server closed"
			return
		}
		_ = g.server.ServeTLS(l, g.certFile, g.keyFile) // the same
	}()
	return nil
}

// close ends the gate and all connections.
func (g *Gate) close() {
	_ = g.server.Close() // only a listener that is closed already fails
	<-g.served
	g.transport.CloseIdleConnections()
}

// rewrite sends a request to the registry. It keeps the name by which it was
// asked for, which the registry puts into the addresses that it gives.
func (g *Gate) rewrite(p *httputil.ProxyRequest) {
	p.Out.URL.Scheme, p.Out.URL.Host = "http", "registry"
	p.Out.Host = p.In.Host
	p.Out.Header.Set("X-Forwarded-Proto", "http")
	if p.In.TLS != nil {
		p.Out.Header.Set("X-Forwarded-Proto", "https")
	}
	if g.tokens != nil {
		g.tokens.dropExpired(p.Out.Header)
	}
}

// serve counts in a defer: where a client goes away in the middle, the proxy
// panics to end the connection, and the request was one all the same.
func (g *Gate) serve(w http.ResponseWriter, r *http.Request) {
	counting := &countingWriter{ResponseWriter: w, gate: g, ctx: r.Context(), blob: isBlob(r)}
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.counts.add(r, counting.status)
	}()
	delay, status, header := g.orders()
	switch {
	case !sleep(r.Context(), delay):
	case status != 0:
		maps.Copy(w.Header(), header)
		counting.WriteHeader(status)
	case r.URL.Path == tokenPath && g.tokens != nil:
		g.tokens.ServeHTTP(counting, r)
	default:
		g.proxy.ServeHTTP(counting, r)
	}
}

// sleep tells whether the time passed before the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (g *Gate) orders() (delay time.Duration, status int, header http.Header) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.delay, g.status, g.header
}

// Limit lets so many bytes a second through to all clients together. Zero
// takes the limit away.
func (g *Gate) Limit(bytesPerSecond int64) {
	if bytesPerSecond <= 0 {
		g.limit.SetLimit(rate.Inf)
		return
	}
	g.limit.SetLimit(rate.Limit(bytesPerSecond))
}

// Quiet waits until nothing of a blob was sent for two seconds, and gives what was
// counted until then: a cache goes on to store what its client has already.
func (g *Gate) Quiet(ctx context.Context) (Counts, error) {
	const enough = 2 * time.Second
	counts, since := g.Counts(), time.Now()
	for time.Since(since) < enough {
		select {
		case <-ctx.Done():
			return counts, fmt.Errorf("wait for a quiet registry: %w", ctx.Err())
		case <-time.After(pollPause):
		}
		now := g.Counts() // others may look at manifests all the time
		if now.BlobGet != counts.BlobGet || now.BlobBytes != counts.BlobBytes {
			since = time.Now()
		}
		counts = now
	}
	return counts, nil
}

// Delay lets every request wait before it is answered.
func (g *Gate) Delay(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delay = d
}

// Fail answers every request with a status and a header, without asking the
// registry. Fail(0, nil) ends that.
func (g *Gate) Fail(status int, header http.Header) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status, g.header = status, header.Clone()
}

// TokenLife is how long tokens are good that are given from now on. It does
// nothing for a registry without tokens.
func (g *Gate) TokenLife(d time.Duration) {
	if g.tokens != nil {
		g.tokens.setLife(d)
	}
}

// Counts is what has passed so far. A request counts once it was answered, the
// bytes of its answer as they go.
func (g *Gate) Counts() Counts {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.counts
}

// Reset begins to count anew.
func (g *Gate) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts = Counts{}
}

// countingWriter counts what is written, and lets it through as fast as the
// gate is to.
type countingWriter struct {
	http.ResponseWriter

	gate   *Gate
	ctx    context.Context // of the request that is answered, as the writer is
	status int
	blob   bool
}

// Unwrap lets the proxy flush.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *countingWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(b []byte) (int, error) {
	written := 0
	for len(b) > 0 {
		part := b[:min(len(b), gateBurst)]
		if err := w.gate.limit.WaitN(w.ctx, len(part)); err != nil {
			return written, errors.Join(http.ErrAbortHandler, err)
		}
		n, err := w.ResponseWriter.Write(part)
		written += n
		w.gate.passed(int64(n), w.blob)
		if err != nil {
			return written, err
		}
		b = b[n:]
	}
	return written, nil
}

func (g *Gate) passed(n int64, blob bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts.Bytes += n
	if blob {
		g.counts.BlobBytes += n
	}
}
