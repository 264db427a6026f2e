package server_test

import (
	"bufio"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/runner"
)

// locked is a server with a keyring and an audit log, of runs that a test steers.
type locked struct {
	t     testing.TB
	runs  *runs
	keys  *access.Keyring
	store *store.Store
	url   string
}

func newLocked(t testing.TB, s access.Setup, change ...func(*server.Options)) *locked {
	t.Helper()
	state, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	keys, err := access.NewKeyring(t.Context(), state, s)
	if err != nil {
		t.Fatal(err)
	}
	l := &locked{t: t, runs: newRuns(), keys: keys, store: state}
	o := serverOf(l.runs)
	o.Access, o.Audit, o.Webhooks = keys, state, &hooks{}
	for _, c := range change {
		c(&o)
	}
	l.url, _ = serve(t, o)
	return l
}

// holder is a configured token whose text is its name.
func holder(name string, scopes ...access.Scope) access.Token {
	return access.Token{Name: name, Hash: access.HashOf(name), Grant: access.Grant{Scopes: scopes}}
}

// each is a token of each scope, named by it.
func each() access.Setup {
	var s access.Setup
	for _, scope := range access.Scopes {
		s.Tokens = append(s.Tokens, holder(string(scope), scope))
	}
	return s
}

// as calls the API with a token; an empty one is none.
func (l *locked) as(token, method, path, body string, header ...string) *response {
	l.t.Helper()
	if token != "" {
		header = append(header, "Authorization", "Bearer "+token)
	}
	return call(l.t, clientOf(l.t, l.url), method, l.url+path, body, header...)
}

// tooLittle is a token that lacks the scope.
var tooLittle = map[string]string{"run": "warm", "warm": "run", "admin": "warm"}

// Every operation of the document says which scope it needs, and holds to it.
func TestEveryOperationNeedsItsScope(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each())
	handler := server.New(server.Options{Images: stubImages{}, Runs: newRuns(), Webhooks: &hooks{}, Access: l.keys, Logger: discard}).Handler()
	ask := func(token, method, path string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, "http://localhost"+path, nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		handler.ServeHTTP(w, r)
		return w
	}
	open, known := []string{"healthz", "readyz"}, make(map[string]bool)
	for template, methods := range readDocument(t).Paths {
		path := strings.NewReplacer("{name}", "jobs", "{id}", "1").Replace(template)
		for method, o := range methods {
			method = strings.ToUpper(method)
			known[o.OperationID] = true
			if strings.HasPrefix(o.OperationID, "deliver-webhook") {
				if w := ask("", method, path); w.Code != http.StatusBadRequest { // it was let in, and has no body
					t.Errorf("%s: %d", o.OperationID, w.Code)
				}
				continue
			}
			if slices.Contains(open, o.OperationID) {
				if w := ask("", method, path); w.Code != http.StatusOK {
					t.Errorf("%s: %d", o.OperationID, w.Code)
				}
				continue
			}
			if len(o.Security) != 2 || len(o.Security[0]["token"]) != 1 || !cmp.Equal(o.Security[0]["token"], o.Security[1]["certificate"]) {
				t.Errorf("%s: %v", o.OperationID, o.Security)
				continue
			}
			need := o.Security[0]["token"][0]
			wants := map[string]int{"": http.StatusUnauthorized, "wrong": http.StatusUnauthorized}
			if token, ok := tooLittle[need]; ok { // whoever may do anything may read
				wants[token] = http.StatusForbidden
			}
			for token, want := range wants {
				w := ask(token, method, path)
				limited := token == "wrong" && w.Code == http.StatusTooManyRequests // it is wrong too often
				if w.Code != want && !limited {
					t.Errorf("%s with %q: %d, want %d: %s", o.OperationID, token, w.Code, want, w.Body)
				}
				if challenge := w.Header().Get("WWW-Authenticate"); (w.Code == http.StatusUnauthorized) != (challenge == "Bearer") {
					t.Errorf("%s with %q: %d challenges %q", o.OperationID, token, w.Code, challenge)
				}
				if w.Code == http.StatusForbidden && !strings.Contains(w.Body.String(), "it lacks the scope "+need) {
					t.Errorf("%s with %q: %s", o.OperationID, token, w.Body)
				}
			}
			if _, ok := server.Allowed()[o.OperationID]; !ok {
				t.Errorf("%s: nobody wrote down which scope it needs", o.OperationID)
			}
		}
	}
	for operation := range server.Allowed() {
		if !known[operation] {
			t.Errorf("%s is gone", operation)
		}
	}
}

