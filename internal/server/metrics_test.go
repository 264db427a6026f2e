package server_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
)

func TestMetricsAreServedWhereThereAreSome(t *testing.T) {
	t.Parallel()
	told := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("prewarm_build_info 1\n")) })
	for _, c := range []struct {
		name    string
		metrics http.Handler
		method  string
		want    int
	}{
		{"a scrape", told, http.MethodGet, http.StatusOK},
		{"another method", told, http.MethodPost, http.StatusMethodNotAllowed},
		{"nobody counts", nil, http.MethodGet, http.StatusNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), c.method, "http://127.0.0.1/metrics", nil)
			server.New(server.Options{Metrics: c.metrics, Logger: discard}).Handler().ServeHTTP(w, r)
			if w.Code != c.want || c.want == http.StatusOK && w.Body.String() != "prewarm_build_info 1\n" {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

// A scrape needs no scope of its own: each includes read.
func TestMetricsAreForAnyToken(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each(), func(o *server.Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("told")) })
	})
	for _, scope := range access.Scopes {
		if r := l.as(string(scope), http.MethodGet, "/metrics", ""); r.status != http.StatusOK || !(access.Caller{Grant: access.Grant{Scopes: []access.Scope{scope}}}).May(access.Read) {
			t.Errorf("%s: %d %s", scope, r.status, r.body)
		}
	}
	l.as("", http.MethodGet, "/metrics", "").problem(http.StatusUnauthorized, problem.Unauthenticated)
}
