package registry

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// handTime is a clock that tests move.
type handTime struct {
	mu  sync.Mutex
	now time.Time
}

func newHandTime() *handTime { return &handTime{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (h *handTime) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *handTime) advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func TestBreakerOpens(t *testing.T) {
	t.Parallel()
	limited := problem.New(problem.RegistryLimited, "", "")
	down := problem.New(problem.RegistryUnavailable, "", "")
	in := func(p *problem.Error, d time.Duration) *problem.Error {
		return &problem.Error{Code: p.Code, RetryAfter: d}
	}
	for _, tc := range []struct {
		name     string
		failures []*problem.Error // the last of them decides
		open     time.Duration
	}{
		{"429", []*problem.Error{limited}, 30 * time.Second},
		{"429, shortly", []*problem.Error{in(limited, time.Second)}, 30 * time.Second},
		{"429, at length", []*problem.Error{in(limited, 6*time.Hour)}, 6 * time.Hour},
		{"four faults", []*problem.Error{down, down, down, down}, 0},
		{"five faults", []*problem.Error{down, down, down, down, down}, 30 * time.Second},
		{"a fault that says when", []*problem.Error{in(down, 9*time.Second)}, 9 * time.Second},
		{"five that say when", []*problem.Error{down, down, down, down, in(down, time.Minute)}, time.Minute},
	} {
		var b breaker
		now := newHandTime().Now()
		var open time.Duration
		for _, p := range tc.failures {
			open = b.failed(&trail{}, p, "is ill", now)
		}
		if open < tc.open || open > tc.open+tc.open/10 {
			t.Errorf("%s: open for %s, want %s and at most a tenth more", tc.name, open, tc.open)
		}
		if err := b.admit(&trail{}, now.Add(tc.open-1)); (err != nil) != (tc.open > 0) {
			t.Errorf("%s: admit = %v", tc.name, err)
		}
		if err := b.admit(&trail{}, now.Add(tc.open+tc.open/10)); err != nil {
			t.Errorf("%s: then admit = %v", tc.name, err)
		}
	}
}

func TestBreakerForgetsFailuresAfterASuccess(t *testing.T) {
	t.Parallel()
	var b breaker
	now := newHandTime().Now()
	p := problem.New(problem.RegistryUnavailable, "", "")
	for range 10 {
		for range tolerated - 1 {
			if open := b.failed(&trail{}, p, "", now); open != 0 {
				t.Fatalf("open for %s after fewer than %d failures in a row", open, tolerated)
			}
		}
		b.succeeded(&trail{})
	}
}

// While it tries again one call may go; each failure doubles the time, and a
// while of peace forgives.
func TestBreakerTriesAgain(t *testing.T) {
	t.Parallel()
	var b breaker
	p := problem.New(problem.RegistryLimited, "", "")
	clock := newHandTime()
	b.failed(&trail{}, p, "is ill", clock.Now())
	for _, want := range []time.Duration{60, 120, 240, 480, 900, 900} {
		clock.advance(20 * time.Minute)
		b.ended = clock.Now() // as if it had ended just now
		probe, other := &trail{}, &trail{}
		if err := b.admit(probe, clock.Now()); err != nil {
			t.Fatalf("the one that tries is held: %v", err)
		}
		if b.admit(other, clock.Now()) == nil {
			t.Fatal("a second call goes while one tries")
		}
		if err := b.admit(probe, clock.Now()); err != nil {
			t.Fatalf("its second request is held: %v", err)
		}
		b.succeeded(other) // it was under way since before
		open := b.failed(probe, p, "is ill", clock.Now())
		b.leave(probe)
		if want *= time.Second; open < want || open > want+want/10 {
			t.Errorf("open for %s, want %s and at most a tenth more", open, want)
		}
	}
	clock.advance(20 * time.Minute)
	probe := &trail{}
	must(0, b.admit(probe, clock.Now()))(t)
	b.succeeded(probe)
	b.leave(probe)
	clock.advance(forgiven)
	if open := b.failed(&trail{}, p, "", clock.Now()); open > 34*time.Second {
		t.Errorf("open for %s after a while of peace", open)
	}
}

func TestBreakerProbeThatLearnsNothingLeavesItToTheNext(t *testing.T) {
	t.Parallel()
	var b breaker
	now := newHandTime().Now()
	b.failed(&trail{}, problem.New(problem.RegistryLimited, "", ""), "", now)
	now = now.Add(time.Minute)
	first := &trail{}
	must(0, b.admit(first, now))(t)
	b.leave(first)
	if err := b.admit(&trail{}, now); err != nil {
		t.Errorf("the next is held: %v", err)
	}
}

// What a caller meets, through the whole client.
func TestRegistryThatAsksForFewerIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		fault http.HandlerFunc
		calls int // until it is left alone
		code  problem.Code
		says  string
	}{
		{"429", answer(429, "", "Retry-After", "120"), 1, problem.RegistryLimited, "is left alone: it asks for fewer requests (429"},
		{"500", answer(500, ""), 5, problem.RegistryUnavailable, "is left alone: it has a fault (500"},
		{"cut", func(w http.ResponseWriter, _ *http.Request) { hijack(w, "") }, 5, problem.RegistryUnavailable, "cut the connection"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := plainFake(t)
			f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
			f.fault = tc.fault
			clock := newHandTime()
			c := testClient(t, anonymous(f))
			c.now = clock.Now
			ref, other := mustRef(t, f.host()+"/etl/node:latest"), mustRef(t, f.host()+"/etl/other:latest")
			for range tc.calls {
				_, err := c.Resolve(t.Context(), ref)
				check(t, err, tc.code)
			}
			f.requests()
			_, err := c.Resolve(t.Context(), other)
			check(t, err, tc.code, tc.says, "resolve "+other.String()+": registry "+f.host(), "not before 2026-11-22T12:0")
			if wait := problem.From(err).RetryAfter; wait < 30*time.Second || wait > 3*time.Minute {
				t.Errorf("RetryAfter = %s", wait)
			}
			if got := f.requests(); len(got) != 0 {
				t.Errorf("it was asked all the same: %v", got)
			}
			f.set(func(f *fake) { f.fault = nil })
			clock.advance(3 * time.Minute)
			must(c.Resolve(t.Context(), ref))(t)
			must(c.Manifest(t.Context(), must(c.Resolve(t.Context(), ref))(t), nil))(t)
		})
	}
}

