package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
)

// shownRun is the run of these tests; the other one is of another namespace.
const (
	shownRun = "0192f0c1-7a52-7c3e-9c51-5a2f0c1d7b42"
	otherRun = "0192f0c1-7a52-7c3e-9c51-5a2f0c1d7b43"
)

// linkScene is a locked server whose links are signed with a key of the test's.
type linkScene struct {
	*locked
	links *access.Links
}

func newLinkScene(t *testing.T, change ...func(*server.Options)) *linkScene {
	t.Helper()
	links, err := access.OpenLinks(filepath.Join(t.TempDir(), "link.key"))
	if err != nil {
		t.Fatal(err)
	}
	change = append([]func(*server.Options){func(o *server.Options) { o.Links, o.Setup.Links = links, true }}, change...)
	s := &linkScene{newLocked(t, each(), change...), links}
	ended := time.Date(2026, 11, 28, 7, 4, 0, 0, time.UTC)
	s.runs.add(runner.Run{
		ID: shownRun, Image: "jobs", Host: "etl-1", State: runner.Failed, Exited: true, ExitCode: 3, Detail: "it could not reach db",
		Terms: runner.Terms{Namespace: "default", Try: 2, Tries: 3}, Submitted: ended.Add(-time.Hour), Started: ended.Add(-time.Minute), Ended: ended,
		Log: runner.LogState{Lines: 2, Complete: true},
	})
	s.runs.add(runner.Run{ID: otherRun, Image: "jobs", State: runner.Running, Terms: runner.Terms{Namespace: "finance"}})
	s.runs.print(shownRun, "begin", "<script>alert(1)</script>")
	return s
}

// path is a link's.
func (s *linkScene) path(run string, until time.Time) string {
	return "/runs/" + run + "/log?until=" + strconv.FormatInt(until.Unix(), 10) + "&sign=" + s.links.Sign(run, until)
}

const wantedPage = `Run 0192f0c1-7a52-7c3e-9c51-5a2f0c1d7b42 | image jobs | host etl-1 | try 2 of 3 | failed with exit code 3
Times are UTC. E: the program wrote it to stderr; *: Prewarm did.

1970-01-01 00:00:01.000   begin
1970-01-01 00:00:02.000   <script>alert(1)</script>

The run failed with exit code 3, on 2026-11-28 07:04:00. it could not reach db. Its log is complete.
`

func TestALinkShowsALog(t *testing.T) {
	t.Parallel()
	s := newLinkScene(t)
	r := s.as("", http.MethodGet, s.path(shownRun, time.Now().Add(time.Hour)), "", "Host", "prewarm.example.com")
	if r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if diff := cmp.Diff(wantedPage, string(r.body)); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff", "Content-Disposition": "inline", "Cache-Control": "no-store",
		"Referrer-Policy": "no-referrer", "Content-Security-Policy": "default-src 'none'; sandbox",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	// It is good for nothing else, and no wall between namespaces.
	query := strings.SplitN(s.path(shownRun, time.Now().Add(time.Hour)), "?", 2)[1]
	for _, path := range []string{"/v1/runs/" + shownRun, "/v1/runs/" + shownRun + "/logs", "/metrics", "/v1/runs"} {
		if r := s.as("", http.MethodGet, path+"?"+query, ""); r.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, r.status)
		}
	}
	if r := s.as("", http.MethodPost, s.path(shownRun, time.Now().Add(time.Hour)), ""); r.status != http.StatusUnauthorized {
		t.Errorf("a POST: %d", r.status)
	}
	if r := s.as("", http.MethodGet, s.path(otherRun, time.Now().Add(time.Hour)), ""); r.status != http.StatusOK || !bytes.Contains(r.body, []byte("no host yet | running")) {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := s.as("", http.MethodGet, s.path("0192f0c1-7a52-7c3e-9c51-5a2f0c1d7b44", time.Now().Add(time.Hour)), ""); r.status != http.StatusNotFound {
		t.Errorf("a run that is gone: %d %s", r.status, r.body)
	}
}

