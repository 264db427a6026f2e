package registry

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestReconfigureKeepsWhatIsAsItWas(t *testing.T) {
	t.Parallel()
	kept, changed := plainFake(t), plainFake(t)
	for _, f := range []*fake{kept, changed} {
		f.login = "bearer"
		f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	}
	c := testClient(t, loggedIn(kept), loggedIn(changed))
	ask := func() {
		t.Helper()
		for _, f := range []*fake{kept, changed} {
			must(c.Resolve(t.Context(), mustRef(t, f.host()+"/etl/node:latest")))(t)
		}
	}
	ask()
	kept.requests()
	changed.requests()

	slower, other := loggedIn(kept), loggedIn(changed)
	slower.Rate, other.Rate, other.Password = 7, unlimited, "the next"
	changed.set(func(f *fake) { f.password = "the next" })
	c.Reconfigure(Options{Access: []Access{slower, other}, UserAgent: "prewarm-test", Timeout: 5 * time.Second, Rate: 9})
	ask()
	const head = "HEAD /v2/etl/node/manifests/latest"
	if diff := cmp.Diff([]string{head}, kept.requests()); diff != "" {
		t.Errorf("unchanged registry (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"GET /v2/", "GET /token", head}, changed.requests()); diff != "" {
		t.Errorf("changed registry (-want +got):\n%s", diff)
	}
	if got := c.registries[kept.host()].endpoint.limiter.own; got.Limit() != 7 || got.Burst() != 14 || c.overall.Limit() != 9 {
		t.Errorf("rates %v and %v, want 7 and 9", got.Limit(), c.overall.Limit())
	}

	// An entry that is gone takes its login along.
	c.Reconfigure(Options{Access: []Access{slower, anonymous(changed)}, UserAgent: "prewarm-test", Timeout: 5 * time.Second})
	_, err := c.Resolve(t.Context(), mustRef(t, changed.host()+"/etl/node:latest"))
	check(t, err, problem.RegistryAuth, "refuses")
}

func TestReconfigureDropsNoCallUnderWay(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	f.login = "basic"
	want := f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	arrived, release := make(chan struct{}), make(chan struct{})
	f.fault = func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		f.content.ServeHTTP(w, r)
	}
	c := testClient(t, loggedIn(f))
	ref := mustRef(t, f.host()+"/etl/node:latest")
	type result struct {
		pin Pin
		err error
	}
	results := make(chan result, 1)
	go func() {
		pin, err := c.Resolve(t.Context(), ref)
		results <- result{pin, err}
	}()
	<-arrived
	c.Reconfigure(Options{UserAgent: "another"})
	close(release)
	if got := <-results; got.err != nil || got.pin.Digest() != want {
		t.Errorf("the call under way: %s, %v", got.pin, got.err)
	}
}

// A registry that asked for fewer requests has not changed its mind because a
// password has; one that could not be reached may be by another certificate.
func TestReconfigureKeepsThePace(t *testing.T) {
	t.Parallel()
	base := Access{Name: "r.example.com", Username: testUser, Password: testPassword, Rate: 3}
	with := func(change func(*Access)) Access {
		a := base
		change(&a)
		return a
	}
	for _, tc := range []struct {
		name string
		code problem.Code
		next Access
		kept bool // it is still left alone
	}{
		{"password, limited", problem.RegistryLimited, with(func(a *Access) { a.Password = "the next" }), true},
		{"password, down", problem.RegistryUnavailable, with(func(a *Access) { a.Password = "the next" }), true},
		{"certificates, limited", problem.RegistryLimited, with(func(a *Access) { a.CAFile = "ca.pem" }), true},
		{"certificates, down", problem.RegistryUnavailable, with(func(a *Access) { a.CAFile = "ca.pem" }), false},
		{"plain HTTP", problem.RegistryLimited, with(func(a *Access) { a.PlainHTTP = true }), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := testClient(t, base)
				repo := mustRef(t, "r.example.com/etl/node:latest").Repository()
				before := must(c.session(repo))(t).endpoint
				p := problem.New(tc.code, "asks for fewer requests", "")
				p.RetryAfter = time.Hour
				before.breaker.failed(&trail{}, p, p.Message, time.Now())
				tc.next.Rate = 7
				c.Reconfigure(Options{Access: []Access{tc.next}, UserAgent: "prewarm-test", Timeout: 5 * time.Second, Rate: unlimited})
				after := must(c.session(repo))(t).endpoint
				if after == before {
					t.Fatal("the endpoint is the old one: the test proves nothing")
				}
				if err := after.breaker.admit(&trail{}, time.Now()); (err != nil) != tc.kept {
					t.Errorf("admit = %v, want it left alone %t", err, tc.kept)
				}
				if got := after.limiter.own.Limit(); got != 7 {
					t.Errorf("%g requests a second, want 7", float64(got))
				}
			})
		})
	}
}

func TestEmptyGroupsAreForgotten(t *testing.T) {
	t.Parallel()
	f := bareTokenFake()
	c := f.bareClient(t, Access{})
	l := c.registries[f.host()]
	for i := range 10 {
		l.join(authn.AuthConfig{Username: fmt.Sprint(i)}, "repository:a:pull", false).leave("repository:a:pull")
	}
	if len(l.groups) > 1 {
		t.Errorf("%d groups, want the last at most", len(l.groups))
	}
}
