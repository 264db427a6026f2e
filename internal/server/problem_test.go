package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// Each problem that the document promises, from each call that it promises it
// of, as the domain's error.
func TestEveryDocumentedProblem(t *testing.T) {
	t.Parallel()
	asked := 0
	for template, methods := range readDocument(t).Paths {
		for method, o := range methods {
			for text, r := range o.Responses {
				if strings.HasPrefix(text, "2") {
					continue
				}
				for _, code := range codes(r.Description) {
					if slices.Contains(atTheDoor, problem.Code(code)) {
						continue
					}
					asked++
					t.Run(o.OperationID+" "+code, func(t *testing.T) {
						t.Parallel()
						status, err := strconv.Atoi(text)
						if err != nil {
							t.Fatal(err)
						}
						expectProblem(t, strings.ToUpper(method), template, status, problem.Code(code))
					})
				}
			}
		}
	}
	if asked < 60 {
		t.Errorf("the document promises %d problems", asked)
	}
}

// atTheDoor are those of callers who don't come as far as the domain.
var atTheDoor = []problem.Code{problem.Unauthenticated, problem.Forbidden, problem.TooManyRequests}

func expectProblem(t *testing.T, method, template string, status int, code problem.Code) {
	p := problem.Wrap(code, errors.New("the cause"), "do it", "mend it")
	p.RetryAfter = 1500 * time.Millisecond
	domain := stub{err: fmt.Errorf("around: %w", p)}
	url, _ := serve(t, over(domain))
	path, body := strings.NewReplacer("{name}", "jobs", "{id}", "1").Replace(template), ""
	if method == http.MethodPost {
		body = map[string]string{
			"/v1/runs": `{"image":"jobs"}`, "/v1/runs/check": `{"image":"jobs"}`,
			"/v1/images/{name}/approve": `{"digest":"12"}`,
			"/v1/pause":                 `{"what":"warming"}`, "/v1/resume": `{"what":"warming"}`, "/v1/scopes/{name}/repin": `{"image":"jobs"}`,
			"/v1/webhooks/{name}": "{}", "/v1/webhooks/{name}/{secret}": "{}", "/v1/webhook-tests/{name}": `{"body":"{}"}`,
			"/v1/tokens": `{"name":"ci","scopes":["run"]}`,
		}[template]
	}
	if template == "/v1/explain" {
		path += "?host=a&image=jobs"
	}
	if code == problem.InvalidRequest {
		path, _, _ = strings.Cut(path, "?")
		call(t, clientOf(t, url), method, url+path+"?no_such=1", body).problem(status, code)
		return
	}
	r := call(t, clientOf(t, url), method, url+path, body)
	got := r.problem(status, code)
	if got.Detail != "around: do it: the cause" || got.Mend != "mend it" {
		t.Errorf("%+v", got)
	}
	if got.RetryAfter != 2 || r.header.Get("Retry-After") != "2" {
		t.Errorf("come back after 1.5 s: told %d, header %q", got.RetryAfter, r.header.Get("Retry-After"))
	}
}

func TestAFaultOfOursIsAProblemToo(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		errors.New("the disk is gone"),
		errors.Join(errors.New("the disk is gone"), errors.New("the log, too")),
	} {
		domain := stub{err: err}
		url, _ := serve(t, over(domain))
		p := call(t, clientOf(t, url), http.MethodGet, url+"/v1/images/jobs", "").problem(http.StatusInternalServerError, problem.Internal)
		if !strings.HasPrefix(p.Detail, "the disk is gone") || strings.Contains(p.Detail, "\n") || p.Mend == "" || p.RetryAfter != 0 {
			t.Errorf("%+v", p)
		}
	}
}

// The server's log tells faults of the server, not of its callers.
func TestOnlyFaultsOfOursAreLogged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		logged bool
	}{
		{errors.New("the disk is gone"), true},
		{problem.New(problem.ImageNotManaged, "no such image", ""), false},
	} {
		var log bytes.Buffer
		o := over(stub{err: c.err})
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		url, stop := serve(t, o)
		call(t, clientOf(t, url), http.MethodGet, url+"/v1/images/jobs", "")
		if err := stop(); err != nil {
			t.Error(err)
		}
		if logged := strings.Contains(log.String(), c.err.Error()); logged != c.logged {
			t.Errorf("%v: log %q", c.err, log.String())
		}
	}
}

