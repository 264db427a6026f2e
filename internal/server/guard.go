package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// guard keeps web pages out. Whoever reaches the API can execute containers,
// and there are no tokens yet: a page that a browser on this machine shows
// could reach it by a request across origins, or under a name of its own that
// it lets point at 127.0.0.1.
func guard(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(refuse(http.StatusForbidden, "the request comes from a web page of another origin",
		"call the API from a program, not from a page"))
	next = origins.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ownName(r.Host) {
			refuse(http.StatusMisdirectedRequest, fmt.Sprintf("this server is not called %q", r.Host),
				"call it by its IP address or as localhost; a proxy must send that as the Host")(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownName tells whether a Host header can't be the name of a foreign page. No
// header at all, in HTTP/1.0, is not a browser's.
func ownName(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	if name == "" || strings.EqualFold(name, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

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
		refuse(http.StatusMethodNotAllowed, fmt.Sprintf("%q takes no %s", r.URL.Path, r.Method), "use "+strings.Join(allowed, " or "))(w, r)
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
	refuse(http.StatusNotFound, fmt.Sprintf("there is no %q here", r.URL.Path), mendByDocument)(w, r)
}

func refuse(status int, detail, mend string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		newAnswer(status, problem.InvalidRequest, detail, mend).write(w)
	}
}