func TestALinkThatOpensNothing(t *testing.T) {
	t.Parallel()
	s := newLinkScene(t)
	stranger := newLinkScene(t)
	later, good := time.Now().Add(time.Hour), ""
	good = s.path(shownRun, later)
	for name, c := range map[string]struct {
		path string
		want string
	}{
		"it ended":         {s.path(shownRun, time.Now().Add(-time.Second)), "This link has ended: it opened the log until 2"},
		"another run":      {strings.Replace(good, shownRun, otherRun, 1), "This link opens nothing"},
		"no such run":      {strings.Replace(good, shownRun, "nope", 1), "This link opens nothing"},
		"more time":        {strings.Replace(good, "until=", "until=1", 1), "This link opens nothing"},
		"no time":          {strings.Replace(good, "until=", "till=", 1), "This link opens nothing"},
		"another sign":     {good[:len(good)-4] + "AAAA", "This link opens nothing"},
		"no sign":          {strings.SplitN(good, "&", 2)[0], "This link opens nothing"},
		"another key":      {stranger.path(shownRun, later), "This link opens nothing"},
		"a made up id":     {"/runs/send+us+your+token/log?sign=1", "This link opens nothing"},
		"a longer address": {strings.Replace(good, "/log?", "%2Flog/log?", 1), ""},
	} {
		r := s.as("", http.MethodGet, c.path, "")
		if c.want == "" {
			if r.status != http.StatusUnauthorized {
				t.Errorf("%s: %d", name, r.status)
			}
			continue
		}
		if r.status != http.StatusForbidden || !strings.HasPrefix(string(r.body), c.want) || !strings.Contains(string(r.body), "\n  prewarm logs ") {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
		if strings.Contains(string(r.body), "your") || r.header.Get("Content-Type") != "text/plain; charset=utf-8" || r.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v %s", name, r.header, r.body)
		}
	}
	off := newLinkScene(t, func(o *server.Options) { o.Setup.Links = false })
	if r := off.as("", http.MethodGet, off.path(shownRun, later), ""); r.status != http.StatusForbidden || !strings.Contains(string(r.body), "server.link_life") {
		t.Errorf("links are off: %d %s", r.status, r.body)
	}
}

func TestWrongLinksAreAnsweredLessAndLess(t *testing.T) {
	t.Parallel()
	s := newLinkScene(t)
	limited, ended := 0, 0
	for range 40 {
		if s.as("", http.MethodGet, s.path(shownRun, time.Unix(1, 0)), "").status == http.StatusForbidden {
			ended++
		}
		if r := s.as("", http.MethodGet, "/runs/"+shownRun+"/log?until=1&sign=AAAA", ""); r.status == http.StatusTooManyRequests {
			limited++
			if r.header.Get("Retry-After") == "" || !strings.Contains(string(r.body), "too many") {
				t.Errorf("%v %s", r.header, r.body)
			}
		}
	}
	if limited < 10 || ended != 40 {
		t.Errorf("of 40 wrong ones %d were limited; of 40 that ended %d were told so", limited, ended)
	}
	if r := s.as("", http.MethodGet, s.path(shownRun, time.Now().Add(time.Hour)), ""); r.status != http.StatusOK {
		t.Errorf("a good link is locked out: %d", r.status)
	}
}

