package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// answer makes a fault that gives one fixed answer.
func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

// echo makes a fault that repeats what the client sent to log in, in every
// place that the client could quote.
func echo(w http.ResponseWriter, r *http.Request) {
	_, password, _ := r.BasicAuth()
	sent := url.QueryEscape(r.Header.Get("Authorization")) + " " + r.Header.Get("Authorization") + " " + password
	w.Header().Set("Docker-Content-Digest", sent)
	w.Header().Set("Content-Type", sent)
	w.Header().Set("Location", "http://%zz/"+sent)
	w.WriteHeader(http.StatusTemporaryRedirect)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]any{{"code": sent, "message": sent, "detail": sent}}})
}

func hijack(w http.ResponseWriter, raw string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = fmt.Fprint(conn, raw)
	_ = conn.Close()
}

func TestFaultsOfARegistry(t *testing.T) {
	t.Parallel()
	manifestUnknown := `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown to ` + testPassword + `"}]}`
	for _, tc := range []struct {
		name  string
		fault http.HandlerFunc
		code  problem.Code
		says  string // in the error or its mend
		retry time.Duration
	}{
		{"401", answer(401, `{"errors":[{"code":"UNAUTHORIZED"}]}`), problem.RegistryAuth, "refuses the credentials (401 Unauthorized", 0},
		{"403", answer(403, ""), problem.RegistryAuth, "check the username and the password", 0},
		{"404", answer(404, manifestUnknown), problem.TagNotFound, "does not have it (404 Not Found, MANIFEST_UNKNOWN)", 0},
		{"404 in HTML", answer(404, "<html>"), problem.TagNotFound, "what is warm stays warm", 0},
		{"429 in seconds", answer(429, "", "Retry-After", "120"), problem.RegistryLimited, "fewer requests", 2 * time.Minute},
		{"429 that says nothing", answer(429, ""), problem.RegistryLimited, "fewer requests", 30 * time.Second},
		{"500", answer(500, ""), problem.RegistryUnavailable, "has a fault (500", 0},
		{"503 in seconds", answer(503, "", "Retry-After", "9"), problem.RegistryUnavailable, "has a fault (503", 9 * time.Second},
		{"418", answer(418, ""), problem.RegistryAnswer, "no answer of a registry (418", 0},
		{"400 over plain HTTP", answer(400, "Client sent an HTTP request to an HTTPS server."), problem.RegistryAnswer, "remove plain_http if it speaks HTTPS", 0},
		{"login page", answer(200, "<html>log in</html>", "Content-Type", "text/html"), problem.RegistryAnswer, "makes no sense", 0},
		{"other JSON", answer(200, `{"ok":true}`, "Content-Type", "application/json"), problem.RegistryAnswer, "neither an image nor an index", 0},
		{"digest of another kind", answer(200, "", "Content-Type", "a/b", "Content-Length", "7", "Docker-Content-Digest", "sha512:"+strings.Repeat("a", 128)), problem.RegistryAnswer, "want sha256", 0},
		{"cut connection", func(w http.ResponseWriter, _ *http.Request) { hijack(w, "") }, problem.RegistryUnavailable, "cut the connection", 0},
		{"truncated body", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				return // without a digest, so that GET follows
			}
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
		}, problem.RegistryUnavailable, "cut the connection", 0},
		{"not HTTP", func(w http.ResponseWriter, _ *http.Request) { hijack(w, "SSH-2.0-OpenSSH_9.2\r\n") }, problem.RegistryAnswer, "makes no sense", 0},
		{"huge body", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.Method == http.MethodGet {
				_, _ = w.Write(make([]byte, maxBody+1))
			}
		}, problem.RegistryAnswer, "more than 8 MiB", 0},
		{"redirect loop", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, problem.RegistryAnswer, "redirect", 0},
		{"echoes the login", echo, problem.RegistryAnswer, "makes no sense", 0},
	} {
		for _, login := range []string{"basic", "bearer"} {
			t.Run(tc.name+" "+login, func(t *testing.T) {
				t.Parallel()
				f := plainFake(t)
				f.login, f.fault = login, tc.fault
				c := testClient(t, loggedIn(f))
				ref := mustRef(t, f.host()+"/etl/node:latest")
				_, err := c.Resolve(t.Context(), ref)
				check(t, err, tc.code, tc.says, ref.String(), "registry "+f.host())
				if got := problem.From(err).RetryAfter; got < tc.retry || got > tc.retry*11/10+time.Millisecond {
					t.Errorf("RetryAfter = %s, want %s and little more", got, tc.retry)
				}
			})
		}
	}
}

// check holds an error against its code and texts, and makes sure that no form
// of it shows a secret.
func check(t *testing.T, err error, code problem.Code, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	p := problem.From(err)
	if p.Code != code {
		t.Errorf("code %q, want %q: %v", p.Code, code, err)
	}
	text := err.Error() + " | " + p.Mend
	for _, want := range says {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		text += fmt.Sprintf("%v %+v %#v", e, e, e)
	}
	for _, secret := range []string{testPassword, tokenMark, "aHVudGVy", "Y2k6aHVudGVyM"} {
		if strings.Contains(text, secret) {
			t.Errorf("the error shows the secret %q: %s", secret, text)
		}
	}
}

