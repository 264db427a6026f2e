package registry

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// drip sends a byte now and then and never ends: a slow loris.
func drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	for r.Context().Err() == nil {
		_, _ = w.Write([]byte{' '})
		_ = http.NewResponseController(w).Flush()
		time.Sleep(time.Millisecond)
	}
}

// Whatever stood between, what it said while it did is forgotten when it is
// gone: the next answer is the registry's own.
func TestFaultsPass(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		fault func(f *fake) http.HandlerFunc
		code  problem.Code // of Resolve and Manifest alike
	}{
		{"401", func(*fake) http.HandlerFunc { return answer(401, "") }, problem.RegistryAuth},
		{"403", func(*fake) http.HandlerFunc { return answer(403, "") }, problem.RegistryAuth},
		{"404", func(*fake) http.HandlerFunc { return answer(404, "") }, problem.TagNotFound},
		{"429", func(*fake) http.HandlerFunc { return answer(429, "") }, problem.RegistryLimited},
		{"429 that says when", func(*fake) http.HandlerFunc { return answer(429, "", "Retry-After", "60") }, problem.RegistryLimited},
		{"500", func(*fake) http.HandlerFunc { return answer(500, "") }, problem.RegistryUnavailable},
		{"503 that says when", func(*fake) http.HandlerFunc { return answer(503, "", "Retry-After", "60") }, problem.RegistryUnavailable},
		{"login page", func(*fake) http.HandlerFunc { return answer(200, "<html>", "Content-Type", "text/html") }, problem.RegistryAnswer},
		{"cut body", func(f *fake) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				rec := httptest.NewRecorder()
				f.content.ServeHTTP(rec, r)
				hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"+rec.Body.String())
			}
		}, problem.RegistryUnavailable},
		{"slow loris", func(*fake) http.HandlerFunc { return drip }, problem.RegistryUnavailable},
		{"redirect to nowhere", func(*fake) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://127.0.0.1:1/x", http.StatusFound)
			}
		}, problem.RegistryUnavailable},
	} {
		for _, login := range []string{"", "basic", "bearer"} {
			t.Run(tc.name+" "+login, func(t *testing.T) {
				t.Parallel()
				f := plainFake(t)
				f.login = login
				want := f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
				clock := newHandTime()
				c := testClient(t, loggedIn(f))
				c.now = clock.Now
				if tc.name == "slow loris" {
					c.options.Timeout = 500 * time.Millisecond
				}
				ref := mustRef(t, f.host()+"/etl/node:latest")
				pin := NewPin(ref.Repository(), want)
				for range 2 {
					f.set(func(f *fake) { f.fault = headless(tc.fault(f)) })
					_, err := c.Resolve(t.Context(), ref)
					check(t, err, tc.code)
					clock.advance(time.Hour)
					_, err = c.Manifest(t.Context(), pin, nil)
					check(t, err, tc.code)
					clock.advance(time.Hour)
					f.set(func(f *fake) { f.fault, f.token = nil, "" })
					if got := must(c.Resolve(t.Context(), ref))(t); got != pin {
						t.Errorf("Resolve = %s, want %s", got, pin)
					}
					must(c.Manifest(t.Context(), pin, nil))(t)
				}
			})
		}
	}
}

// headless answers HEAD with a success that says nothing, so that GET and its
// body are what meets the fault; refusals stay what they are.
func headless(fault http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			fault(w, r)
		}
	}
}

// A token that ends between two requests of one call.
func TestTokenThatExpiresWithinACall(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	f.login = "bearer"
	digest := f.pushIndex(t, "etl/node", "latest", testIndex(t, f, "etl/node", "linux/amd64", "linux/arm64"))
	f.fault = func(w http.ResponseWriter, r *http.Request) {
		f.content.ServeHTTP(w, r)
		f.set(func(f *fake) { f.token = "" }) // good for one request
	}
	c := testClient(t, loggedIn(f))
	m := must(c.Manifest(t.Context(), mustPin(t, f.host()+"/etl/node@"+string(digest)), []Platform{amd64, arm64}))(t)
	if len(m.Children) != 2 || m.Children[0].Layers == nil || m.Children[1].Layers == nil {
		t.Errorf("Manifest = %+v, want two children with their layers", m)
	}
}

// Where a registry redirects to another that wants a token, that is asked for
// without our credentials.
func TestRedirectToARegistryWithTokens(t *testing.T) {
	t.Parallel()
	img := testImage(t, "linux/amd64", 1)
	other := plainFake(t)
	want := other.push(t, "etl/node", "latest", img)
	other.login, other.password, other.issued = "bearer", "", 100 // for anybody, by other names
	f := plainFake(t)
	f.login = "bearer"
	f.fault = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}
	c := testClient(t, loggedIn(f))
	if got := must(c.Resolve(t.Context(), mustRef(t, f.host()+"/etl/node:latest")))(t); got.Digest() != want {
		t.Errorf("Resolve = %s, want digest %s", got, want)
	}
	for _, header := range other.auth {
		if header == "Bearer "+f.token || strings.HasPrefix(header, "Basic") {
			t.Errorf("the other host got %q", header)
		}
	}
	if other.issued == 100 {
		t.Error("the other host gave no token: the test proves nothing")
	}
}

// A caller who gives up in the middle of a probe leaves the breaker to others.
func TestCallerGivesUpWhileTrying(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	f.fault = answer(429, "")
	clock := newHandTime()
	c := testClient(t, anonymous(f))
	c.now = clock.Now
	ref := mustRef(t, f.host()+"/etl/node:latest")
	_, err := c.Resolve(t.Context(), ref)
	check(t, err, problem.RegistryLimited)
	clock.advance(time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	f.set(func(f *fake) {
		f.fault = func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		}
	})
	if _, err := c.Resolve(ctx, ref); err == nil {
		t.Fatal("a cancelled call succeeded")
	}
	f.set(func(f *fake) { f.fault = nil })
	must(c.Resolve(t.Context(), ref))(t)
}

// A caller in a hurry says nothing about the registry.
func TestHurriedCallersDoNotTripTheBreaker(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	c := testClient(t, anonymous(f))
	ref := mustRef(t, f.host()+"/etl/node:latest")
	must(c.Resolve(t.Context(), ref))(t)
	f.set(func(f *fake) { f.fault = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() } })
	for range 2 * tolerated {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := c.Resolve(ctx, ref)
		cancel()
		check(t, err, problem.RegistryUnavailable, "in the time that the caller gave it")
	}
	f.set(func(f *fake) { f.fault = nil })
	must(c.Resolve(t.Context(), ref))(t)
}
