package notify_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
	"github.com/prewarm/prewarm/test/outbox"
)

// call is one request that a fake got.
type call struct {
	path   string
	form   map[string]string
	body   []byte
	header http.Header
}

// fake is a server that answers what a test says.
type fake struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call
	answer func(w http.ResponseWriter, c call)
}

func newFake(t *testing.T, answer func(w http.ResponseWriter, c call)) *fake {
	t.Helper()
	f := &fake{answer: answer}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := call{path: r.URL.Path, form: map[string]string{}, header: r.Header}
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			_ = r.ParseForm()
			for k := range r.PostForm {
				c.form[k] = r.PostForm.Get(k)
			}
		} else {
			var b strings.Builder
			_, _ = fmt.Fprint(&b, readAll(r))
			c.body = []byte(b.String())
		}
		f.mu.Lock()
		f.calls = append(f.calls, c)
		f.mu.Unlock()
		f.answer(w, c)
	}))
	t.Cleanup(f.Close)
	return f
}

func bot(t *testing.T, url string) notify.Channel {
	t.Helper()
	c, err := notify.NewSlack(notify.SlackOptions{Token: "xoxb-very-secret", Channel: "#etl", APIURL: url})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hook(t *testing.T, url string) notify.Channel {
	t.Helper()
	c, err := notify.NewSlack(notify.SlackOptions{WebhookURL: url})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// message is any message, of an event.
func message(e notice.Event, title, text string) notice.Message {
	m := outbox.Waiting("data-eng", "thread")
	m.Title, m.Text = title, text
	m.Events, m.IDs, m.Kinds = []notice.Event{e}, []string{e.ID}, []notice.Kind{e.Kind}
	return m
}

func posted(w http.ResponseWriter, c call) {
	_, _ = fmt.Fprintf(w, `{"ok": true, "channel": "C42", "ts": %q}`, "1700.1")
}

func TestSlackBot(t *testing.T) {
	t.Parallel()
	f := newFake(t, posted)
	b := bot(t, f.URL)
	m := message(runEvent(notice.RunFailed, "1", "t", 3), "a <b> & c failed", "Why: <!channel> & more")
	ref, err := b.Send(t.Context(), m)
	if err != nil || ref != "C42/1700.1" {
		t.Fatal(ref, err)
	}
	m.InPlace, m.Earlier = true, ref
	again, err := b.Send(t.Context(), m)
	if err != nil || again != ref {
		t.Fatal(again, err)
	}
	post, update := f.calls[0], f.calls[1]
	same(t, []string{"/chat.postMessage", "/chat.update"}, []string{post.path, update.path})
	same(t, []string{"#etl", "C42", "1700.1"}, []string{post.form["channel"], update.form["channel"], update.form["ts"]})
	for _, c := range f.calls {
		if got := c.form["text"]; got != "a &lt;b&gt; &amp; c failed" {
			t.Errorf("text is %q", got)
		}
		blocks := blocksIn(t, []byte(c.form["blocks"]))
		if !strings.Contains(blocks, "Why: &lt;!channel&gt; &amp; more") || strings.Contains(blocks, "<!channel>") {
			t.Errorf("blocks are %s", blocks)
		}
		if !strings.Contains(blocks, m.ID) || !strings.Contains(blocks, m.IDs[0]) || !strings.Contains(c.form["metadata"], m.ID) {
			t.Errorf("the ids are missing: %s, %s", blocks, c.form["metadata"])
		}
	}
}

// blocksIn are the texts of blocks, a line each.
func blocksIn(t *testing.T, text []byte) string {
	t.Helper()
	var blocks []struct {
		Type     string
		Text     struct{ Text string }
		Elements []struct{ Text string }
	}
	if err := json.Unmarshal(text, &blocks); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if len(blocks) > 50 {
		t.Errorf("%d blocks", len(blocks))
	}
	var all []string
	for _, b := range blocks {
		if most := map[string]int{"header": 150, "section": 3000, "context": 3000}[b.Type]; len([]rune(b.Text.Text)) > most {
			t.Errorf("a %s of %d characters", b.Type, len([]rune(b.Text.Text)))
		}
		all = append(all, b.Text.Text)
		for _, e := range b.Elements {
			all = append(all, e.Text)
		}
	}
	return strings.Join(all, "\n")
}

// What is too long for Slack is cut, and not refused.
func TestSlackBounds(t *testing.T) {
	t.Parallel()
	f := newFake(t, posted)
	m := message(hostEvent(notice.HostDown), strings.Repeat("é&", 200), strings.Repeat(strings.Repeat("ü<", 2000)+"\n", 40))
	if _, err := bot(t, f.URL).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	blocksIn(t, []byte(f.calls[0].form["blocks"]))
}

func TestSlackRefuses(t *testing.T) {
	t.Parallel()
	told := func(code string) func(http.ResponseWriter, call) {
		return func(w http.ResponseWriter, _ call) { _, _ = fmt.Fprintf(w, `{"ok": false, "error": %q}`, code) }
	}
	status := func(code int, retry string) func(http.ResponseWriter, call) {
		return func(w http.ResponseWriter, _ call) {
			if retry != "" {
				w.Header().Set("Retry-After", retry)
			}
			w.WriteHeader(code)
		}
	}
	type want struct {
		lasting, all bool
		after        time.Duration
	}
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter, call)
		want   want
	}{
		"rate limit":        {status(http.StatusTooManyRequests, "17"), want{after: 17 * time.Second}},
		"rate limit, bare":  {status(http.StatusTooManyRequests, ""), want{}},
		"down":              {status(http.StatusBadGateway, ""), want{}},
		"redirect":          {status(http.StatusFound, ""), want{lasting: true, all: true}},
		"bad token":         {told("invalid_auth"), want{lasting: true, all: true}},
		"no such channel":   {told("channel_not_found"), want{lasting: true, all: true}},
		"bad message":       {told("invalid_blocks"), want{lasting: true}},
		"Slack is ill":      {told("internal_error"), want{}},
		"no without a word": {told(""), want{}},
		"no JSON":           {func(w http.ResponseWriter, _ call) { _, _ = fmt.Fprint(w, "<html>") }, want{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, test.answer)
			_, err := bot(t, f.URL).Send(t.Context(), message(hostEvent(notice.HostDown), "t", "x"))
			var failure *notify.Failure
			if !errors.As(err, &failure) {
				t.Fatalf("got %v", err)
			}
			same(t, fmt.Sprint(test.want), fmt.Sprint(want{failure.Lasting, failure.All, failure.RetryAfter}))
			expectNoSecret(t, err, "xoxb-very-secret")
		})
	}
}

