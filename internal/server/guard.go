package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/problem"
)

// guard lets in who is known, and keeps web pages out. Whoever reaches the API can
// execute containers, and while there are no tokens everybody on this machine may:
// a page that a browser here shows could reach it by a request across origins, or
// under a name of its own that it lets point at 127.0.0.1.
func (s *Server) guard(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(refuse(http.StatusForbidden, problem.InvalidRequest, "the request comes from a web page of another origin",
		"call the API from a program, not from a page"))
	next = origins.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		boundBody(w, r)
		if s.linkOf(r, time.Now()).state == goodLink { // it proves by itself that it is no foreign page's
			next.ServeHTTP(w, linked(r))
			return
		}
		c, err := s.identify(r)
		open := forEverybody(r)
		if err == nil && !open {
			err = s.paced(r, c)
		}
		switch {
		case err != nil && !open:
			s.refuseStranger(w, r, err)
		case c.Anonymous && !isDelivery(r) && !isOwn(hostOfHeader(r.Host)):
			refuse(http.StatusMisdirectedRequest, problem.InvalidRequest, fmt.Sprintf("this server is not called %q", r.Host),
				"call it as localhost or 127.0.0.1; through a proxy, or from another machine, with a token")(w, r)
		default:
			ctx, cut := context.WithCancel(withCaller(r.Context(), c))
			defer cut()
			next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, cutKey{}, cut)))
		}
	})
}

// paced refuses what a caller sends too often.
func (s *Server) paced(r *http.Request, c access.Caller) error {
	limit := s.setup.Load().Rate
	if endsRun(r) {
		return s.stops.allow(c, stopsFor(limit))
	}
	return s.rates.allow(c, pace{limit, max(int(2*limit), 1)})
}

// endsRun tells a cancel or a reject. A caller that is refused one may be gone
// before it can ask again.
func endsRun(r *http.Request) bool {
	run, about := strings.CutPrefix(r.URL.Path, "/v1/runs/")
	id, what, _ := strings.Cut(run, "/")
	return r.Method == http.MethodPost && about && id != "" && (what == "cancel" || what == "reject")
}

// cutKey is of what ends a request.
type cutKey struct{}

// watchEvery is how often it is seen whether a caller may still follow.
const watchEvery = 5 * time.Second

// watch cuts a request off once its caller may no longer do what it does: a
// stream goes on for hours, and a token can be revoked meanwhile. Who came in
// without one had the machine, and has it still.
func (s *Server) watch(r *http.Request, c access.Caller, scope access.Scope) (stop func()) {
	cut, ok := r.Context().Value(cutKey{}).(context.CancelFunc)
	if c.Anonymous || !ok {
		return func() {}
	}
	look := time.NewTicker(watchEvery)
	var watching sync.WaitGroup
	ended := make(chan struct{})
	watching.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-look.C:
			}
			if now, err := s.identify(r); err != nil || !now.May(scope) || now.Namespace != c.Namespace {
				cut()
				return
			}
		}
	})
	return func() {
		look.Stop()
		close(ended)
		watching.Wait()
	}
}

// bodyTime is how long a body may take that nobody waits for.
const bodyTime = 10 * time.Second

// boundBody bounds how long a request's body may take to come. Those that are
// refused, and those whose body nobody wants, are answered only once net/http has
// read what they announced: whoever announces a body and sends none would hold a
// connection for ever. An operation that reads a body sets a time of its own.
func boundBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		return
	}
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(bodyTime)) // a connection that has none needs none
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return
	}
	// Nothing reads it, and its answer may be followed for hours.
	if _, err := io.CopyN(io.Discard, r.Body, maxIgnored); errors.Is(err, io.EOF) {
		_ = connection.SetReadDeadline(time.Time{}) // as above
	}
}

// maxIgnored bounds what is read of a body that means nothing, in bytes.
const maxIgnored = 64 << 10

// isOwn tells whether a name can't be that of a foreign page.
func isOwn(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil || strings.EqualFold(name, "localhost")
}

// hostOfHeader is a Host header without its port.
func hostOfHeader(host string) string { return (&url.URL{Host: host}).Hostname() }

// onlyClean refuses paths such as /v1//runs, which net/http would redirect, in
// HTML: a caller that left out a name should hear so.
func onlyClean(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.EscapedPath()
		if strings.Contains(asked, "//") || strings.HasPrefix(asked, "/") && path.Clean(asked) != "/"+strings.Trim(asked, "/") {
			refuseUnknown(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// noRoute answers what no route matches; net/http would do so in plain text.
func noRoute(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		allowed := methodsOf(mux, r)
		if len(allowed) == 0 {
			refuseUnknown(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		refuse(http.StatusMethodNotAllowed, problem.MethodNotAllowed, fmt.Sprintf("%q takes no %s", shown(r.URL.Path), r.Method), "use "+strings.Join(allowed, " or "))(w, r)
	}
}

// methodsOf lists the methods that a request's path would take.
func methodsOf(mux *http.ServeMux, r *http.Request) []string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
		other := r.WithContext(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "/" {
			methods = append(methods, method)
		}
	}
	return methods
}

func refuseUnknown(w http.ResponseWriter, r *http.Request) {
	refuse(http.StatusNotFound, problem.PathNotFound, fmt.Sprintf("there is no %q here", shown(r.URL.Path)), mendByDocument)(w, r)
}

func refuse(status int, code problem.Code, detail, mend string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		newAnswer(status, code, detail, mend).write(w)
	}
}
