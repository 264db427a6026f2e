package registry

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/prewarm/prewarm/internal/problem"
)

// A password that is wrong by now is not shown by every image at every look;
// the next one is at once.
func TestRefusedLoginIsNotSentAgainAndAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := bareTokenFake()
		c := f.bareClient(t, Access{})
		have := authn.AuthConfig{Username: testUser, Password: testPassword}
		c.keychain = keychain(func() (authn.AuthConfig, error) { return have, nil })
		refs := f.refs(t, 100, 1)
		allAtOnce(t, c, refs)
		f.counted()
		f.password = "the next"
		for range 24 { // two hours
			time.Sleep(5 * time.Minute)
			for _, err := range allAtOnce(t, c, refs) {
				check(t, err, problem.RegistryAuth, "refuses the credentials (401 Unauthorized)", "not sent again before", "check the username and the password")
			}
		}
		// Four groups may find out at a time; then it is tried after a minute, two, four …
		if kinds, sum := f.counted(); sum > 8+2*10 {
			t.Errorf("%d requests in two hours: %v, want few", sum, kinds)
		}
		time.Sleep(time.Second)
		have.Password = "the next" // docker login
		if failed := allAtOnce(t, c, refs); len(failed) > 0 {
			t.Errorf("after a new login: %d calls failed: %v", len(failed), failed[0])
		}
	})
}

func TestRefusedPasswordOfARegistryWithoutTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		password, sent := testPassword, 0
		registry := roundTrip(func(r *http.Request) (*http.Response, error) {
			_, shown, ok := r.BasicAuth()
			resp := status(http.StatusUnauthorized, "WWW-Authenticate", `Basic realm="fake"`)
			switch denied := r.URL.Path == "/v2/team/app0/manifests/v0"; {
			case !ok:
			case shown != password:
				sent++
			case !denied:
				resp = status(http.StatusOK, "Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64), "Content-Type", "text/plain")
				resp.ContentLength = 1
			}
			resp.Request = r
			return resp, nil
		})
		f := bareTokenFake()
		c := f.bareClient(t, Access{Username: testUser, Password: testPassword})
		refs := f.refs(t, 50, 1)
		must(c.session(refs[0].Repository()))(t).endpoint.inner = registry
		for range 2 { // a repository that is denied is no refused login
			if failed := allAtOnce(t, c, refs); len(failed) != 1 {
				t.Fatalf("%d calls failed, want that for the denied repository: %v", len(failed), failed)
			}
		}
		password = "the next"
		allAtOnce(t, c, refs)
		if sent > 2*len(refs) {
			t.Errorf("%d requests with a wrong password", sent)
		}
		sent = 0
		for range 20 {
			time.Sleep(2 * time.Second)
			if failed := allAtOnce(t, c, refs); len(failed) != len(refs) {
				t.Fatalf("%d calls failed, want all", len(failed))
			}
		}
		if sent != 0 {
			t.Errorf("%d requests with a wrong password within a minute", sent)
		}
		password = testPassword
		time.Sleep(time.Minute)
		allAtOnce(t, c, refs)
		if failed := allAtOnce(t, c, refs); len(failed) != 1 {
			t.Errorf("after the registry took it again: %d calls failed: %v", len(failed), failed[0])
		}
	})
}

func TestRefusalsGrow(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := &logins{endpoint: &endpoint{now: func() time.Time { return now }}, refusals: map[authn.AuthConfig]*refusal{}}
	auth := authn.AuthConfig{Username: testUser}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		must(0, l.mayShow(auth))(t)
		if err := l.refuse(auth); !isRefused(err) || l.mayShow(auth) == nil {
			t.Fatalf("%v, and it may be shown", err)
		}
		if got := l.refusals[auth].until.Sub(now); got != want*time.Minute {
			t.Errorf("%s, want %d minutes", got, want)
		}
		now = l.refusals[auth].until
	}
	must(0, l.mayShow(auth))(t)
	if l.mayShow(auth) == nil {
		t.Error("two calls may try at a time")
	}
	l.accept(auth)
	must(0, l.mayShow(auth))(t)
}
