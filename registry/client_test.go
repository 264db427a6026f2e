package registry

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestResolveCostsOneHeadWhenWarm(t *testing.T) {
	t.Parallel()
	head := "HEAD /v2/etl/node/manifests/latest"
	for _, tc := range []struct {
		login string
		first []string
	}{
		{"", []string{"GET /v2/", head}},
		{"basic", []string{"GET /v2/", head}},
		{"bearer", []string{"GET /v2/", "GET /token", head}},
	} {
		t.Run("login "+tc.login, func(t *testing.T) {
			t.Parallel()
			f := plainFake(t)
			f.login = tc.login
			want := f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
			c := testClient(t, loggedIn(f))
			ref := mustRef(t, f.host()+"/etl/node:latest")

			pin := must(c.Resolve(t.Context(), ref))(t)
			if pin != NewPin(ref.Repository(), want) {
				t.Errorf("Resolve = %s, want digest %s", pin, want)
			}
			if diff := cmp.Diff(tc.first, f.requests()); diff != "" {
				t.Errorf("first call (-want +got):\n%s", diff)
			}
			for range 3 {
				must(c.Resolve(t.Context(), ref))(t)
				if diff := cmp.Diff([]string{head}, f.requests()); diff != "" {
					t.Errorf("warm call (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestResolveSeesATagMove(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	c := testClient(t, anonymous(f))
	ref := mustRef(t, f.host()+"/etl/node:latest")
	for range 2 {
		want := f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
		if got := must(c.Resolve(t.Context(), ref))(t).Digest(); got != want {
			t.Errorf("Resolve = %s, want %s", got, want)
		}
	}
}

// A hundred callers whose token has expired renew it once, not a hundred times.
func TestResolveRenewsAnExpiredTokenOnce(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	f.login = "bearer"
	f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	c := testClient(t, loggedIn(f))
	ref := mustRef(t, f.host()+"/etl/node:latest")
	must(c.Resolve(t.Context(), ref))(t)
	f.set(func(f *fake) { f.token = "" })
	f.requests()

	var callers sync.WaitGroup
	for range 100 {
		callers.Go(func() {
			if _, err := c.Resolve(t.Context(), ref); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	got := f.requests()
	if tokens, heads := count(got, "GET /token"), count(got, "HEAD"); tokens != 1 || heads != 101 || len(got) != 102 {
		t.Errorf("%d requests, %d for a token, %d HEADs; want 102, 1, 101", len(got), tokens, heads)
	}
}

func TestResolveWithoutAUsefulHead(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		head func(http.ResponseWriter, *http.Request, http.Handler)
		warm []string // requests of a later call
	}{
		{
			"no digest header", func(w http.ResponseWriter, r *http.Request, content http.Handler) {
				content.ServeHTTP(dropHeader{w, "Docker-Content-Digest"}, r)
			},
			[]string{"GET /v2/etl/node/manifests/latest"},
		},
		{
			"digest header is garbage", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				w.Header().Set("Docker-Content-Digest", "latest")
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Content-Length", "7")
			},
			[]string{"GET /v2/etl/node/manifests/latest"},
		},
		{
			"HEAD is not found", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				w.WriteHeader(http.StatusNotFound)
			},
			[]string{"HEAD /v2/etl/node/manifests/latest", "GET /v2/etl/node/manifests/latest"},
		},
		{
			"HEAD is not allowed", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				w.WriteHeader(http.StatusMethodNotAllowed)
			},
			[]string{"GET /v2/etl/node/manifests/latest"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := plainFake(t)
			want := f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
			f.fault = func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					tc.head(w, r, f.content)
					return
				}
				f.content.ServeHTTP(w, r)
			}
			c := testClient(t, anonymous(f))
			ref := mustRef(t, f.host()+"/etl/node:latest")
			for range 2 {
				f.requests()
				if got := must(c.Resolve(t.Context(), ref))(t).Digest(); got != want {
					t.Errorf("Resolve = %s, want %s", got, want)
				}
			}
			if diff := cmp.Diff(tc.warm, f.requests()); diff != "" {
				t.Errorf("warm call (-want +got):\n%s", diff)
			}
		})
	}
}

// dropHeader hides a header that the handler behind it sets.
type dropHeader struct {
	http.ResponseWriter
	name string
}

func (d dropHeader) WriteHeader(status int) {
	d.Header().Del(d.name)
	d.ResponseWriter.WriteHeader(status)
}

func TestZeroValuesAreRefused(t *testing.T) {
	t.Parallel()
	c := testClient(t)
	_, err := c.Resolve(t.Context(), Ref{})
	if got := problem.CodeOf(err); got != problem.InvalidRequest {
		t.Errorf("Resolve of no ref: code %q", got)
	}
	_, err = c.Manifest(t.Context(), Pin{}, nil)
	if got := problem.CodeOf(err); got != problem.InvalidRequest {
		t.Errorf("Manifest of no pin: code %q", got)
	}
}

// The first caller logs in for all. If it gives up, the next one logs in.
func TestCancelledFirstCallerDoesNotFailTheNext(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	arrived, release := make(chan struct{}), make(chan struct{})
	content := f.content
	var later atomic.Bool
	f.content = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !later.Swap(true) {
			close(arrived)
			<-release
		}
		content.ServeHTTP(w, r)
	})
	t.Cleanup(func() { close(release) })
	c := testClient(t, anonymous(f))
	ref := mustRef(t, f.host()+"/etl/node:latest")

	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := c.Resolve(ctx, ref); first <- err }()
	<-arrived
	go func() { _, err := c.Resolve(t.Context(), ref); second <- err }()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled caller: %v, want context.Canceled", err)
	}
	if err := <-second; err != nil {
		t.Errorf("next caller: %v", err)
	}
}

func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	c := testClient(t, anonymous(f))
	ref := mustRef(t, f.host()+"/etl/node:latest")
	s := must(c.session(ref.Repository()))(t)
	s.turn <- struct{}{} // somebody else's, for the whole test
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := c.Resolve(ctx, ref)
	if problem.CodeOf(err) != problem.RegistryUnavailable {
		t.Errorf("Resolve = %v, want it to end with its context", err)
	}
	if got := f.requests(); len(got) != 0 {
		t.Errorf("it asked the registry all the same: %v", got)
	}
}

func BenchmarkResolve(b *testing.B) {
	f := plainFake(b)
	f.push(b, "etl/node", "latest", testImage(b, "linux/amd64", 1))
	c := testClient(b, anonymous(f))
	ref := mustRef(b, f.host()+"/etl/node:latest")
	must(c.Resolve(b.Context(), ref))(b)
	f.requests()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if _, err := c.Resolve(b.Context(), ref); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(len(f.requests()))/float64(n), "requests/op")
}