// A caller reads the page of a run as it reads its log, whatever the link.
func TestCallersReadPages(t *testing.T) {
	t.Parallel()
	s := newLinkScene(t)
	ended := strings.SplitN(s.path(shownRun, time.Unix(1, 0)), "?", 2)[1]
	for _, c := range []struct {
		token, path string
		want        int
	}{
		{"read", "/runs/" + shownRun + "/log", http.StatusOK},
		{"read", "/runs/" + shownRun + "/log?" + ended, http.StatusOK},
		{"wrong", "/runs/" + shownRun + "/log", http.StatusUnauthorized},
		{"", "/runs/" + shownRun + "/log", http.StatusUnauthorized},
		{"read", "/runs/" + otherRun + "/log", http.StatusNotFound},
		{"admin", "/runs/" + otherRun + "/log", http.StatusOK},
		{"admin", "/runs/nope/log", http.StatusNotFound},
	} {
		r := s.as(c.token, http.MethodGet, c.path, "")
		if r.status != c.want || r.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s with %q: %d %v", c.path, c.token, r.status, r.header)
		}
	}
	if r := s.as("", http.MethodGet, "/runs/"+shownRun+"/log", ""); r.header.Get("WWW-Authenticate") != "Bearer" || !strings.Contains(string(r.body), "prewarm logs "+shownRun) {
		t.Errorf("%v %s", r.header, r.body)
	}
	// Where there are no tokens, a page of another site must not read logs through a browser here.
	open := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, "http://evil.test/runs/"+shownRun+"/log", nil)
	server.New(server.Options{Images: stubImages{}, Runs: s.runs, Logger: discard}).Handler().ServeHTTP(open, request)
	if open.Code != http.StatusMisdirectedRequest {
		t.Errorf("%d %s", open.Code, open.Body)
	}
}

// renewed is a runner that must not be asked by way of what renews a keepalive.
type renewed struct {
	*runs
	t *testing.T
}

func (r renewed) Get(context.Context, string) (runner.Run, error) {
	r.t.Error("Get was called")
	return runner.Run{}, nil
}

func (r renewed) CopyLog(ctx context.Context, id string, after int64, follow bool, w func([]byte) error) error {
	if follow {
		r.t.Error("the log is followed")
	}
	return r.runs.CopyLog(ctx, id, after, follow, w)
}

func TestAPageRenewsNothing(t *testing.T) {
	t.Parallel()
	s := newLinkScene(t, func(o *server.Options) { o.Runs = renewed{o.Runs.(*runs), t} })
	for token, path := range map[string]string{"": s.path(shownRun, time.Now().Add(time.Hour)), "read": "/runs/" + shownRun + "/log"} {
		if r := s.as(token, http.MethodGet, path, ""); r.status != http.StatusOK {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
}

func TestWhatAPageSays(t *testing.T) {
	t.Parallel()
	s := newLinkScene(t)
	ended := time.Date(2026, 11, 28, 7, 4, 0, 0, time.UTC)
	for n, c := range []struct {
		run    runner.Run
		status int
		want   []string
	}{
		{runner.Run{State: runner.Queued}, 200, []string{"no host yet | queued\n", "\nThe run is queued. This page does not grow: load it again"}},
		{runner.Run{State: runner.Succeeded, SameAs: "x", Ended: ended}, 200, []string{"run x had done its work", "The run succeeded, on 2026-11-28 07:04:00.\n"}},
		{runner.Run{State: runner.TimedOut, Ended: ended, Started: ended, Log: runner.LogState{Gap: "lines were cut"}}, 200, []string{"The run timed out, on", "may lack lines: lines were cut.\n"}},
		{runner.Run{State: runner.Refused, Ended: ended, Detail: "No host."}, 200, []string{"The run was refused, on", " No host. Nothing was executed, so there is no log.\n"}},
		{runner.Run{State: runner.Failed, Ended: ended, Terms: runner.Terms{Try: 4}, Log: runner.LogState{Removed: true}}, 410, []string{"was removed"}},
		{runner.Run{State: runner.Running, Terms: runner.Terms{Try: 4}}, 200, []string{"| try 4 | running\n"}},
	} {
		c.run.ID = fmt.Sprint("run-", n)
		s.runs.add(c.run)
		r := s.as("admin", http.MethodGet, "/runs/"+c.run.ID+"/log", "")
		if r.status != c.status {
			t.Errorf("%d: %d", n, r.status)
		}
		for _, want := range c.want {
			if !strings.Contains(string(r.body), want) {
				t.Errorf("%d: %q is not in\n%s", n, want, r.body)
			}
		}
	}
}

func TestAPageMarksStreams(t *testing.T) {
	t.Parallel()
	s := newLinkScene(t)
	s.runs.change(func() {
		s.runs.logs[shownRun] = nil
		for n, stream := range []string{"stdout", "stderr", "prewarm"} {
			b, err := json.Marshal(spool.Entry{Seq: int64(n + 1), Time: time.Unix(0, 5e6), Stream: stream, Text: "a\tü"})
			if err != nil {
				t.Error(err)
			}
			s.runs.logs[shownRun] = append(s.runs.logs[shownRun], append(b, '\n'))
		}
	})
	r := s.as("read", http.MethodGet, "/runs/"+shownRun+"/log", "")
	want := "1970-01-01 00:00:00.005   a\tü\n1970-01-01 00:00:00.005 E a\tü\n1970-01-01 00:00:00.005 * a\tü\n"
	if !strings.Contains(string(r.body), want) {
		t.Errorf("%s", r.body)
	}
}

// A log that is too long for a page is shown from where its end fits.
func TestAPageOfALongLog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines, bytes int // of the log, and of each line's text
		known        bool
		first        int
	}{
		"many lines":                    {100_500, 1, true, 501},
		"many lines of another run":     {100_500, 1, false, 501},
		"long lines":                    {30, 1 << 20, true, 22}, // 9 of a MiB and its time fit 10 MiB
		"a line that is longer than it": {2, 11 << 20, true, 3},
		"just all":                      {100_000, 1, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newLinkScene(t)
			text := strings.Repeat("x", c.bytes)
			texts := make([]string, c.lines)
			for n := range texts {
				texts[n] = text
			}
			run := runner.Run{ID: "long", Image: "jobs", State: runner.Running}
			if c.known {
				run.Log.Lines = int64(c.lines)
			} else {
				run.SameAs = "another"
			}
			s.runs.add(run)
			s.runs.print("long", texts...)
			r := s.as("admin", http.MethodGet, "/runs/long/log", "")
			head, _, _ := bytes.Cut(r.body, []byte("xx"))
			lines := bytes.Count(r.body, []byte(strings.Repeat("x", min(c.bytes, 1000))+"\n"))
			if lines != c.lines-c.first+1 {
				t.Errorf("%d lines, want those from %d of %d", lines, c.first, c.lines)
			}
			said := strings.Contains(string(r.body[:min(len(r.body), 500)]), fmt.Sprintf("(Lines 1 to %d are left out; prewarm logs long prints all.)", c.first-1))
			if said != (c.first > 1) {
				t.Errorf("%.400s", head)
			}
			if len(r.body) > 11<<20 {
				t.Errorf("%d bytes", len(r.body))
			}
		})
	}
}

