package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// A line that is longer than a token lives: nobody is sent with a token that
// ended in it, and few more requests are sent than without one.
func TestTokenIsNotMadeBeforeItsTurn(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{5 * time.Minute, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			f := bareTokenFake()
			f.life = life
			c := f.bareClient(t, Access{Username: testUser, Password: testPassword, Rate: 1}) // docker.io's
			refs := f.refs(t, 1000, 1)
			for range 2 {
				begin := time.Now()
				if failed := allAtOnce(t, c, refs); len(failed) > 0 {
					t.Errorf("tokens for %s: %d calls failed: %v", life, len(failed), failed[0])
				}
				kinds, sum := f.counted()
				if life > time.Minute && (sum > 1200 || kinds["refused"] != 0) {
					t.Errorf("%d requests for 1000 tags: %v, want at most 1200 and nothing refused", sum, kinds)
				}
				if took, least := time.Since(begin), time.Duration(sum-5)*time.Second; took < least {
					t.Errorf("%d requests in %s, want one a second", sum, took)
				}
				time.Sleep(time.Hour)
			}
		})
	}
}

// Calls that wait in line when the registry asks for fewer requests end then,
// and the one that tries again waits for none of them.
func TestLineEndsWhenTheBreakerOpens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := bareTokenFake()
		f.life = 24 * time.Hour
		c := f.bareClient(t, Access{Username: testUser, Password: testPassword, Rate: 1})
		refs := f.refs(t, 300, 1)
		allAtOnce(t, c, refs)
		f.fault = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
		}
		begin := time.Now()
		failed := allAtOnce(t, c, refs)
		if took := time.Since(begin); len(failed) != len(refs) || took > 3*time.Second {
			t.Errorf("%d of %d calls failed, the last after %s; want all, and soon", len(failed), len(refs), took)
		}
		for _, err := range failed {
			check(t, err, problem.RegistryLimited, "registry r.example.com")
		}
		f.fault = nil
		time.Sleep(70 * time.Second)
		begin = time.Now()
		must(c.Resolve(t.Context(), refs[7]))(t)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the call that tried again took %s", took)
		}
	})
}

// Who can't have its turn in time is told so when it comes, and who gives up in
// line is not told that the registry failed.
func TestCallerWithLittleTimeBehindALine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := bareTokenFake()
		c := f.bareClient(t, Access{Username: testUser, Password: testPassword, Rate: 1})
		refs := f.refs(t, 300, 1)
		ctx, cancel := context.WithCancel(t.Context())
		for _, ref := range refs[1:] {
			go func() { _, _ = c.Resolve(ctx, ref) }()
		}
		synctest.Wait()
		begin := time.Now()
		short, end := context.WithTimeout(t.Context(), time.Minute)
		defer end()
		_, err := c.Resolve(short, refs[0])
		check(t, err, problem.RegistryLimited, "registry r.example.com gets at most 1 requests a second from us")
		if took := time.Since(begin); took != 0 {
			t.Errorf("it was told after %s", took)
		}
		gone, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		if _, err := c.Resolve(gone, refs[0]); !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up: %v", err)
		}
		cancel()
		synctest.Wait()
		must(c.Resolve(t.Context(), refs[0]))(t)
	})
}

func TestOverallRateNamesNoRegistrysLimit(t *testing.T) {
	t.Parallel()
	c := New(Options{Rate: 0.001})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	own := newLimiter("r.example.com", 0, c.overall)
	must(0, own.wait(ctx, false))(t)
	const want = "gets no turn in the time that the caller gave: all registries together get at most 0.001 requests a second from us"
	if err := own.wait(ctx, false); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// A token server may refuse several scopes by any 4xx, a registry a token that
// is too long: each repository then goes by itself.
func TestGroupRefusedByWhicheverStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 404, 414, 422, 431} {
		t.Run(fmt.Sprintf("token server %d", status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := bareTokenFake()
				f.several = status
				c := f.bareClient(t, Access{Username: testUser, Password: testPassword})
				for range 3 {
					if failed := allAtOnce(t, c, f.refs(t, 30, 1)); len(failed) > 0 {
						t.Errorf("%d calls failed: %v", len(failed), failed[0])
					}
				}
				if kinds, _ := f.counted(); kinds["token"] > 45 || kinds["HEAD"] != 90 {
					t.Errorf("%v, want 90 HEADs, a token for each of 30 and for few groups", kinds)
				}
			})
		})
	}
	for _, status := range []int{400, 431} {
		t.Run(fmt.Sprintf("registry %d", status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := bareTokenFake()
				c := f.bareClient(t, Access{Username: testUser, Password: testPassword})
				f.fault = func(w http.ResponseWriter, r *http.Request) {
					if len(f.tokens[r.Header.Get("Authorization")[len("Bearer "):]].scopes) > 1 {
						w.WriteHeader(status)
						return
					}
					f.serveManifest(w, "", "")
				}
				for range 2 {
					if failed := allAtOnce(t, c, f.refs(t, 30, 1)); len(failed) > 0 {
						t.Errorf("%d calls failed: %v", len(failed), failed[0])
					}
				}
			})
		})
	}
}

// What a whole group is refused for by "too many requests" is no fault of its
// size.
func TestGroupStaysWhereTheTokenServerIsBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := bareTokenFake()
		f.several = http.StatusTooManyRequests
		c := f.bareClient(t, Access{Username: testUser, Password: testPassword})
		refs := f.refs(t, 2, 1)
		first, second := must(c.session(refs[0].Repository()))(t), must(c.session(refs[1].Repository()))(t)
		must(0, first.open(t.Context()))(t)
		must(0, second.open(t.Context()))(t)
		_, err := c.Resolve(t.Context(), refs[0])
		check(t, err, problem.RegistryLimited, "429")
		if first.login != second.login || first.login.isDissolved() {
			t.Error("the group was dissolved")
		}
	})
}
