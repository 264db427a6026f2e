package registry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tokenFake is a registry behind a token server whose tokens are good for what
// they were asked for, and end. It serves one digest for each tag, and counts.
type tokenFake struct {
	*httptest.Server

	mu        sync.Mutex
	clock     time.Time // its own and the client's
	life      time.Duration
	tokens    map[string]issued
	moved     map[string]string // repo:tag to a digit that its digest is made of
	denied    func(repo string) bool
	strict    bool // it gives no token at all where one scope is denied
	firstOnly bool // it looks at the first scope only
	prefix    string
	several   int  // it answers so where a token is asked for several scopes
	open      bool // no login
	down      bool // its token server, that is
	password  string
	fault     http.HandlerFunc // answers for its manifests, which it denies nobody; nil: no fault
	count     map[string]int
	largest   int // most scopes in a token
}

type issued struct {
	scopes []string
	ends   time.Time
}

func newTokenFake(t testing.TB) *tokenFake {
	f := bareTokenFake()
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// bareTokenFake is one that no network leads to: it answers as a RoundTripper,
// by the time of its test.
func bareTokenFake() *tokenFake {
	return &tokenFake{
		Server: &httptest.Server{URL: "https://r.example.com"},
		clock:  time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), life: 5 * time.Minute, password: testPassword,
		tokens: map[string]issued{}, moved: map[string]string{}, count: map[string]int{},
		denied: func(string) bool { return false },
	}
}

func (f *tokenFake) RoundTrip(r *http.Request) (*http.Response, error) {
	f.set(func(f *tokenFake) { f.clock = time.Now() })
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func (f *tokenFake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch path := r.URL.Path; path {
	case "/token":
		f.count["token"]++
		f.serveToken(w, r)
	case "/v2/":
		f.count["ping"]++
		if !f.open {
			f.challenge(w, "")
		}
	default:
		f.count[r.Method]++
		repo, reference, _ := strings.Cut(strings.TrimPrefix(path, "/v2/"), "/manifests/")
		if !f.open && !f.allowed(r, repo) {
			f.challenge(w, f.scopeOf(repo))
			return
		}
		if f.fault != nil {
			f.fault(w, r)
			return
		}
		f.serveManifest(w, repo, reference)
	}
}

func (f *tokenFake) scopeOf(repo string) string { return "repository:" + f.prefix + repo + ":pull" }

func (f *tokenFake) challenge(w http.ResponseWriter, scope string) {
	value := fmt.Sprintf(`Bearer realm="%s/token",service="fake"`, f.URL)
	if scope != "" {
		value += fmt.Sprintf(`,scope=%q`, scope)
		f.count["refused"]++
	}
	w.Header().Set("WWW-Authenticate", value)
	w.WriteHeader(http.StatusUnauthorized)
}

func (f *tokenFake) serveToken(w http.ResponseWriter, r *http.Request) {
	scopes := r.URL.Query()["scope"]
	if f.down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	deny := func(scope string) bool {
		return f.denied(strings.TrimSuffix(strings.TrimPrefix(scope, "repository:"+f.prefix), ":pull"))
	}
	_, password, _ := r.BasicAuth()
	switch {
	case password != f.password:
		w.WriteHeader(http.StatusUnauthorized)
		return
	case f.strict && slices.ContainsFunc(scopes, deny):
		w.WriteHeader(http.StatusForbidden)
		return
	case f.several != 0 && len(scopes) > 1:
		w.WriteHeader(f.several)
		return
	}
	f.largest = max(f.largest, len(scopes))
	if f.firstOnly && len(scopes) > 0 {
		scopes = scopes[:1]
	}
	value := fmt.Sprintf("%s%d", tokenMark, len(f.tokens))
	f.tokens[value] = issued{scopes: slices.DeleteFunc(scopes, deny), ends: f.clock.Add(f.life)}
	_ = json.NewEncoder(w).Encode(map[string]any{"token": value, "expires_in": f.life.Seconds()})
}

func (f *tokenFake) allowed(r *http.Request, repo string) bool {
	token, ok := f.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	return ok && f.clock.Before(token.ends) && slices.Contains(token.scopes, f.scopeOf(repo))
}

func (f *tokenFake) serveManifest(w http.ResponseWriter, repo, reference string) {
	digit := f.moved[repo+":"+reference]
	if digit == "" {
		digit = "0"
	}
	w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	w.Header().Set("Content-Length", "1")
	w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat(digit, 64))
}

func (f *tokenFake) set(change func(*tokenFake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *tokenFake) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clock
}

// counted gives the requests since the last call, by kind, and their sum.
// Those refused for want of a scope are among the others.
func (f *tokenFake) counted() (kinds map[string]int, sum int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kinds, f.count = f.count, map[string]int{}
	for kind, n := range kinds {
		if kind != "refused" {
			sum += n
		}
	}
	return kinds, sum
}

func (f *tokenFake) host() string { return f.URL[strings.LastIndex(f.URL, "/")+1:] }

func (f *tokenFake) client(t testing.TB) *Client {
	c := testClient(t, Access{Name: f.host(), PlainHTTP: true, Username: testUser, Password: testPassword})
	c.now = f.now
	return c
}

// bareClient makes a client of a bareTokenFake, with a pace of its own.
func (f *tokenFake) bareClient(t testing.TB, access Access) *Client {
	t.Helper()
	access.Name = f.host()
	c := testClient(t, access)
	f.reroute(t, c)
	return c
}

// reroute leads the requests of a client that is new, or as good as, to f.
func (f *tokenFake) reroute(t testing.TB, c *Client) {
	t.Helper()
	must(c.session(f.refs(t, 1, 1)[0].Repository()))(t).endpoint.inner = f
}

func (f *tokenFake) refs(t testing.TB, repos, tags int) []Ref {
	var refs []Ref
	for i := range repos {
		for j := range tags {
			refs = append(refs, mustRef(t, fmt.Sprintf("%s/team/app%d:v%d", f.host(), i, j)))
		}
	}
	return refs
}

// allAtOnce resolves refs, and gives the failures.
func allAtOnce(t testing.TB, c *Client, refs []Ref) []error {
	t.Helper()
	var mu sync.Mutex
	var failed []error
	var calls sync.WaitGroup
	for _, ref := range refs {
		calls.Go(func() {
			if _, err := c.Resolve(t.Context(), ref); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
		})
	}
	calls.Wait()
	return failed
}

// round resolves refs with 16 workers, as a watch does, and gives what each
// points at, or the zero Pin where that failed.
func round(t testing.TB, c *Client, refs []Ref) []Pin {
	t.Helper()
	pins := make([]Pin, len(refs))
	next := make(chan int)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for i := range next {
				pins[i], _ = c.Resolve(t.Context(), refs[i])
			}
		})
	}
	for i := range refs {
		next <- i
	}
	close(next)
	workers.Wait()
	return pins
}
