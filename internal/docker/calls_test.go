package docker

import (
	_ "embed"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
)

//go:embed testdata/calls.txt
var callsText string

// calls are the patterns of testdata/calls.txt.
var calls = sync.OnceValue(func() []*regexp.Regexp {
	parts := strings.NewReplacer(`\{id\}`, `[^/]+`, `\{name\}`, `.+`)
	var all []*regexp.Regexp
	for line := range strings.Lines(callsText) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] != "#" {
			all = append(all, regexp.MustCompile("^"+parts.Replace(regexp.QuoteMeta(fields[0]+" "+fields[1]))+"$"))
		}
	}
	return all
})

// listed tells whether a call is one of those that we say we make.
func listed(r *http.Request) bool {
	call := r.Method + " " + versionPrefix.ReplaceAllString(r.URL.Path, "")
	for _, pattern := range calls() {
		if pattern.MatchString(call) {
			return true
		}
	}
	return false
}

// TestListedCalls shows that the list tells calls apart: all that the other
// tests of this package send to an engine is held against it.
func TestListedCalls(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]bool{
		"GET /v1.41/info": true, "HEAD /_ping": true, "DELETE /v1.41/images/reg.test/etl/jobs:v1": true, "GET /v1.51/images/reg.test/etl/jobs@sha256:1/json": true,
		"POST /v1.41/images/prune": false, "POST /v1.41/containers/c1/exec": false, "HEAD /v1.41/containers/c1/archive": false,
		"PUT /v1.41/containers/c1/archive": true, "PUT /v1.41/info": false, "POST /v1.41/build": false, "GET /v1.41/info/x": false,
	} {
		method, path, _ := strings.Cut(call, " ")
		r, err := http.NewRequestWithContext(t.Context(), method, "http://docker"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := listed(r); got != want {
			t.Errorf("listed(%s) = %v, want %v", call, got, want)
		}
	}
}
