package docker

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The calls that the documentation lists are those that the tests hold us to.
func TestTheDocumentedCallsAreAllCalls(t *testing.T) {
	t.Parallel()
	made := listedCalls(t)
	for _, page := range []string{"engines.md", "security.md"} {
		var told []string
		for _, call := range regexp.MustCompile("`((?:GET|HEAD|POST|PUT|DELETE) /[^`]*)`").FindAllStringSubmatch(readPage(t, page), -1) {
			if !slices.Contains(told, call[1]) {
				told = append(told, call[1])
			}
		}
		slices.Sort(told)
		if !slices.Equal(told, made) {
			t.Errorf("%s has %q\nmade %q", page, told, made)
		}
	}
}

// The patterns for a socket proxy let through what the list has, and nothing of
// what it leaves out.
func TestTheDocumentedPatternsAreTheCalls(t *testing.T) {
	t.Parallel()
	patterns := make(map[string]*regexp.Regexp)
	for _, line := range regexp.MustCompile(`(?m)^-allow([A-Z]+)=(.+)$`).FindAllStringSubmatch(readPage(t, "security.md"), -1) {
		patterns[line[1]] = regexp.MustCompile("^(?:" + line[2] + ")$")
	}
	allowed := func(call string) bool {
		method, path, _ := strings.Cut(call, " ")
		return patterns[method] != nil && patterns[method].MatchString(path)
	}
	made := listedCalls(t)
	fill := strings.NewReplacer("{id}", "3f1d", "{name}", "reg.test:5000/etl/jobs@sha256:1")
	for _, call := range made {
		method, path, _ := strings.Cut(fill.Replace(call), " ")
		if path != "/_ping" {
			path = "/v1.41" + path
		}
		if !allowed(method + " " + path) {
			t.Errorf("%s %s is not let through", method, path)
		}
	}
	for _, call := range []string{
		"POST /v1.41/containers/3f1d/exec", "POST /v1.41/exec/3f1d/start", "POST /v1.41/containers/3f1d/attach", "POST /v1.41/containers/3f1d/update",
		"POST /v1.41/containers/prune", "POST /v1.41/images/prune", "POST /v1.41/build", "POST /v1.41/images/load", "POST /v1.41/networks/create",
		"POST /v1.41/plugins/pull", "POST /v1.41/swarm/init", "POST /v1.41/commit", "POST /v1.41/auth", "GET /v1.41/secrets", "GET /v1.41/containers/3f1d/export",
		"GET /v1.41/images/x/get", "GET /v1.41/networks", "GET /v1.41/system/df", "PUT /v1.41/info", "HEAD /v1.41/containers/3f1d/archive",
		"DELETE /v1.41/networks/x", "PATCH /v1.41/info", "GET /info",
	} {
		if allowed(call) {
			t.Errorf("%s is let through", call)
		}
	}
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// listedCalls are those of testdata/calls.txt, in order.
func listedCalls(t *testing.T) []string {
	t.Helper()
	list, err := os.ReadFile("testdata/calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for line := range strings.Lines(string(list)) {
		if words := strings.Fields(line); len(words) >= 2 && words[0] != "#" {
			made = append(made, words[0]+" "+words[1])
		}
	}
	slices.Sort(made)
	return made
}
