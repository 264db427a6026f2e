package server

import (
	"context"
	"net/http"

	"github.com/prewarm/prewarm/internal/access"
)

const textType = "text/plain; charset=utf-8"

// readersByLink is how many pages are sent at once to those who came by links.
const readersByLink = 32

// byLink is who comes by a link, to be counted beside the callers: no token has
// such a name.
var byLink = access.Caller{Name: "whoever has a link"}

// servePages answers people, in their browsers. Pages are no part of the API's
// document: what they say is for nobody's program.
func (s *Server) servePages(mux *http.ServeMux) { mux.HandleFunc("GET /runs/{id}/log", s.showLog) }

// setPageHeader keeps what a program wrote from being taken for a web page, and
// the address, which may be signed, from going anywhere.
func setPageHeader(h http.Header) {
	h.Set("Content-Type", textType)
	h.Set("Content-Disposition", "inline")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

func (s *Server) showLog(w http.ResponseWriter, r *http.Request) {
	ctx, id := r.Context(), r.PathValue("id")
	if err := s.mayShow(ctx, id); err != nil {
		s.refusePage(w, r, err)
		return
	}
	reader, most := callerOf(ctx), s.setup.Load().Followers
	if isLinked(ctx) {
		reader, most = byLink, readersByLink
	}
	leave, err := s.followers.join(reader, most)
	if err != nil {
		s.refusePage(w, r, err)
		return
	}
	defer leave()
	// Nobody who reads a page is the run's caller: nothing here renews its keepalive.
	run, err := s.opts.Runs.Look(ctx, id)
	if err != nil {
		s.refusePage(w, r, err)
		return
	}
	page := logPage{run: run, copy: s.opts.Runs.CopyLog}
	if err := page.measure(ctx); err != nil {
		s.refusePage(w, r, err)
		return
	}
	setPageHeader(w.Header())
	s.endStream(ctx, id, stream(w, textType, func(o *outlet) error { return page.write(ctx, o.write) }))
}

// mayShow refuses who neither came by a link nor may read the run otherwise.
func (s *Server) mayShow(ctx context.Context, id string) error {
	if isLinked(ctx) {
		return nil
	}
	c := callerOf(ctx)
	if !c.May(access.Read) {
		return forbidden(c, "get-logs", "it lacks the scope "+string(access.Read))
	}
	return s.sees(ctx, id)
}