// bad are requests that no server can answer, and what is said of each.
var bad = []struct {
	name, method, path, body string
	header                   []string
	status                   int
	detail                   string // is in the detail
}{
	{"unknown path", "GET", "/v1/nope", "", nil, 404, `there is no "/v1/nope"`},
	{"root", "GET", "/", "", nil, 404, `there is no "/"`},
	{"later version", "GET", "/v2/images", "", nil, 404, "/v2/images"},
	{"slash at the end", "GET", "/v1/images/", "", nil, 404, "/v1/images/"},
	{"no name", "POST", "/v1/images//check", "", nil, 404, "/v1/images//check"},
	{"dots", "GET", "/v1/images/../hosts", "", nil, 404, ""},
	{"two slashes", "GET", "//", "", nil, 404, ""},
	{"unknown path, post", "POST", "/v1/nope", "{}", nil, 404, ""},
	{"wrong method", "DELETE", "/v1/images", "", nil, 405, `"/v1/images" takes no DELETE`},
	{"wrong method with a body", "PUT", "/v1/runs/1", "{}", nil, 405, "PUT"},
	{"get where post is meant", "GET", "/v1/images/jobs/check", "", nil, 405, "GET"},
	{"post where get is meant", "POST", "/v1/hosts", "", nil, 405, "POST"},
	{"preflight", "OPTIONS", "/v1/runs", "", nil, 405, "OPTIONS"},
	{"invented method", "FROB", "/healthz", "", nil, 405, "FROB"},

	{"no body", "POST", "/v1/runs", "", nil, 400, "body is required"},
	{"no JSON", "POST", "/v1/runs", "image=jobs", nil, 400, "body: "},
	{"cut JSON", "POST", "/v1/runs", `{"image":"jobs"`, nil, 400, "unexpected end"},
	{"two values", "POST", "/v1/runs", `{"image":"jobs"}{}`, nil, 400, "body: "},
	{"too deep", "POST", "/v1/runs", strings.Repeat("[", 100_000), nil, 400, "depth"},
	{"null", "POST", "/v1/runs", "null", nil, 422, "expected object"},
	{"a list", "POST", "/v1/runs", "[]", nil, 422, "expected object"},
	{"no image", "POST", "/v1/runs", "{}", nil, 422, "image"},
	{"empty image", "POST", "/v1/runs", `{"image":""}`, nil, 422, "image: expected length >= 1"},
	{"long image", "POST", "/v1/runs", `{"image":"` + strings.Repeat("a", 513) + `"}`, nil, 422, "image: expected length <= 512"},
	{"image of another type", "POST", "/v1/runs", `{"image":7}`, nil, 422, "image: expected string (got 7)"},
	{"unknown field", "POST", "/v1/runs", `{"image":"jobs","comand":["x"]}`, nil, 422, "comand: unexpected property"},
	{"feature to come", "POST", "/v1/runs", `{"image":"jobs","restart":"always"}`, nil, 422, "restart: unexpected property"},
	{"command as a string", "POST", "/v1/runs", `{"image":"jobs","command":"ls"}`, nil, 422, `command: expected array (got "ls")`},
	{"null in the command", "POST", "/v1/runs", `{"image":"jobs","command":["ls",null]}`, nil, 422, "command[1]: expected string"},
	{"env without a name", "POST", "/v1/runs", `{"image":"jobs","env":["=v"]}`, nil, 422, "env[0]: it is no NAME=value"},
	{"env without a value", "POST", "/v1/runs", `{"image":"jobs","env":["A=b","B"]}`, nil, 422, "env[1]: it is no NAME=value"},
	{"memory below zero", "POST", "/v1/runs", `{"image":"jobs","memory":-1}`, nil, 422, "memory: expected number >= 0 (got -1)"},
	{"memory in words", "POST", "/v1/runs", `{"image":"jobs","memory":"1g"}`, nil, 422, `memory: expected integer (got "1g")`},
	{"half a byte", "POST", "/v1/runs", `{"image":"jobs","memory":1.5}`, nil, 422, "memory"},
	{"memory beyond all", "POST", "/v1/runs", `{"image":"jobs","memory":1e30}`, nil, 422, ""},
	{"too many cpus", "POST", "/v1/runs", `{"image":"jobs","cpus":1e9}`, nil, 422, "cpus: expected number <= 1024"},
	{"cpus that would be no limit", "POST", "/v1/runs", `{"image":"jobs","cpus":1e-12}`, nil, 422, "cpus"},
	{"wait as a number", "POST", "/v1/runs", `{"image":"jobs","wait_warm":60}`, nil, 422, "wait_warm: expected string (got 60)"},
	{"wait below zero", "POST", "/v1/runs", `{"image":"jobs","wait_warm":"-1m"}`, nil, 422, "wait_warm"},
	{"wait in days", "POST", "/v1/runs", `{"image":"jobs","wait_warm":"1d"}`, nil, 422, "wait_warm"},
	{"wait without end", "POST", "/v1/runs", `{"image":"jobs","wait_warm":"99999999999h"}`, nil, 422, "write it as 90s"},
	{"form", "POST", "/v1/runs", "image=jobs", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unknown content type"},
	{"text", "POST", "/v1/runs", `{"image":"jobs"}`, []string{"Content-Type", "text/plain"}, 415, "unknown content type"},
	{"broken content type", "POST", "/v1/runs", `{"image":"jobs"}`, []string{"Content-Type", "a;b+c"}, 415, "unknown content type"},
	{"too large", "POST", "/v1/runs", `{"image":"` + strings.Repeat("a", 1<<20) + `"}`, nil, 413, "too large"},
	{"long key", "POST", "/v1/runs", `{"image":"jobs","key":"` + strings.Repeat("k", 1025) + `"}`, nil, 422, "key: expected length <= 1024"},
	{"epoch below zero", "POST", "/v1/runs", `{"image":"jobs","key":"k","epoch":-1}`, nil, 422, "epoch: expected number >= 0"},
	{"another join", "POST", "/v1/runs", `{"image":"jobs","key":"k","join":"always"}`, nil, 422, "join: expected value to be one of"},
	{"another kind of mount", "POST", "/v1/runs", `{"image":"jobs","mounts":[{"type":"nfs","target":"/x"}]}`, nil, 422, "mounts[0].type: expected value to be one of"},
	{"a port too high", "POST", "/v1/runs", `{"image":"jobs","ports":[{"container":65536}]}`, nil, 422, "ports[0].container: expected number <= 65535"},
	{"unknown field of a mount", "POST", "/v1/runs", `{"image":"jobs","mounts":[{"type":"tmpfs","target":"/x","readonly":true}]}`, nil, 422, "mounts[0].readonly: unexpected property"},
	{"a mount without a target", "POST", "/v1/runs", `{"image":"jobs","mounts":[{"type":"tmpfs"}]}`, nil, 422, "mounts[0]: expected required property target"},
	{"long idempotency key", "POST", "/v1/runs", `{"image":"jobs"}`, []string{"Idempotency-Key", strings.Repeat("k", 256)}, 422, "header.Idempotency-Key: expected length <= 255"},
	{"warm with a typing error", "POST", "/v1/images/jobs/warm", `{"host":["a"]}`, nil, 422, "host: unexpected property"},
	{"warm with a string", "POST", "/v1/images/jobs/warm", `{"hosts":"a"}`, nil, 422, "hosts: expected array"},

	{"unknown query", "GET", "/v1/runs?limt=1", "", nil, 422, "query.limt: unknown query parameter"},
	{"limit in words", "GET", "/v1/runs?limit=all", "", nil, 422, `query.limit: invalid integer (got "all")`},
	{"limit zero", "GET", "/v1/runs?limit=0", "", nil, 422, "query.limit: expected number >= 1"},
	{"limit too high", "GET", "/v1/runs?limit=1001", "", nil, 422, "query.limit: expected number <= 1000"},
	{"limit beyond all", "GET", "/v1/runs?limit=99999999999999999999", "", nil, 422, "query.limit"},
	{"no such state", "GET", "/v1/runs?state=running&state=dead", "", nil, 422, "query.state"},
	{"last event in words", "GET", "/v1/runs/1/logs", "", []string{"Last-Event-ID", "x"}, 422, "header.Last-Event-ID"},
	{"placing is paused by drain", "POST", "/v1/pause", `{"what":"placing","host":"a"}`, nil, 422, "what: expected value to be one of"},
	{"drain with a typing error", "POST", "/v1/hosts/a/drain", `{"who":"ada"}`, nil, 422, "who: unexpected property"},
	{"repin of nothing", "POST", "/v1/scopes/s/repin", `{}`, nil, 422, "image"},
	{"no scope", "DELETE", "/v1/scopes/", "", nil, 404, "/v1/scopes/"},
	{"a scope that no path can name", "POST", "/v1/runs", `{"image":"jobs","pin_scope":"/"}`, nil, 422, "pin_scope: "},
	{"all scopes at once", "DELETE", "/v1/scopes", "", nil, 405, "DELETE"},
	{"wait too long", "GET", "/v1/runs/1/wait?timeout=601", "", nil, 422, "query.timeout"},
	{"after below zero", "GET", "/v1/runs/1/logs?after=-1", "", nil, 422, "query.after"},
	{"follow perhaps", "GET", "/v1/runs/1/logs?follow=perhaps", "", nil, 422, "query.follow: invalid boolean"},

	{"another origin", "POST", "/v1/runs", `{"image":"jobs"}`, []string{"Sec-Fetch-Site", "cross-site"}, 403, "another origin"},
	{"another origin, old browser", "POST", "/v1/images/jobs/check", "", []string{"Origin", "https://evil.example"}, 403, "another origin"},
	{"another name", "GET", "/v1/runs", "", []string{"Host", "evil.example:8470"}, 421, `not called "evil.example:8470"`},
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	// The domain would take anything: what is refused here never gets there.
	url, _ := serve(t, over(stub{}))
	for _, c := range bad {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code := problem.InvalidRequest
			switch c.status {
			case http.StatusNotFound:
				code = problem.PathNotFound
			case http.StatusMethodNotAllowed:
				code = problem.MethodNotAllowed
			}
			p := call(t, clientOf(t, url), c.method, url+c.path, c.body, c.header...).problem(c.status, code)
			if !strings.Contains(p.Detail, c.detail) || strings.Contains(p.Detail, "body.") || len(p.Detail) > 500 {
				t.Errorf("says %q, want %q in it", p.Detail, c.detail)
			}
			if p.Mend == "" {
				t.Error("no mend")
			}
		})
	}
}

