package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// canned is a server that answers as a script wrote it down: for what a verb
// asks and prints, whatever the server does about it.
type canned struct {
	mu      sync.Mutex
	answers map[string]cannedAnswer // by "METHOD /path?query", or without the query
	asked   []string
}

type cannedAnswer struct {
	status int
	body   string
}

type cannedKey struct{}

// answerWith gives METHOD and PATH the content of a file as the answer.
func answerWith(ts *testscript.TestScript, _ bool, args []string) {
	s, ok := ts.Value(cannedKey{}).(*canned)
	if !ok {
		ts.Fatalf("no canned server")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers == nil {
		s.answers = make(map[string]cannedAnswer)
		server := httptest.NewServer(s)
		ts.Defer(server.Close)
		ts.Setenv("PREWARM_URL", server.URL)
	}
	a := cannedAnswer{http.StatusOK, ts.ReadFile(args[2])}
	if len(args) > 3 {
		a.status = number(ts, args[3])
	}
	s.answers[args[0]+" "+args[1]] = a
}

// asked wants exactly these requests, in the order of a file's lines, and
// forgets them.
func asked(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(cannedKey{}).(*canned)
	s.mu.Lock()
	defer s.mu.Unlock()
	if got, want := strings.Join(s.asked, "\n"), strings.TrimSpace(ts.ReadFile(args[0])); got != want {
		ts.Fatalf("asked:\n%s\nwant:\n%s", got, want)
	}
	s.asked = nil
}

func (s *canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, r.RequestURI, body)))
	a, ok := s.answers[r.Method+" "+r.RequestURI]
	if !ok {
		a, ok = s.answers[r.Method+" "+r.URL.EscapedPath()]
	}
	kind := "application/json"
	switch {
	case !ok:
		a = cannedAnswer{http.StatusNotFound, `{"code":"run_not_found","detail":"nothing is known of ` + strconv.Quote(r.RequestURI)[1:] + `}`}
		kind = "application/problem+json"
	case a.status >= http.StatusBadRequest:
		kind = "application/problem+json"
	case strings.HasSuffix(r.URL.Path, "/logs"):
		kind = "application/x-ndjson"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body) // the client is gone, if it fails
}
