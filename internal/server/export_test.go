package server

import (
	"net/http"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/problem"
)

// Handler is what the Server answers with, for tests that need no listener.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Limits is the HTTP server, for its limits.
func (s *Server) Limits() *http.Server { return &s.http }

// Allowed is the scope of each operation.
func Allowed() map[string]access.Scope { return allowed }

// StatusOf is the HTTP status of a code, where the API answers it.
func StatusOf(code problem.Code) (int, bool) {
	status, ok := statusOf[code]
	return status, ok
}
