package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/problem"
)

// Links knows which links to logs were signed here.
type Links interface {
	// Signed says nothing of whether the time has come.
	Signed(run string, until time.Time, sign string) bool
}

// linkState is what the link of a request for a log's page is good for.
type linkState int

const (
	noLink    linkState = iota
	goodLink            // it opens the log
	endedLink           // it did
	offLink             // the configuration lets links open nothing
	wrongLink           // it was not signed here, or with an earlier key
)

// link is that of a request.
type link struct {
	state linkState
	until time.Time // of endedLink
}

// pageOf tells whose log a request asks for as a page.
func pageOf(r *http.Request) (run string, ok bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return "", false
	}
	run, begins := strings.CutPrefix(r.URL.Path, "/runs/")
	run, ends := strings.CutSuffix(run, "/log")
	return run, begins && ends && run != "" && !strings.Contains(run, "/")
}

// linkOf looks at the link of a request for a log's page.
func (s *Server) linkOf(r *http.Request, now time.Time) link {
	run, ok := pageOf(r)
	if !ok {
		return link{}
	}
	query := r.URL.Query()
	if !query.Has("sign") && !query.Has("until") {
		return link{}
	}
	stamp, err := strconv.ParseInt(query.Get("until"), 10, 64)
	until := time.Unix(stamp, 0)
	switch {
	case !s.setup.Load().Links || s.opts.Links == nil:
		return link{state: offLink}
	case err != nil || !s.opts.Links.Signed(run, until, query.Get("sign")):
		return link{state: wrongLink}
	case !now.Before(until):
		return link{state: endedLink, until: until}
	}
	return link{state: goodLink}
}

type linkedKey struct{}

// linked marks a request that a link opens, whoever it is from.
func linked(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), linkedKey{}, true))
}

func isLinked(ctx context.Context) bool {
	ok, _ := ctx.Value(linkedKey{}).(bool)
	return ok
}

// refusePage answers a person who can't have a page, in words and not in JSON.
func (s *Server) refusePage(w http.ResponseWriter, r *http.Request, err error) {
	a, shown := failure(err), s.linkOf(r, time.Now())
	text := a.Detail + "\n"
	if a.Mend != "" {
		text += a.Mend + "\n"
	}
	if why := shown.why(a.Code); why != "" {
		if shown.state != noLink {
			a.Status = http.StatusForbidden
		}
		run, _ := pageOf(r)
		text = why + "\n\nWhoever has a token reads the log with:\n\n  prewarm logs " + named(run) + "\n"
	}
	setPageHeader(w.Header())
	for name, values := range a.GetHeaders() {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Status)
	fmt.Fprint(w, text)
}

// why says why the link of a request that was refused opens nothing; empty: the
// reason is another.
func (l link) why(code string) string {
	if code != string(problem.Unauthenticated) && code != string(problem.Forbidden) {
		return ""
	}
	switch l.state {
	case endedLink:
		return "This link has ended: it opened the log until " + l.until.UTC().Format(pageTime) + " UTC."
	case offLink:
		return "This server lets no links open logs (server.link_life of its configuration)."
	case wrongLink:
		return "This link opens nothing: a part of it is missing or was changed, or the server has another key since."
	}
	if code == string(problem.Unauthenticated) {
		return "This log is for those who have a token, or the link of a notice that has not ended."
	}
	return ""
}

// named is the id of a run as a page may repeat it: nobody is to write on our
// pages by making up an address.
func named(run string) string {
	if uuid.Validate(run) != nil {
		return "RUN"
	}
	return url.PathEscape(run)
}
