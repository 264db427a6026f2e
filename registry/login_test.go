package registry

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/prewarm/prewarm/internal/problem"
)

// What watching costs: in a warm round one request for each tag and one for
// each 25 repositories, even if all tokens have expired since the last.
func TestRequestsPerTag(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		repos, tags int
		open        bool
		first, warm float64 // requests per tag
	}{
		{"1000 tags in 100 repositories", 100, 10, false, 1.11, 1.005},
		{"1000 repositories", 1000, 1, false, 2.01, 1.05},
		{"anonymous", 100, 10, true, 1.01, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := newTokenFake(t)
			f.open = tc.open
			c := f.client(t)
			refs := f.refs(t, tc.repos, tc.tags)
			perTag := func(name string, atMost float64, pings int) {
				t.Helper()
				for i, pin := range round(t, c, refs) {
					if pin.IsZero() {
						t.Fatalf("%s: %s could not be resolved", name, refs[i])
					}
				}
				kinds, sum := f.counted()
				if got := float64(sum) / float64(len(refs)); got > atMost {
					t.Errorf("%s: %.3f requests per tag, want at most %.3f: %v", name, got, atMost, kinds)
				}
				if kinds["HEAD"] != len(refs) || kinds["GET"] != 0 || kinds["refused"] != 0 || kinds["ping"] != pings {
					t.Errorf("%s: %v, want %d HEADs, no GET, nothing refused, %d pings", name, kinds, len(refs), pings)
				}
			}
			perTag("first round", tc.first, 1)
			for range 2 {
				perTag("quiet round", tc.warm, 0)
				f.set(func(f *tokenFake) { f.clock = f.clock.Add(6 * time.Minute) })
			}
			f.set(func(f *tokenFake) {
				for i := 0; i < len(refs); i += 100 {
					repo := strings.TrimPrefix(refs[i].Repository().Path(), "/")
					f.moved[repo+":"+refs[i].Tag()] = "1"
				}
			})
			changed := 0
			for _, pin := range round(t, c, refs) {
				if pin.Digest().Hex()[0] == '1' {
					changed++
				}
			}
			kinds, sum := f.counted()
			if changed != len(refs)/100 || float64(sum) > 1.05*float64(len(refs)) || kinds["GET"] != 0 {
				t.Errorf("one change in a hundred: %d seen for %v", changed, kinds)
			}
			f.set(func(f *tokenFake) { f.clock = f.clock.Add(time.Hour) })
			perTag("an hour later", tc.warm+0.001, 1)
			if f.largest > groupSize {
				t.Errorf("a token was asked for %d scopes", f.largest)
			}
		})
	}
}

// A token is renewed before it ends, so that nobody is refused for it.
func TestTokenIsRenewedInTime(t *testing.T) {
	t.Parallel()
	f := newTokenFake(t)
	c := f.client(t)
	refs := f.refs(t, 1, 1)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {239 * time.Second, 0}, {2 * time.Second, 1}, {time.Minute, 0}, {time.Hour, 1}} {
		f.set(func(f *tokenFake) { f.clock = f.clock.Add(step.after) })
		round(t, c, refs)
		if kinds, _ := f.counted(); kinds["token"] != step.want || kinds["refused"] != 0 {
			t.Errorf("%s later: %v, want %d tokens and nothing refused", step.after, kinds, step.want)
		}
	}
}

// A token server that is down stops nobody whose token lives, and is not asked
// by each of them.
func TestTokenOutlivesItsServer(t *testing.T) {
	t.Parallel()
	f := newTokenFake(t)
	c := f.client(t)
	refs := f.refs(t, 20, 1)
	round(t, c, refs)
	f.counted()
	f.set(func(f *tokenFake) { f.down, f.clock = true, f.clock.Add(4*time.Minute+time.Second) })
	for i, pin := range round(t, c, refs) {
		if pin.IsZero() {
			t.Errorf("%s failed", refs[i])
		}
	}
	if kinds, _ := f.counted(); kinds["token"] != 3 { // one call's attempts
		t.Errorf("%v, want 3 requests for a token", kinds)
	}
	f.set(func(f *tokenFake) { f.clock = f.clock.Add(time.Minute) })
	_, err := c.Resolve(t.Context(), refs[0])
	check(t, err, problem.RegistryUnavailable, "502")
}

// One repository that is denied must not take its group along, whichever way
// the registry says so.
func TestDeniedRepositoryDoesNotPoisonItsGroup(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("strict %t", strict), func(t *testing.T) {
			t.Parallel()
			f := newTokenFake(t)
			f.strict = strict
			f.denied = func(repo string) bool { return repo == "team/app7" }
			c := f.client(t)
			refs := f.refs(t, 20, 1)
			for n := range 4 {
				f.counted()
				for i, pin := range round(t, c, refs) {
					if pin.IsZero() != (i == 7) {
						t.Errorf("round %d: %s = %s", n, refs[i], pin)
					}
				}
				f.set(func(f *tokenFake) { f.clock = f.clock.Add(sessionAge) })
			}
			kinds, sum := f.counted()
			if sum > 20+6 {
				t.Errorf("round 4: %d requests for 20 tags: %v", sum, kinds)
			}
			_, err := c.Resolve(t.Context(), refs[7])
			check(t, err, problem.RegistryAuth, "it may read "+f.host()+"/team/app7")
			f.set(func(f *tokenFake) { f.denied = func(string) bool { return false } })
			must(c.Resolve(t.Context(), refs[7]))(t)
		})
	}
}