// What no operation is needs somebody, too.
func TestUnknownPathsNeedACaller(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each())
	l.as("", http.MethodGet, "/metrics", "").problem(http.StatusUnauthorized, problem.Unauthenticated)
	l.as("read", http.MethodGet, "/nothing", "").problem(http.StatusNotFound, problem.PathNotFound)
	for _, path := range []string{"/openapi.json", "/openapi.yaml", "/healthz"} {
		if r := l.as("", http.MethodGet, path, ""); r.status != http.StatusOK {
			t.Errorf("%s: %d", path, r.status)
		}
	}
}

func TestTheOpenDoor(t *testing.T) {
	t.Parallel()
	l := newLocked(t, access.Setup{}, func(o *server.Options) { o.Setup.PublicHost = "prewarm.example" })
	l.as("", http.MethodGet, "/v1/runs", "").into(new(api.Runs))
	l.as("pw_stale", http.MethodGet, "/v1/runs", "").problem(http.StatusUnauthorized, problem.Unauthenticated)
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"} {
		l.as("", http.MethodGet, "/v1/runs", "", name, "for=10.0.0.1").problem(http.StatusUnauthorized, problem.Unauthenticated)
	}
	for _, host := range []string{"prewarm.example", "PREWARM.example:8470", "192.0.2.1:8470", "[2001:db8::1]"} {
		l.as("", http.MethodGet, "/v1/runs", "", "Host", host).problem(http.StatusUnauthorized, problem.Unauthenticated)
	}
	resp, _ := sendRaw(t, l.url, "GET /v1/runs HTTP/1.0\r\nHost: 127.0.0.1:8470\r\nConnection: close\r\n\r\n", time.Minute)
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("what nginx sends by itself: %s", resp.Status)
	}
	l.as("", http.MethodGet, "/v1/runs", "", "Host", "evil.example").problem(http.StatusMisdirectedRequest, problem.InvalidRequest)

	l.as("", http.MethodPost, "/v1/tokens", `{"name":"ci","scopes":["run"]}`).problem(http.StatusConflict, problem.TokenRefused)
	var made api.NewToken
	r := l.as("", http.MethodPost, "/v1/tokens", `{"name":"root","scopes":["admin"],"expires_in":"24h"}`)
	r.into(&made)
	if r.status != http.StatusCreated || !strings.HasPrefix(made.Secret, "pw_") || made.ExpiresAt == nil || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %+v", r.status, made)
	}
	l.as("", http.MethodGet, "/v1/runs", "").problem(http.StatusUnauthorized, problem.Unauthenticated)
	var all api.Tokens
	list := l.as(made.Secret, http.MethodGet, "/v1/tokens", "", "Host", "prewarm.example")
	list.into(&all)
	if strings.Contains(string(list.body), made.Secret) {
		t.Error("a token is told twice")
	}
	if len(all.Tokens) != 1 || all.Tokens[0].Name != "root" || all.Tokens[0].UsedAt == nil {
		t.Errorf("%+v", all)
	}
	l.as(made.Secret, http.MethodDelete, "/v1/tokens/root", "").problem(http.StatusConflict, problem.TokenRefused)
	l.as(made.Secret, http.MethodDelete, "/v1/tokens/nobody", "").problem(http.StatusNotFound, problem.TokenNotFound)
	l.as("", http.MethodGet, "/v1/runs", "", "Authorization", "Basic cm9vdDpyb290").problem(http.StatusUnauthorized, problem.Unauthenticated)
}

// A stream is not followed for longer than its token is good.
func TestARevokedTokenFollowsNothing(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each())
	l.runs.add(runner.Run{ID: "r", State: runner.Running, Terms: runner.Terms{Namespace: access.DefaultNamespace}})
	follow := func(token string) *bufio.Reader {
		resp, in := sendRaw(t, l.url, "GET /v1/runs/r/logs?follow=true HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+token+"\r\n\r\n", 15*time.Second)
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		return in
	}
	gone, stays := follow("run"), follow("read")
	l.keys.Reconfigure(access.Setup{Tokens: []access.Token{holder("admin", access.Admin), holder("read", access.Read)}})
	if _, err := gone.ReadByte(); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a token that was taken out follows a log still")
	}
	if _, err := stays.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("another one's stream was cut: %v", err)
	}
}

func TestPagesOfOtherOriginsStayOutWithATokenToo(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each())
	l.as("run", http.MethodPost, "/v1/runs", `{"image":"jobs"}`, "Origin", "https://evil.example").problem(http.StatusForbidden, problem.InvalidRequest)
}