// Lines that were cut out of the middle leave a gap in the numbers.
func TestAPageOfALogWithAGap(t *testing.T) {
	t.Parallel()
	s := newLinkScene(t)
	big := strings.Repeat("x", 4<<20)
	logs := func(_ context.Context, after int64, _ bool, w func([]byte) error) error {
		for _, seq := range []int64{1, 2, 3, 1000, 1001} {
			if seq > after {
				if err := w(lineOf(seq, big)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	url, _ := serve(t, server.Options{Images: stubImages{}, Runs: stub{logs: logs}, Access: s.keys})
	r := call(t, clientOf(t, url), http.MethodGet, url+"/runs/1/log", "", "Authorization", "Bearer admin")
	if got := bytes.Count(r.body, []byte(big)); got != 2 || !bytes.Contains(r.body, []byte("Lines 1 to 3 are left out")) {
		t.Errorf("%d lines, %.300s", got, r.body)
	}
}

// What breaks off is not taken for the whole.
func TestAPageThatBreaksOff(t *testing.T) {
	t.Parallel()
	s := newLinkScene(t)
	reads := 0
	logs := func(_ context.Context, _ int64, _ bool, w func([]byte) error) error {
		if reads++; reads == 1 {
			return nil
		}
		return problem.New(problem.LogRemoved, "the log was removed meanwhile", "")
	}
	url, _ := serve(t, server.Options{Images: stubImages{}, Runs: stub{logs: logs}, Access: s.keys})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/runs/1/log", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer admin")
	client := clientOf(t, url).HTTP
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if b, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("it ended well: %s", b)
	}
}
