package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The account that fakes with a login accept. No error may ever show the
// password, nor the tokens that a fake hands out (they start with tokenMark).
const (
	testUser     = "ci"
	testPassword = "hunter2-secret"
	tokenMark    = "bearer-secret-"
)

// fake is a registry in process: go-containerregistry's own, behind a login and
// a fault that tests set.
type fake struct {
	*httptest.Server
	t       testing.TB
	content http.Handler

	mu       sync.Mutex
	fault    http.HandlerFunc // answers in place of the content; nil: no fault
	login    string           // "", "basic" or "bearer"
	realm    string           // of the bearer challenge; empty: the fake's own
	password string
	token    string // the only valid one
	issued   int
	seen     []string // METHOD path, in the order of arrival
	auth     []string // their Authorization headers
}

func newFake(t testing.TB, start func(http.Handler) *httptest.Server) *fake {
	f := &fake{
		t:        t,
		content:  ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))),
		password: testPassword,
	}
	f.Server = start(f)
	f.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(f.Close)
	return f
}

func plainFake(t testing.TB) *fake { return newFake(t, httptest.NewServer) }

func (f *fake) host() string { return f.Listener.Addr().String() }

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, r.Method+" "+r.URL.Path)
	f.auth = append(f.auth, r.Header.Get("Authorization"))
	fault, allowed := f.fault, f.allowed(w, r)
	f.mu.Unlock()
	switch {
	case r.URL.Path == "/token":
		f.serveToken(w, r)
	case !allowed:
		w.WriteHeader(http.StatusUnauthorized)
	case fault != nil && r.URL.Path != "/v2/":
		fault(w, r)
	default:
		f.content.ServeHTTP(w, r)
	}
}

func (f *fake) allowed(w http.ResponseWriter, r *http.Request) bool {
	switch f.login {
	case "basic":
		w.Header().Set("WWW-Authenticate", `Basic realm="fake"`)
		user, password, _ := r.BasicAuth()
		return user == testUser && password == f.password
	case "bearer":
		realm := f.realm
		if realm == "" {
			realm = f.URL + "/token"
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="fake"`, realm))
		return f.token != "" && r.Header.Get("Authorization") == "Bearer "+f.token
	}
	return true
}

func (f *fake) serveToken(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, password, _ := r.BasicAuth(); password != f.password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	f.issued++
	f.token = fmt.Sprintf("%s%d", tokenMark, f.issued)
	_ = json.NewEncoder(w).Encode(map[string]any{"token": f.token, "expires_in": 60})
}

// set changes the fake while it serves.
func (f *fake) set(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// requests gives what arrived since the last call.
func (f *fake) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.seen
	f.seen = nil
	return seen
}

// put stores a body without going over the network.
func (f *fake) put(t testing.TB, method, url, contentType string, body []byte) {
	t.Helper()
	r := httptest.NewRequest(method, url, bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	f.content.ServeHTTP(w, r)
	if w.Code/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, url, w.Code, w.Body)
	}
}

// push stores an image under a tag or, if empty, under its digest only.
func (f *fake) push(t testing.TB, repo, tag string, img v1.Image) Digest {
	t.Helper()
	config := must(img.RawConfigFile())(t)
	f.put(t, http.MethodPost, "/v2/"+repo+"/blobs/uploads/?digest="+must(img.ConfigName())(t).String(), "application/octet-stream", config)
	digest := must(img.Digest())(t).String()
	if tag == "" {
		tag = digest
	}
	f.put(t, http.MethodPut, "/v2/"+repo+"/manifests/"+tag, string(must(img.MediaType())(t)), must(img.RawManifest())(t))
	return Digest(digest)
}

func (f *fake) pushIndex(t testing.TB, repo, tag string, idx v1.ImageIndex) Digest {
	t.Helper()
	f.put(t, http.MethodPut, "/v2/"+repo+"/manifests/"+tag, string(must(idx.MediaType())(t)), must(idx.RawManifest())(t))
	return Digest(must(idx.Digest())(t).String())
}

// testImage makes an image for a platform: linux/arm/v7.
func testImage(t testing.TB, platform string, layers int64) v1.Image {
	t.Helper()
	img := must(random.Image(512, layers))(t)
	config := must(img.ConfigFile())(t).DeepCopy()
	p := must(v1.ParsePlatform(platform))(t)
	config.OS, config.Architecture, config.Variant = p.OS, p.Architecture, p.Variant
	return must(mutate.ConfigFile(img, config))(t)
}

// testIndex makes an index over images pushed to repo. An empty platform
// leaves the entry without one.
func testIndex(t testing.TB, f *fake, repo string, platforms ...string) v1.ImageIndex {
	t.Helper()
	var idx v1.ImageIndex = empty.Index
	for _, p := range platforms {
		img := testImage(t, strings.Replace(p, "unlisted ", "", 1), 2)
		f.push(t, repo, "", img)
		var listed *v1.Platform
		if !strings.HasPrefix(p, "unlisted ") {
			listed = must(v1.ParsePlatform(p))(t)
		}
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: listed}})
	}
	return idx
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// unlimited is more requests a second than a test sends.
const unlimited = 1e6

// testClient makes a Client that never touches the machine's own logins and
// retries without a pause.
func testClient(t testing.TB, access ...Access) *Client {
	t.Helper()
	for i := range access {
		if access[i].Rate == 0 {
			access[i].Rate = unlimited
		}
	}
	c := New(Options{Access: access, UserAgent: "prewarm-test", Timeout: 5 * time.Second, Rate: unlimited})
	c.keychain = authn.NewMultiKeychain()
	c.pauses = []time.Duration{time.Microsecond, time.Microsecond}
	t.Cleanup(c.Close)
	return c
}

func anonymous(f *fake) Access { return Access{Name: f.host(), PlainHTTP: true} }

func loggedIn(f *fake) Access {
	return Access{Name: f.host(), PlainHTTP: true, Username: testUser, Password: testPassword}
}

func mustRef(t testing.TB, s string) Ref {
	t.Helper()
	return must(ParseRef(s))(t)
}

func mustPin(t testing.TB, s string) Pin {
	t.Helper()
	return must(ParsePin(s))(t)
}

// count tells how many of the requests start with a method and path.
func count(requests []string, prefix string) int {
	n := 0
	for _, r := range requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}
