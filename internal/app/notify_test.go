package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/store"
)

// What was written down before a restart is told after it, and listed.
func TestNoticesAreDelivered(t *testing.T) {
	t.Parallel()
	got := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- string(b)
	}))
	defer receiver.Close()
	c := load(t, "")
	c.Server.PublicURL = "https://prewarm.test"
	c.Notify = []config.Notify{{
		Name: "hook", Title: "{{.Meta.customer}}: {{.What}}", Webhook: &config.NotifyWebhook{URL: config.Secret(receiver.URL), Secret: "0123456789abcdef"},
	}}
	s, err := store.Open(t.Context(), c.State.Path)
	if err != nil {
		t.Fatal(err)
	}
	e := notice.New(notice.RunFailed)
	e.Run = &notice.Run{ID: "7", Namespace: "default", Task: "t", Meta: map[string]string{"customer": "ACME"}}
	if err := s.Tell(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r := start(t, c)
	var body struct{ ID, Title, Link string }
	if err := json.Unmarshal([]byte(<-got), &body); err != nil {
		t.Fatal(err)
	}
	if body.Title != "ACME: failed" || !strings.HasPrefix(body.Link, "https://prewarm.test/runs/7/log?") {
		t.Errorf("got %+v", body)
	}
	await(t, "it is listed as sent", func() bool {
		all, err := r.client.Notices(t.Context(), "hook", 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(all.Notices) == 1 && all.Notices[0].ID == body.ID && all.Notices[0].State == "sent"
	})
	if tried, err := r.client.TestNotices(t.Context(), "hook", api.NoticeTestRequest{Kind: "host_up", Send: true}); err != nil || len(tried.Samples) != 1 {
		t.Errorf("tried %+v, %v", tried, err)
	}
	if sample := <-got; !strings.Contains(sample, `"test":true`) {
		t.Errorf("the sample is %s", sample)
	}
}

func TestRoutesThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]config.Notify{
		"template":  {Name: "n", Title: "{{.Nothing}}", Slack: &config.NotifySlack{WebhookURL: "https://hooks.test/1"}},
		"channel":   {Name: "n"},
		"authority": {Name: "n", Webhook: &config.NotifyWebhook{URL: "https://hooks.test/1", CAFile: "/nowhere/ca.pem"}},
		"mail":      {Name: "n", Email: &config.NotifyEmail{Host: "mail.test", From: "nobody", To: []string{"a@b.test"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := load(t, "")
			c.Notify = []config.Notify{n}
			o, _ := options(c)
			_, err := app.New(t.Context(), o)
			if problem.CodeOf(err) != problem.InvalidConfig || !strings.HasPrefix(err.Error(), "notify n: ") {
				t.Errorf("got %v", err)
			}
			expectFree(t, c)
		})
	}
}