func TestRetryAfterAsADate(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	f.fault = answer(429, "", "Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	_, err := testClient(t, anonymous(f)).Resolve(t.Context(), mustRef(t, f.host()+"/etl/node:latest"))
	check(t, err, problem.RegistryLimited)
	if got := problem.From(err).RetryAfter; got < 59*time.Minute || got > 67*time.Minute {
		t.Errorf("RetryAfter = %s, want an hour", got)
	}
}

func TestFaultsCostFewRequests(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{401: 1, 403: 1, 404: 2, 418: 1, 429: 1, 500: 3, 503: 3} {
		f := plainFake(t)
		f.fault = answer(status, "")
		c := testClient(t, anonymous(f))
		_, err := c.Resolve(t.Context(), mustRef(t, f.host()+"/etl/node:latest"))
		if err == nil {
			t.Fatalf("%d: no error", status)
		}
		requests := f.requests()
		if got := count(requests, "GET /v2/etl") + count(requests, "HEAD"); got != want {
			t.Errorf("%d: %d requests, want %d", status, got, want)
		}
	}
}

func TestFaultsOfALogin(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		setUp func(*fake)
		code  problem.Code
		says  string
	}{
		{"wrong password", func(f *fake) { f.password = "another" }, problem.RegistryAuth, "refuses the credentials (401"},
		{"token is HTML", func(f *fake) { f.realm = f.tokens(answer(200, "<html>"+testPassword)) }, problem.RegistryAnswer, "with a token"},
		{"no token in it", func(f *fake) { f.realm = f.tokens(answer(200, `{"refresh_token":"`+tokenMark+`"}`)) }, problem.RegistryAnswer, "with a token"},
		{"token server has a fault", func(f *fake) { f.realm = f.tokens(answer(500, "")) }, problem.RegistryUnavailable, "its token server"},
		{"token server is limited", func(f *fake) { f.realm = f.tokens(answer(429, "")) }, problem.RegistryLimited, "its token server"},
		{"token server is not there", func(f *fake) { f.realm = f.tokens(answer(404, "")) }, problem.RegistryAnswer, "its token server"},
		{"private token server", func(f *fake) { f.realm = "http://10.0.0.1/token?s=" + testPassword }, problem.RegistryAnswer, "private"},
		{"not a registry", func(f *fake) { f.content = http.NotFoundHandler(); f.login = "" }, problem.RegistryAnswer, "no answer of a registry (404"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := plainFake(t)
			f.login = "bearer"
			tc.setUp(f)
			c := testClient(t, loggedIn(f))
			_, err := c.Resolve(t.Context(), mustRef(t, f.host()+"/etl/node:latest"))
			check(t, err, tc.code, tc.says, f.host())
		})
	}
}

// tokens starts a token server of its own and gives its realm. By name:
// go-containerregistry refuses a realm at a private address that is not the
// registry's.
func (f *fake) tokens(h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	f.t.Cleanup(s.Close)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	return "http://localhost:" + port + "/token"
}

// Registries keep content elsewhere, under names that are not a registry's.
func TestFaultsOfARedirectTarget(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]problem.Code{404: problem.TagNotFound, 500: problem.RegistryUnavailable} {
		store := plainFake(t)
		store.content = answer(status, "")
		f := plainFake(t)
		f.fault = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, store.URL+"/bucket/object?signature="+tokenMark, http.StatusTemporaryRedirect)
		}
		_, err := testClient(t, anonymous(f)).Resolve(t.Context(), mustRef(t, f.host()+"/etl/node:latest"))
		check(t, err, want, "registry "+f.host()+" (redirecting to "+store.host()+")")
	}
}

func TestAnonymousRefusalSaysHowToLogIn(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	f.login = "basic"
	_, err := testClient(t, anonymous(f)).Resolve(t.Context(), mustRef(t, f.host()+"/etl/node:latest"))
	check(t, err, problem.RegistryAuth, "refuses an anonymous client", "in the registries entry "+f.host(), "docker login")
}

func TestHTTPSToAPlainServer(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	_, port, _ := net.SplitHostPort(f.host())
	for _, host := range []string{"127.0.0.1", "localhost"} {
		_, err := testClient(t).Resolve(t.Context(), mustRef(t, net.JoinHostPort(host, port)+"/etl/node:latest"))
		check(t, err, problem.RegistryUnavailable, "speaks plain HTTP", "set plain_http: true")
	}
	if got := f.requests(); len(got) != 0 {
		t.Errorf("requests went out in plain HTTP: %v", got)
	}
}

func TestSlowRegistry(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	f.fault = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	c := testClient(t, anonymous(f))
	ref := mustRef(t, f.host()+"/etl/node:latest")
	must(c.session(ref.Repository()))(t).endpoint.timeout = 50 * time.Millisecond
	_, err := c.Resolve(t.Context(), ref)
	check(t, err, problem.RegistryUnavailable, "did not answer within 50ms")
	if got := count(f.requests(), "HEAD"); got != 1 {
		t.Errorf("%d HEADs, want 1: a timeout is not repeated", got)
	}
}

func TestUnreachableRegistry(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  error
		says string
	}{
		{&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, "refuses the connection"},
		{&net.OpError{Op: "dial", Net: "tcp", Err: syscall.EHOSTUNREACH}, "can't be reached (dial tcp: no route to host)"},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "reg.example.com", IsNotFound: true}}, "is not found in DNS (no such host)"},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "i/o timeout", IsTimeout: true}}, "DNS"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, "connection reset"},
	} {
		for _, plain := range []bool{false, true} {
			c := testClient(t, Access{Name: "reg.example.com", PlainHTTP: plain})
			ref := mustRef(t, "reg.example.com/etl/node:latest")
			must(c.session(ref.Repository()))(t).endpoint.inner = &wire{answer: func(int, *http.Request) (*http.Response, error) { return nil, tc.err }}
			_, err := c.Resolve(t.Context(), ref)
			check(t, err, problem.RegistryUnavailable, tc.says, "registry reg.example.com")
		}
	}
}