func TestNamespacesAreKeptApart(t *testing.T) {
	t.Parallel()
	mine, other, admin := holder("mine", access.Run), holder("other", access.Run), holder("admin", access.Admin)
	mine.Namespace, other.Namespace = "mine", "other"
	l := newLocked(t, access.Setup{Tokens: []access.Token{mine, other, admin}})
	var submitted api.Submitted
	l.as("mine", http.MethodPost, "/v1/runs", `{"image":"jobs"}`).into(&submitted)
	if submitted.Namespace != "mine" {
		t.Errorf("submitted in %q", submitted.Namespace)
	}
	l.runs.scopes = []runner.Scope{{Namespace: "mine", Name: "dag"}}
	for _, c := range [][2]string{
		{http.MethodGet, ""}, {http.MethodGet, "/wait?timeout=0"}, {http.MethodGet, "/logs"}, {http.MethodPost, "/cancel"}, {http.MethodPost, "/reject"},
	} {
		l.as("other", c[0], "/v1/runs/"+submitted.ID+c[1], "").problem(http.StatusNotFound, problem.RunNotFound)
		l.as("admin", http.MethodGet, "/v1/runs/"+submitted.ID, "").into(new(api.Run))
	}
	if run := l.runs.all[0]; run.State != runner.Queued || run.Rejected {
		t.Errorf("another namespace changed the run: %+v", run)
	}
	l.as("other", http.MethodGet, "/v1/scopes/dag", "").problem(http.StatusNotFound, problem.ScopeNotFound)
	l.as("other", http.MethodDelete, "/v1/scopes/dag", "").problem(http.StatusNotFound, problem.ScopeNotFound)
	l.as("other", http.MethodPost, "/v1/scopes/dag/repin", `{"image":"jobs"}`).problem(http.StatusNotFound, problem.ScopeNotFound)
	l.as("other", http.MethodGet, "/v1/scopes/dag?namespace=mine", "").problem(http.StatusForbidden, problem.Forbidden)
	l.as("other", http.MethodGet, "/v1/runs?namespace=mine", "").problem(http.StatusForbidden, problem.Forbidden)
	l.as("admin", http.MethodGet, "/v1/scopes/dag", "").problem(http.StatusNotFound, problem.ScopeNotFound)
	l.as("admin", http.MethodGet, "/v1/scopes/dag?namespace=mine", "").into(new(api.Scope))
	for query, want := range map[string]int{"mine ": 1, "other ": 0, "admin ": 1, "admin ?namespace=mine": 1, "admin ?namespace=other": 0, "mine ?namespace=mine": 1} {
		token, query, _ := strings.Cut(query, " ")
		var found api.Runs
		l.as(token, http.MethodGet, "/v1/runs"+query, "").into(&found)
		var scopes api.Scopes
		l.as(token, http.MethodGet, "/v1/scopes"+query, "").into(&scopes)
		if len(found.Runs) != want || len(scopes.Scopes) != want {
			t.Errorf("%s%s sees %d runs and %d scopes, want %d", token, query, len(found.Runs), len(scopes.Scopes), want)
		}
	}
}

func TestATokensLimits(t *testing.T) {
	t.Parallel()
	ci := holder("ci", access.Run, access.Warm)
	ci.Images, ci.Meta, ci.Policy = []string{"etl-*"}, map[string]string{"customer": "acme"}, &access.Policy{Networks: []string{"none"}}
	l := newLocked(t, access.Setup{Tokens: []access.Token{ci}})
	l.as("ci", http.MethodPost, "/v1/runs", `{"image":"jobs","meta":{"customer":"other"}}`).problem(http.StatusForbidden, problem.NotAllowed)
	l.as("ci", http.MethodPost, "/v1/runs", `{"image":"etl-a","meta":{"a":"b"}}`).into(new(api.Submitted))
	ask := l.runs.ask()
	if diff := cmp.Diff(map[string]string{"customer": "acme", "a": "b"}, ask.Terms.Meta); diff != "" {
		t.Error(diff)
	}
	if !cmp.Equal(ask.Images, ci.Images) || !cmp.Equal(ask.Policy, &runner.Policy{Networks: []string{"none"}}) {
		t.Errorf("%+v", ask)
	}
	for _, path := range []string{"check", "warm", "hold", "unhold", "rollback"} {
		p := l.as("ci", http.MethodPost, "/v1/images/jobs/"+path, "").problem(http.StatusForbidden, problem.NotAllowed)
		if !strings.Contains(p.Detail, "etl-*") {
			t.Errorf("%s: %s", path, p.Detail)
		}
	}
	l.as("ci", http.MethodPost, "/v1/scopes/dag/repin", `{"image":"jobs"}`).problem(http.StatusForbidden, problem.NotAllowed)
	l.as("ci", http.MethodPost, "/v1/images/jobs:1/approve", `{"digest":"12"}`).problem(http.StatusForbidden, problem.NotAllowed)
	if r := l.as("ci", http.MethodPost, "/v1/images/etl-a/check", ""); r.status != http.StatusOK {
		t.Errorf("%d %s", r.status, r.body)
	}
}
