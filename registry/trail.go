package registry

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// longestRetryAfter caps what a registry can ask for: beyond a day it is a
// mistake, and obeying it would stop a watch for good.
const longestRetryAfter = 24 * time.Hour

// longestInstant is how soon a registry may ask to be asked again for us to do
// so within the same call.
const longestInstant = 2 * time.Second

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
	instant      bool     // it is over in a moment, by the registry's own word
	failed       error    // why there is no answer
	secrets      []string // what the call has sent to log in
	// limited is the longest that any answer of the call asked to wait, by 429;
	// below zero, by none. It outlives the request.
	limited time.Duration
	// at is when the request was sent, after all waits.
	at    time.Time
	begun bool // the call has had its first turn: the next go ahead of the line
	paid  bool // the next request has had its turn
}

type trailKey struct{}

func withTrail(ctx context.Context) (context.Context, *trail) {
	t := &trail{limited: -1}
	return context.WithValue(ctx, trailKey{}, t), t
}

// trailOf gives the trail of a call; outside of one, a trail that nobody reads.
func trailOf(ctx context.Context) *trail {
	if t, ok := ctx.Value(trailKey{}).(*trail); ok {
		return t
	}
	return &trail{}
}

func (t *trail) sent(req *http.Request, now time.Time) {
	redirected := t.manifest && req.Response != nil
	if t.instant {
		t.limited = -1 // it was waited for
	}
	*t = trail{
		method:   req.Method,
		host:     req.URL.Host,
		manifest: redirected || asksForContent(req.URL.Path),
		secrets:  appendSecrets(t.secrets, req),
		limited:  t.limited,
		at:       now,
		begun:    t.begun,
	}
}

func (t *trail) answered(resp *http.Response) {
	t.status = resp.StatusCode
	t.retryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), time.Now())
	if resp.StatusCode != http.StatusTooManyRequests {
		return
	}
	if resp.Header.Get("Retry-After") == "" {
		t.retryAfter = retryInBody(resp)
		t.instant = t.retryAfter > 0 && t.retryAfter <= longestInstant
	}
	t.limited = max(t.limited, t.retryAfter)
}

// retryIn is how GitHub's registry says when to come back, in the text of its
// answer: "retry-after: 1.16ms, allowed: 44000/minute".
var retryIn = regexp.MustCompile(`(?i)retry-after: ?([0-9][0-9.]{0,15}(?:ns|us|µs|ms|s|m|h))`)

// retryInBody reads the start of an answer's text, and puts it back.
func retryInBody(resp *http.Response) time.Duration {
	const enough = 4 << 10
	text, err := io.ReadAll(io.LimitReader(resp.Body, enough))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(text), resp.Body), resp.Body}
	found := retryIn.FindSubmatch(text)
	if err != nil || found == nil {
		return 0
	}
	d, err := time.ParseDuration(string(found[1]))
	if err != nil {
		return 0
	}
	return min(d, longestRetryAfter)
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
	return strings.Contains(path, "/manifests/") || strings.Contains(path, "/blobs/") || strings.HasSuffix(path, "/tags/list")
}

// asked is what a request asks for, as far as quotas know the difference.
type asked struct {
	manifest bool // an index or a manifest, which is what registries count
	watch    bool // by its tag
	head     bool
}

func questionOf(req *http.Request) asked {
	_, reference, manifest := strings.Cut(req.URL.Path, "/manifests/")
	return asked{
		manifest: manifest,
		watch:    manifest && !strings.Contains(reference, ":"),
		head:     manifest && req.Method == http.MethodHead,
	}
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