func TestNotThere(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, c := range []struct {
		method, path, body string
		code               problem.Code
	}{
		{"GET", "/v1/images/nope", "", problem.ImageNotManaged},
		{"GET", "/v1/images/etl%2Fnope:v1", "", problem.ImageNotManaged},
		{"GET", "/v1/images/%00", "", problem.ImageNotManaged},
		{"POST", "/v1/images/nope/check", "", problem.ImageNotManaged},
		{"POST", "/v1/images/nope/warm", "{}", problem.ImageNotManaged},
		{"GET", "/v1/runs/nope", "", problem.RunNotFound},
		{"GET", "/v1/runs/..%2F..%2Fprewarm", "", problem.RunNotFound},
		{"GET", "/v1/runs/nope/logs", "", problem.RunNotFound},
		{"GET", "/v1/runs/nope/logs?follow=1", "", problem.RunNotFound},
		{"GET", "/v1/runs/nope/wait", "", problem.RunNotFound},
		{"POST", "/v1/runs/nope/cancel", "", problem.RunNotFound},
		{"POST", "/v1/runs/nope/reject", "", problem.RunNotFound},
		{"POST", "/v1/runs/nope/release", "", problem.RunNotFound},
		{"GET", "/v1/scopes/nope", "", problem.ScopeNotFound},
		{"GET", "/v1/scopes/..%2F..", "", problem.ScopeNotFound},
		{"DELETE", "/v1/scopes/nope", "", problem.ScopeNotFound},
		{"POST", "/v1/scopes/nope/repin", `{"image":"jobs"}`, problem.ScopeNotFound},
		{"POST", "/v1/hosts/nope/drain", "", problem.HostNotManaged},
		{"POST", "/v1/hosts/nope/undrain", "", problem.HostNotManaged},
	} {
		if p := s.request(c.method, c.path, c.body).problem(http.StatusNotFound, c.code); p.Mend == "" {
			t.Errorf("%s %s: no mend", c.method, c.path)
		}
	}
}

