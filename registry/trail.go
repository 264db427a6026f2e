package registry

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestRetryAfter caps what a registry can ask for: beyond a day it is a
// mistake, and obeying it would stop a watch for good.
const longestRetryAfter = 24 * time.Hour

// trail is what the last request of a call asked and got. The errors of
// go-containerregistry carry no headers, and tell a refusing token server from
// a refusing registry by their text only, and bundle the failure of http with
// that of an https that was never tried; the endpoint knows it all. A call sends
// its requests one after the other, so that nothing guards the trail.
type trail struct {
	method, host string
	manifest     bool // it asked for a manifest or a blob, not for a login
	status       int  // 0: no answer
	retryAfter   time.Duration
	failed       error    // why there is no answer
	secrets      []string // what the call has sent to log in
}

type trailKey struct{}

func withTrail(ctx context.Context) (context.Context, *trail) {
	t := &trail{}
	return context.WithValue(ctx, trailKey{}, t), t
}

// trailOf gives the trail of a call; outside of one, a trail that nobody reads.
func trailOf(ctx context.Context) *trail {
	if t, ok := ctx.Value(trailKey{}).(*trail); ok {
		return t
	}
	return &trail{}
}

func (t *trail) sent(req *http.Request) {
	redirected := t.manifest && req.Response != nil
	*t = trail{
		method:   req.Method,
		host:     req.URL.Host,
		manifest: redirected || asksForContent(req.URL.Path),
		secrets:  appendSecrets(t.secrets, req),
	}
}

func (t *trail) answered(resp *http.Response) {
	t.status = resp.StatusCode
	t.retryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), time.Now())
}

// appendSecrets notes what a request carries to log in, as it is on the wire
// and as a person knows it.
func appendSecrets(known []string, req *http.Request) []string {
	if _, value, ok := strings.Cut(req.Header.Get("Authorization"), " "); ok && value != "" {
		known = append(known, value)
	}
	if _, password, ok := req.BasicAuth(); ok && password != "" {
		known = append(known, password)
	}
	return known
}

func asksForContent(path string) bool {
	return strings.Contains(path, "/manifests/") || strings.Contains(path, "/blobs/")
}

// parseRetryAfter reads the header's two forms, seconds and an HTTP date. What
// is neither, or is past, says nothing.
func parseRetryAfter(header string, now time.Time) time.Duration {
	var d time.Duration
	if seconds, err := strconv.ParseInt(strings.TrimSpace(header), 10, 32); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), longestRetryAfter)
}
