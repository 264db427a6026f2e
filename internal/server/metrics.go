package server

import "net/http"

// serveMetrics answers scrapes, where there is something that counts. The path
// is no part of the API's document: what it answers is Prometheus's format.
func (s *Server) serveMetrics(mux *http.ServeMux) {
	if s.opts.Metrics != nil {
		mux.Handle("GET /metrics", s.opts.Metrics)
	}
}
