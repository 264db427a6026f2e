package server_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/registry/webhook"
	"github.com/prewarm/prewarm/warmer/hints"
)

// hooks answer what a test wrote down, and remember what they were asked.
type hooks struct {
	mu         sync.Mutex
	name, path string
	from       string
	delivery   webhook.Delivery
	asked      int

	answer     hints.Answer
	err        error
	unexpected error
	hooks      []hints.HookStatus
	deliveries []hints.Delivery
	limit      int
	trial      hints.Trial
}

func (h *hooks) Expect(string, string, time.Time, string) error { return h.unexpected }

func (h *hooks) Receive(_ context.Context, name, path string, d webhook.Delivery, from string) (hints.Answer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.name, h.path, h.delivery, h.from = name, path, d, from
	h.delivery.Body = bytes.Clone(d.Body) // the server's buffer is another request's after this
	h.asked++
	return h.answer, h.err
}

func (h *hooks) Hooks() []hints.HookStatus { return h.hooks }

func (h *hooks) Deliveries(_ context.Context, hook string, limit int) ([]hints.Delivery, error) {
	h.name, h.limit = hook, limit
	return h.deliveries, h.err
}

func (h *hooks) Try(name string, d webhook.Delivery) (hints.Trial, error) {
	h.name, h.delivery = name, d
	return h.trial, h.err
}