func TestWrongMethodNamesTheRightOnes(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, over(stub{}))
	for path, want := range map[string]string{"/v1/runs": "GET, HEAD, POST", "/v1/runs/1/cancel": "POST", "/openapi.yaml": "GET, HEAD", "/v1/scopes/1": "GET, HEAD, DELETE"} {
		r := call(t, clientOf(t, url), http.MethodPut, url+path, "")
		r.problem(http.StatusMethodNotAllowed, problem.MethodNotAllowed)
		if got := r.header.Get("Allow"); got != want {
			t.Errorf("%s: Allow %q, want %q", path, got, want)
		}
	}
}

// Callers log what they are answered.
func TestSecretsAreNotRepeated(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, over(stub{}))
	for _, body := range []string{
		`{"image":"jobs","env":["TOKEN=hunter2"],"nope":1}`,
		`{"image":"jobs","env":["TOKEN=hunter2"`,
		`{"image":"jobs","env":"TOKEN=hunter2"}`,
		`{"image":"jobs","env":[["TOKEN=hunter2"]]}`,
		`{"image":"jobs","env":["TOKEN=hunter2"],"wait_warm":"99999999999h"}`,
		`["TOKEN=hunter2"]`,
		`"TOKEN=hunter2"`,
		`{"image":"jobs","env":["=hunter2"]}`,
		`{"image":"jobs","env":["hunter2"]}`,
		`{"image":"jobs","env":["A=hunter2\u0000"]}`,
		`{"image":"jobs","command":["--token=hunter2\u0000"]}`,
		`{"image":"jobs","secret_env":"hunter2"}`,
		`{"image":"jobs","secret_env":["hunter2"]}`,
		`{"image":"jobs","secret_env":[{"name":"T","val":"hunter2"}]}`,
		`{"image":"jobs","secret_env":[{"name":"T","value":["hunter2"]}]}`,
		`{"image":"jobs","secret_env":[{"name":"T=hunter2","value":"x"}]}`,
		`{"image":"jobs","secret_env":[{"name":"","value":"hunter2"}]}`,
		`{"image":"jobs","secret_env":[{"name":"T","value":"hunter2","file":"/x"}]}`,
		`{"image":"jobs","secret_env":[{"name":"T","file":"hunter2"}]}`,
		`{"image":"jobs","secret_env":[{"name":"T","value":"hunter2\u0000"}]}`,
		`{"image":"jobs","secret_env":[{"name":"T","value":"hunter2"}],"workdir":"x"}`,
		`{"image":"jobs","secret_env":[{"name":"T","value":"hunter2"}],"deadline":"x"}`,
		`{"image":"jobs","labels":{"prewarm.x":"hunter2"}}`,
		`{"image":"jobs","meta":{"":"hunter2"}}`,
	} {
		r := call(t, clientOf(t, url), http.MethodPost, url+"/v1/runs", body)
		if r.status < 400 || r.status >= 500 || strings.Contains(string(r.body), "hunter2") {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
}

func TestFriendlyNamesAndOrigins(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, over(stub{}))
	for _, host := range []string{"localhost", "LocalHost:1", "127.0.0.1", "[::1]:8470", "10.0.0.1:80"} {
		if r := call(t, clientOf(t, url), http.MethodGet, url+"/healthz", "", "Host", host); r.status != http.StatusOK {
			t.Errorf("Host %s: %d %s", host, r.status, r.body)
		}
	}
	for _, header := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}, {"Origin", url}} {
		if r := call(t, clientOf(t, url), http.MethodPost, url+"/v1/runs/1/cancel", "", header...); r.status != http.StatusAccepted {
			t.Errorf("%v: %d %s", header, r.status, r.body)
		}
	}
}