func TestRefusalsDoNotTripTheBreaker(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403, 404, 418} {
		f := plainFake(t)
		f.fault = answer(status, "")
		c := testClient(t, anonymous(f))
		ref := mustRef(t, f.host()+"/etl/node:latest")
		for range 3 * tolerated {
			if _, err := c.Resolve(t.Context(), ref); err == nil {
				t.Fatalf("%d: no error", status)
			}
		}
		if got := count(f.requests(), "HEAD"); got < 3*tolerated {
			t.Errorf("%d: %d HEADs, want each call to ask", status, got)
		}
	}
}

// GitHub's registry says "retry-after: 1.16ms" in the text of its 429. An
// instant is waited for; one that never ends is not.
func TestRetryAfterInTheBody(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	digest := f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	var left atomic.Int32
	f.fault = func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && left.Add(-1) >= 0 {
			answer(429, `{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 1.16ms, allowed: 44000/minute"}]}`)(w, r)
			return
		}
		f.content.ServeHTTP(w, r)
	}
	c := testClient(t, anonymous(f))
	pin := mustPin(t, f.host()+"/etl/node@"+string(digest))
	left.Store(2)
	must(c.Manifest(t.Context(), pin, nil))(t)
	must(c.Manifest(t.Context(), pin, nil))(t) // the breaker is closed
	left.Store(100)
	_, err := c.Manifest(t.Context(), pin, nil)
	check(t, err, problem.RegistryLimited, "TOOMANYREQUESTS")
	if got := 100 - left.Load(); got != 3 {
		t.Errorf("%d attempts, want 3", got)
	}
	if wait := problem.From(err).RetryAfter; wait < 30*time.Second {
		t.Errorf("RetryAfter = %s, want the breaker's", wait)
	}
}

// Calls that wait for their turn when the breaker opens don't go any more.
func TestCallsInTheQueueAreHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int32
		registry := roundTrip(func(r *http.Request) (*http.Response, error) {
			sent.Add(1)
			if r.URL.Path == "/v2/" {
				return status(http.StatusOK), nil
			}
			time.Sleep(500 * time.Millisecond) // the others queue meanwhile
			resp := status(http.StatusTooManyRequests)
			resp.Request = r
			return resp, nil
		})
		c := testClient(t, Access{Name: "r.example.com", Rate: 1})
		var callers sync.WaitGroup
		for i := range 10 {
			ref := mustRef(t, fmt.Sprintf("r.example.com/etl/app%d:latest", i))
			s := must(c.session(ref.Repository()))(t)
			if i == 0 {
				s.endpoint.inner = registry
				must(s.logins.ping(t.Context()))(t)
			}
			callers.Go(func() {
				_, err := c.Resolve(t.Context(), ref)
				if problem.CodeOf(err) != problem.RegistryLimited {
					t.Errorf("%s: %v, want it limited", ref, err)
				}
			})
		}
		callers.Wait()
		if sent.Load() != 2 { // a ping and a HEAD, which the rate lets go at once
			t.Errorf("%d requests, want 2", sent.Load())
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