// A message that can't be updated any more is posted anew, also where the route
// had another channel, of another app, when it was posted.
func TestSlackUpdateOfWhatIsGone(t *testing.T) {
	t.Parallel()
	for _, why := range []string{"message_not_found", "cant_update_message", "channel_not_found", "is_archived"} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, func(w http.ResponseWriter, c call) {
				if c.path == "/chat.update" {
					_, _ = fmt.Fprintf(w, `{"ok": false, "error": %q}`, why)
					return
				}
				posted(w, c)
			})
			m := message(hostEvent(notice.HostUp), "t", "x")
			m.InPlace, m.Earlier = true, "C42/1.1"
			ref, err := bot(t, f.URL).Send(t.Context(), m)
			if err != nil || ref != "C42/1700.1" || len(f.calls) != 2 {
				t.Fatalf("%q %v after %d calls", ref, err, len(f.calls))
			}
		})
	}
}

func TestSlackHook(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ call) { _, _ = fmt.Fprint(w, "ok") })
	h := hook(t, f.URL+"/services/T0/B0/secretpart")
	if h.InPlace() {
		t.Error("a webhook changes nothing")
	}
	m := message(hostEvent(notice.HostDown), "host etl-1 does not answer", "What: it")
	if _, err := h.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var body struct {
		Text   string
		Blocks json.RawMessage
	}
	if err := json.Unmarshal(f.calls[0].body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Text != m.Title || !strings.Contains(blocksIn(t, body.Blocks), m.ID) {
		t.Errorf("got %s", f.calls[0].body)
	}
}

// What a webhook's address holds is told nowhere, whatever fails.
func TestSlackHookTellsNoSecret(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	refusing := newFake(t, func(w http.ResponseWriter, c call) { http.Error(w, c.path, http.StatusForbidden) })
	redirecting := newFake(t, func(w http.ResponseWriter, c call) {
		w.Header().Set("Location", gone.URL+c.path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	for name, url := range map[string]string{"nobody listens": gone.URL, "refused": refusing.URL, "redirected": redirecting.URL, "no such host": "http://slack.invalid"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := hook(t, url+"/services/T0/B0/secretpart").Send(t.Context(), message(hostEvent(notice.HostDown), "t", "x"))
			if err == nil {
				t.Fatal("it was sent")
			}
			expectNoSecret(t, err, "secretpart", "T0/B0")
		})
	}
}

// expectNoSecret looks at all of an error's chain.
func expectNoSecret(t *testing.T, err error, secrets ...string) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, s := range secrets {
			if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, s) {
				t.Errorf("the error tells %q: %s", s, text)
			}
		}
	}
}
