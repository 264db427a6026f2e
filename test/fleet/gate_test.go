package fleet

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// gateBefore puts a gate before a handler, and gives its address.
func gateBefore(t *testing.T, h http.HandlerFunc) (g *Gate, url string) {
	t.Helper()
	backend := httptest.NewServer(h)
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	g = newGate(dialTo("tcp", backend.Listener.Addr().String()))
	if err := g.start(addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.close()
		backend.Close()
	})
	return g, "http://" + addr
}

// fetch gets a path with a client of its own.
func fetch(t *testing.T, url string) (*http.Response, []byte, error) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

const aBlob = "/v2/a/blobs/sha256:0123"

func TestAGateCountsWhatPasses(t *testing.T) {
	t.Parallel()
	const size = 100_000 // several writes
	g, url := gateBefore(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == aBlob {
			_, _ = w.Write(make([]byte, size))
			return
		}
		_, _ = w.Write([]byte("{}"))
	})
	for range 2 {
		if _, body, err := fetch(t, url+aBlob); err != nil || len(body) != size {
			t.Errorf("%d bytes, %v", len(body), err)
		}
	}
	if _, _, err := fetch(t, url+"/v2/"); err != nil {
		t.Error(err)
	}
	want := Counts{Ping: 1, BlobGet: 2, Bytes: 2*size + 2, BlobBytes: 2 * size}
	if got := settled(g, want); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	g.Reset()
	if got := g.Counts(); got != (Counts{}) {
		t.Errorf("after Reset: %+v", got)
	}
}

// settled gives the counts as soon as they are as wanted: a client has an
// answer a moment before the gate has counted it.
func settled(g *Gate, want Counts) Counts {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if got := g.Counts(); got == want || time.Now().After(deadline) {
			return got
		}
	}
}

func TestAGateKeepsTheNameItWasAskedBy(t *testing.T) {
	t.Parallel()
	_, url := gateBefore(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Host)) })
	if _, body, err := fetch(t, url); err != nil || "http://"+string(body) != url {
		t.Errorf("the registry was asked for %s, not %s (%v)", body, url, err)
	}
}

func TestAGateIsSlow(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("x"), gateBurst+20_000)
	g, url := gateBefore(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) })
	for _, tc := range []struct {
		name  string
		order func()
		least time.Duration
	}{
		{"limited", func() { g.Limit(100_000) }, 200 * time.Millisecond}, // a burst passes at once
		{"delayed", func() { g.Limit(0); g.Delay(150 * time.Millisecond) }, 150 * time.Millisecond},
	} {
		tc.order()
		begin := time.Now()
		if _, body, err := fetch(t, url); err != nil || !bytes.Equal(body, content) {
			t.Errorf("%s: %d bytes, %v", tc.name, len(body), err)
		}
		if took := time.Since(begin); took < tc.least {
			t.Errorf("%s: %v, want %v or more", tc.name, took, tc.least)
		}
	}
}

func TestAGateFails(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 10)
	g, url := gateBefore(t, func(http.ResponseWriter, *http.Request) { asked <- struct{}{} })
	g.Fail(http.StatusTooManyRequests, http.Header{"Retry-After": {"7"}})
	resp, _, err := fetch(t, url+aBlob)
	if err != nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "7" {
		t.Errorf("got %v, %v", resp, err)
	}
	if len(asked) > 0 {
		t.Error("the registry was asked")
	}
	g.Fail(0, nil)
	if resp, _, err := fetch(t, url+aBlob); err != nil || resp.StatusCode != http.StatusOK || len(asked) != 1 {
		t.Errorf("after it failed: %v, %v", resp, err)
	}
	if want := (Counts{BlobGet: 2, Failed: 1}); settled(g, want) != want {
		t.Errorf("counted %+v", g.Counts())
	}
}

func TestATornAnswerStaysTorn(t *testing.T) {
	t.Parallel()
	g, url := gateBefore(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("the beginning"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	if _, body, err := fetch(t, url+aBlob); err == nil {
		t.Errorf("it was taken for whole: %q", body)
	}
	if want := (Counts{BlobGet: 1, Bytes: 13, BlobBytes: 13}); settled(g, want) != want {
		t.Errorf("counted %+v", g.Counts())
	}
}

func TestAClosedGateLeavesNothing(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	t.Run("used and closed", func(t *testing.T) {
		_, url := gateBefore(t, func(http.ResponseWriter, *http.Request) {})
		if _, _, err := fetch(t, url); err != nil {
			t.Fatal(err)
		}
	})
	goleak.VerifyNone(t, ignore)
}
