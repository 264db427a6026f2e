package registry

import (
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestReach(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		setUp  func(*fake)
		access func(*fake) Access
		code   problem.Code
		says   string
	}{
		{"open", func(*fake) {}, anonymous, "", ""},
		{"basic", func(f *fake) { f.login = "basic" }, loggedIn, "", ""},
		{"bearer", func(f *fake) { f.login = "bearer" }, loggedIn, "", ""},
		{"bearer, anonymous", func(f *fake) { f.login = "bearer" }, anonymous, "", ""},
		{"basic, anonymous", func(f *fake) { f.login = "basic" }, anonymous, problem.RegistryAuth, "refuses an anonymous client"},
		{"basic, wrong", func(f *fake) { f.login, f.password = "basic", "other" }, loggedIn, problem.RegistryAuth, "refuses the credentials (401"},
		{"bearer, wrong", func(f *fake) { f.login, f.password = "bearer", "other" }, loggedIn, problem.RegistryAuth, "refuses the credentials (401"},
		{"not there", func(f *fake) { f.Close() }, anonymous, problem.RegistryUnavailable, "refuses the connection"},
		{"something else", func(f *fake) { f.content = answer(404, "") }, anonymous, problem.RegistryAnswer, "no answer of a registry (404"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := plainFake(t)
			tc.setUp(f)
			c := testClient(t, tc.access(f))
			for range 2 { // what is known from the first does not count
				err := c.Reach(t.Context(), f.host())
				if tc.code == "" {
					must(0, err)(t)
				} else {
					check(t, err, tc.code, tc.says, "log in to "+f.host(), "registry "+f.host())
				}
			}
			if got := count(f.requests(), "GET /v2/"); tc.name != "not there" && got < 2 {
				t.Errorf("%d requests for two calls", got)
			}
		})
	}
	for _, host := range []string{"", "no registry", "a/b"} {
		err := testClient(t).Reach(t.Context(), host)
		check(t, err, problem.InvalidRequest, "no registry's name")
	}
}