// hooked serves hooks, and gives what calls them and what was logged.
func hooked(t *testing.T, h *hooks) (ask func(method, path, body string, header ...string) *response, logged *bytes.Buffer) {
	t.Helper()
	logged = &bytes.Buffer{}
	url, stop := serve(t, server.Options{
		Images: stubImages{}, Runs: stub{}, Webhooks: h,
		Logger: slog.New(slog.NewTextHandler(&oneWriter{w: logged}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	client := clientOf(t, url)
	t.Cleanup(func() { _ = stop() })
	return func(method, path, body string, header ...string) *response {
		t.Helper()
		return call(t, client, method, url+path, body, header...)
	}, logged
}

type oneWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *oneWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func TestADeliveryIsTakenAsItIs(t *testing.T) {
	t.Parallel()
	h := &hooks{}
	ask, _ := hooked(t, h)
	for _, c := range []struct {
		verdict hints.Verdict
		status  int
		path    string
		body    string
	}{
		{hints.Accepted, http.StatusAccepted, "/v1/webhooks/ci", `{"a": 1}`},
		{hints.Repeated, http.StatusAccepted, "/v1/webhooks/ci/the-secret", "no JSON\x00\xff"},
		{hints.Irrelevant, http.StatusOK, "/v1/webhooks/ci/a%2Fb?source=hub&x", "["},
	} {
		h.answer = hints.Answer{Verdict: c.verdict, Events: 2}
		r := ask(http.MethodPost, c.path, c.body, "Content-Type", "application/vnd.docker.distribution.events.v1+json", "X-Two", "b", "Host", "prewarm.example.com")
		var told api.Told
		r.into(&told)
		if r.status != c.status || told.Verdict != string(c.verdict) || told.Events != 2 || told.Images == nil {
			t.Errorf("%s: %d %s", c.path, r.status, r.body)
		}
		if string(h.delivery.Body) != c.body || h.delivery.Header.Get("x-two") != "b" || h.from != "127.0.0.1" || h.name != "ci" || time.Since(h.delivery.At) > time.Minute {
			t.Errorf("%s: got %s of %q: %+v", c.path, h.delivery.Body, h.from, h.delivery.Header)
		}
	}
	if h.path != "a/b" {
		t.Errorf("secret %q", h.path)
	}
}

func TestADeliveryThatIsRefused(t *testing.T) {
	t.Parallel()
	h := &hooks{}
	ask, _ := hooked(t, h)
	busy := problem.New(problem.WebhookBusy, "too many", "")
	busy.RetryAfter = time.Second
	for _, c := range []struct {
		err    error
		status int
	}{
		{problem.New(problem.WebhookNotFound, "there is no such webhook here", ""), http.StatusNotFound},
		{problem.New(problem.WebhookDenied, "it proves nothing", ""), http.StatusUnauthorized},
		{problem.New(problem.WebhookBody, "it is no JSON", ""), http.StatusBadRequest},
		{busy, http.StatusServiceUnavailable},
	} {
		h.err = c.err
		for _, path := range []string{"/v1/webhooks/ci", "/v1/webhooks/ci/secret"} {
			r := ask(http.MethodPost, path, "{}")
			r.problem(c.status, problem.CodeOf(c.err))
			if (r.header.Get("Retry-After") != "") != (c.status == http.StatusServiceUnavailable) {
				t.Errorf("%d: Retry-After %q", c.status, r.header.Get("Retry-After"))
			}
		}
	}
}

func TestADeliveryThatIsTooLarge(t *testing.T) {
	t.Parallel()
	h := &hooks{answer: hints.Answer{Verdict: hints.Accepted}}
	ask, _ := hooked(t, h)
	ask(http.MethodPost, "/v1/webhooks/ci", strings.Repeat("x", 1<<20)).into(new(api.Told))
	ask(http.MethodPost, "/v1/webhooks/ci/secret", strings.Repeat("x", 1<<20+1)).problem(http.StatusRequestEntityTooLarge, problem.InvalidRequest)
	if h.asked != 1 {
		t.Errorf("%d deliveries", h.asked)
	}
}

// A body that does not come is not waited for.
func TestADeliveryThatDoesNotCome(t *testing.T) {
	t.Parallel()
	h := &hooks{}
	url, _ := serve(t, server.Options{Images: stubImages{}, Runs: stub{}, Webhooks: h})
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begun := time.Now()
	if _, err := io.WriteString(c, "POST /v1/webhooks/ci/marked-secret HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(begun.Add(20 * time.Second))
	answer := make([]byte, 4096)
	n, err := c.Read(answer)
	if took := time.Since(begun); err != nil || took < 9*time.Second || took > 18*time.Second || !bytes.Contains(answer[:n], []byte(" 408 ")) || bytes.Contains(answer[:n], []byte("marked")) {
		t.Errorf("after %s: %v %s", took, err, answer[:n])
	}
}

// The secret in an address is in no answer and no log, whatever is wrong with
// the request.
func TestASecretAddressIsNeverTold(t *testing.T) {
	t.Parallel()
	h := &hooks{err: problem.New(problem.WebhookNotFound, "there is no such webhook here", "")}
	ask, logged := hooked(t, h)
	const marked = "marked-secret"
	for _, c := range []struct{ method, path string }{
		{http.MethodPost, "/v1/webhooks/ci/" + marked},
		{http.MethodPost, "/v1/webhooks/ci/" + marked + "?q=" + marked},
		{http.MethodPost, "/v1/webhooks/ci/" + marked + "/"},
		{http.MethodPost, "/v1/webhooks/ci/" + marked + "/more"},
		{http.MethodPost, "/v1/webhooks//ci/" + marked},
		{http.MethodPost, "/v1/webhooks/ci//" + marked},
		{http.MethodPost, "/v1/webhooks/../webhooks/ci/" + marked},
		{http.MethodPost, "/V1/Webhooks/ci/" + marked},
		{http.MethodPost, "/v1/%77ebhooks/ci/" + marked},
		{http.MethodPost, "/v1/webhook/ci/" + marked},
		{http.MethodPost, "/prefix/v1/webhooks/ci/" + marked},
		{http.MethodPost, "/v1/webhook-tests/ci/" + marked},
		{http.MethodGet, "/v1/webhooks/ci/" + marked},
		{http.MethodDelete, "/v1/webhooks/ci/" + marked},
		{http.MethodPut, "/v1/webhooks/ci/" + marked},
	} {
		r := ask(c.method, c.path, strings.Repeat("x", 10))
		if r.status < http.StatusBadRequest || bytes.Contains(r.body, []byte(marked)) {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.status, r.body)
		}
	}
	ask(http.MethodPost, "/v1/webhooks/ci/"+marked, strings.Repeat("x", 2<<20)).problem(http.StatusRequestEntityTooLarge, problem.InvalidRequest)
	h.err = io.ErrUnexpectedEOF // a fault, which is logged
	r := ask(http.MethodPost, "/v1/webhooks/ci/"+marked, "{}")
	r.problem(http.StatusInternalServerError, problem.Internal)
	for _, body := range []string{`{"headers":{"Authorization":7, "X":"marked-secret"},"body":"marked-secret"}`, `{"headers":"marked-secret","body":"x"}`, `{"headers":{},"body":["marked-secret"]}`} {
		if r := ask(http.MethodPost, "/v1/webhook-tests/ci", body); bytes.Contains(r.body, []byte(marked)) {
			t.Errorf("%s", r.body)
		}
	}
	if text := logged.String(); strings.Contains(text, marked) || !strings.Contains(text, "deliver-webhook-by-secret") {
		t.Errorf("logged:\n%s", text)
	}
}

// Only deliveries come under any name: what lists and tests is the API's.
func TestOnlyDeliveriesComeUnderAnyName(t *testing.T) {
	t.Parallel()
	ask, _ := hooked(t, &hooks{answer: hints.Answer{Verdict: hints.Accepted}})
	foreign := []string{"Host", "prewarm.example.com"}
	ask(http.MethodPost, "/v1/webhooks/ci", "{}", foreign...).into(new(api.Told))
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, "/v1/webhooks"}, {http.MethodPost, "/v1/webhook-tests/ci"}, {http.MethodGet, "/v1/webhooks/ci"}, {http.MethodGet, "/v1/images"},
	} {
		ask(c.method, c.path, "", foreign...).problem(http.StatusMisdirectedRequest, problem.InvalidRequest)
	}
	ask(http.MethodPost, "/v1/webhooks/ci", "{}", "Sec-Fetch-Site", "cross-site").problem(http.StatusForbidden, problem.InvalidRequest)
}

func TestWebhooksAreListed(t *testing.T) {
	t.Parallel()
	pattern, err := registry.ParsePattern("registry.test/etl/*")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 3, 17, 0, 0, time.UTC)
	h := &hooks{
		hooks: []hints.HookStatus{
			{
				Name: "ci", Kind: webhook.Generic, Signed: true, Repositories: []registry.Pattern{pattern}, Registry: "registry.test",
				Counts: map[hints.Verdict]int{hints.Accepted: 4, hints.Irrelevant: 3, hints.Repeated: 2, hints.Refused: 1},
			},
			{Name: "hub", Kind: webhook.DockerHub, SecretPath: true},
		},
		deliveries: []hints.Delivery{
			{ID: "2", Hook: "ci", At: at, From: "10.0.0.1", Verdict: hints.Accepted, Stands: 1, Events: 2, IDs: []string{"e"}, Images: []string{"jobs"}, Led: "looked: nothing new"},
			{ID: "1", Hook: "ci", At: at, From: "10.6.6.6", Verdict: hints.Refused, Stands: 70, Detail: "forged"},
		},
	}
	ask, _ := hooked(t, h)
	var got api.Webhooks
	ask(http.MethodGet, "/v1/webhooks?hook=ci&limit=7", "").into(&got)
	want := api.Webhooks{Webhooks: []api.Webhook{{
		Name: "ci", Kind: "generic", Signed: true, Repositories: []string{"registry.test/etl/*"}, Registry: "registry.test",
		Counts: api.DeliveryCounts{Accepted: 4, Irrelevant: 3, Repeated: 2, Refused: 1},
		Deliveries: []api.Delivery{
			{ID: "2", At: at, From: "10.0.0.1", Verdict: "accepted", Stands: 1, Events: 2, IDs: []string{"e"}, Images: []string{"jobs"}, Led: "looked: nothing new"},
			{ID: "1", At: at, From: "10.6.6.6", Verdict: "refused", Stands: 70, IDs: []string{}, Images: []string{}, Detail: "forged"},
		},
	}}}
	if diff := cmp.Diff(want, got); diff != "" || h.limit != 7 {
		t.Errorf("limit %d: %s", h.limit, diff)
	}
	h.deliveries = nil
	r := ask(http.MethodGet, "/v1/webhooks", "")
	r.into(&got)
	if len(got.Webhooks) != 2 || h.limit != 20 || strings.Contains(string(r.body), "null") {
		t.Errorf("limit %d: %s", h.limit, r.body)
	}
	ask(http.MethodGet, "/v1/webhooks?hook=nobody", "").problem(http.StatusNotFound, problem.WebhookNotFound)
	for _, query := range []string{"?limit=0", "?limit=1001", "?name=ci"} {
		ask(http.MethodGet, "/v1/webhooks"+query, "").problem(http.StatusUnprocessableEntity, problem.InvalidRequest)
	}
}

func TestADeliveryIsTried(t *testing.T) {
	t.Parallel()
	h := &hooks{}
	ask, _ := hooked(t, h)
	for _, c := range []struct {
		trial hints.Trial
		proof string
	}{
		{hints.Trial{}, "not_asked"},
		{hints.Trial{Proven: true, Events: []hints.TrialEvent{
			{Event: webhook.Event{Registry: "r", Path: "etl/jobs", Tag: "1", Digest: "sha256:a", ID: "e"}, Images: []string{"jobs"}},
			{Event: webhook.Event{Path: "etl", Below: true}, Why: "it may not"},
		}}, "good"},
		{hints.Trial{Denied: "forged", Wrong: "no JSON"}, "bad"},
	} {
		h.trial = c.trial
		var got api.WebhookTest
		ask(http.MethodPost, "/v1/webhook-tests/ci", `{"headers":{"x-signature":"s"},"body":"{\"a\": 1}"}`).into(&got)
		want := api.WebhookTest{Webhook: "ci", Proof: c.proof, Denied: c.trial.Denied, Wrong: c.trial.Wrong, Events: []api.TestEvent{}}
		if len(c.trial.Events) > 0 {
			want.Events = []api.TestEvent{
				{Registry: "r", Path: "etl/jobs", Tag: "1", Digest: "sha256:a", ID: "e", Images: []string{"jobs"}},
				{Path: "etl", Below: true, Images: []string{}, Why: "it may not"},
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if string(h.delivery.Body) != `{"a": 1}` || !slices.Equal(h.delivery.Header.Values("X-Signature"), []string{"s"}) {
			t.Errorf("tried %+v", h.delivery)
		}
	}
	long := strings.Repeat(`\"`, 1<<19) + strings.Repeat("x", 1<<19) // 1 MiB, and quoted more
	ask(http.MethodPost, "/v1/webhook-tests/ci", `{"body":"`+long+`"}`).into(new(api.WebhookTest))
	h.err = problem.New(problem.WebhookNotFound, "no webhook has that name", "")
	ask(http.MethodPost, "/v1/webhook-tests/nobody", `{"body":""}`).problem(http.StatusNotFound, problem.WebhookNotFound)
}