// A repository whose right was taken away while it was in a group.
func TestRepositoryDeniedLater(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		f := newTokenFake(t)
		f.strict = strict
		c := f.client(t)
		refs := f.refs(t, 20, 1)
		round(t, c, refs)
		f.set(func(f *tokenFake) {
			f.denied = func(repo string) bool { return repo == "team/app7" }
			f.clock = f.clock.Add(f.life)
		})
		for i, pin := range round(t, c, refs) {
			if pin.IsZero() != (i == 7) {
				t.Errorf("strict %t: %s = %s", strict, refs[i], pin)
			}
		}
	}
}

func TestRegistryThatKnowsNoGroups(t *testing.T) {
	t.Parallel()
	f := newTokenFake(t)
	f.firstOnly = true
	c := f.client(t)
	refs := f.refs(t, 50, 1)
	for range 2 {
		f.counted()
		for i, pin := range round(t, c, refs) {
			if pin.IsZero() {
				t.Errorf("%s failed", refs[i])
			}
		}
		f.set(func(f *tokenFake) { f.clock = f.clock.Add(sessionAge) })
	}
	if kinds, sum := f.counted(); sum != 100 {
		t.Errorf("%v, want a token and a HEAD for each", kinds)
	}
}

func TestRegistryThatWantsAnotherScope(t *testing.T) {
	t.Parallel()
	f := newTokenFake(t)
	f.prefix = "mirror/"
	c := f.client(t)
	for _, ref := range f.refs(t, 3, 2) {
		must(c.Resolve(t.Context(), ref))(t)
	}
}

// A helper's password ended a moment ago: the call that finds out reads the new
// one, and its caller notices nothing.
func TestCredentialsThatExpireBetweenTwoCalls(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	f.login = "basic"
	f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	c := testClient(t, anonymous(f))
	password := testPassword
	c.keychain = keychain(func() (authn.AuthConfig, error) {
		return authn.AuthConfig{Username: testUser, Password: password}, nil
	})
	ref := mustRef(t, f.host()+"/etl/node:latest")
	must(c.Resolve(t.Context(), ref))(t)
	password = "the next"
	f.set(func(f *fake) { f.password = password })
	must(c.Resolve(t.Context(), ref))(t)
}

func TestRegistryThatStartsToWantALogin(t *testing.T) {
	t.Parallel()
	f := newTokenFake(t)
	f.open = true
	c := f.client(t)
	ref := f.refs(t, 1, 1)[0]
	must(c.Resolve(t.Context(), ref))(t)
	f.set(func(f *tokenFake) { f.open, f.clock = false, f.clock.Add(2*time.Minute) })
	if _, err := c.Resolve(t.Context(), ref); problem.CodeOf(err) != problem.RegistryAuth {
		t.Errorf("the call that finds out: %v, want it refused", err)
	}
	must(c.Resolve(t.Context(), ref))(t)
}

// BenchmarkWatch is a quiet round over 1,000 tags whose tokens have all expired
// since the last one, and what it leaves on the heap.
func BenchmarkWatch(b *testing.B) {
	for _, repos := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%d-repositories", repos), func(b *testing.B) {
			f := newTokenFake(b)
			refs := f.refs(b, repos, 1000/repos)
			before := heap()
			c := f.client(b)
			round(b, c, refs)
			_, first := f.counted()
			rounds := 0
			for b.Loop() {
				f.set(func(f *tokenFake) { f.clock = f.clock.Add(6 * time.Minute); clear(f.tokens) })
				round(b, c, refs)
				rounds++
			}
			_, sum := f.counted()
			b.ReportMetric(float64(first)/1000, "first-requests/tag")
			b.ReportMetric(float64(sum)/float64(1000*rounds), "requests/tag")
			f.set(func(f *tokenFake) { clear(f.tokens) })
			b.ReportMetric((heap()-before)/(1<<20), "heap-MB")
			runtime.KeepAlive(c)
		})
	}
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// Who logs in as somebody else shares a token with those, and no longer with
// the others.
func TestAnotherUserIsAnotherGroup(t *testing.T) {
	t.Parallel()
	f := newTokenFake(t)
	c := testClient(t, Access{Name: f.host(), PlainHTTP: true})
	c.now = f.now
	user := testUser
	c.keychain = keychain(func() (authn.AuthConfig, error) {
		return authn.AuthConfig{Username: user, Password: testPassword}, nil
	})
	refs := f.refs(t, 2, 1)
	for _, ref := range refs {
		must(c.Resolve(t.Context(), ref))(t)
	}
	f.set(func(f *tokenFake) { f.clock = f.clock.Add(sessionAge) })
	user = "another"
	must(c.Resolve(t.Context(), refs[0]))(t)
	first, second := must(c.session(refs[0].Repository()))(t), must(c.session(refs[1].Repository()))(t)
	for _, s := range []*session{first, second} {
		if scopes, _ := s.login.wanted(); len(scopes) != 1 || scopes[0] != s.scope() {
			t.Errorf("%s asks for a token for %v", s.repo, scopes)
		}
	}
	if first.login == second.login {
		t.Error("two users share a login")
	}
}
