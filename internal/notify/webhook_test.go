package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
	incoming "github.com/prewarm/prewarm/registry/webhook"
	"github.com/prewarm/prewarm/test/outbox"
)

func readAll(r *http.Request) string {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func webhook(t *testing.T, url string) notify.Channel {
	t.Helper()
	w, err := notify.NewWebhook(notify.WebhookOptions{URL: url, Secret: "0123456789abcdef"})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ call) { w.WriteHeader(http.StatusAccepted) })
	e := runEvent(notice.RunFailed, "run-1", "etl/1", 3)
	e.Image, e.Host, e.Detail = "jobs", "etl-1", "why"
	e.Run.Exited, e.Run.ExitCode, e.Run.State = true, 3, "failed"
	m := message(e, "a title", "a text")
	if _, err := webhook(t, f.URL+"/in?key=hidden").Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := f.calls[0]
	// What Prewarm sends is what its own generic webhook takes.
	sent := incoming.Delivery{Header: got.header, Body: got.body, At: time.Now()}
	if err := incoming.Authenticate(incoming.Generic, []string{"0123456789abcdef"}, sent); err != nil || got.header.Get("X-Prewarm-Id") != m.ID {
		t.Errorf("signed %v: %v", got.header, err)
	}
	sent.Body = append(sent.Body, ' ')
	if err := incoming.Authenticate(incoming.Generic, []string{"0123456789abcdef"}, sent); err == nil {
		t.Error("the signature is not of the body")
	}
	var body map[string]any
	if err := json.Unmarshal(got.body, &body); err != nil {
		t.Fatal(err)
	}
	events, _ := body["events"].([]any)
	if len(events) != 1 {
		t.Fatalf("got %s", got.body)
	}
	event, _ := events[0].(map[string]any)
	run, _ := event["run"].(map[string]any)
	same(t, []any{m.ID, "data-eng", "a title", "a text", []any{e.ID}, false}, []any{body["id"], body["route"], body["title"], body["text"], body["event_ids"], body["over"]})
	same(t, []any{e.ID, "run_failed", "jobs", "etl-1", "why"}, []any{event["id"], event["kind"], event["image"], event["host"], event["detail"]})
	same(t, []any{"run-1", "etl/1", float64(3), float64(3), map[string]any{"customer": "ACME", "process": "invoices"}, nil},
		[]any{run["id"], run["task"], run["exit_code"], run["tries"], run["meta"], run["ended_at"]})
}

// A message that was taken, and of which we never knew that, may have got another
// event before it is sent again: a receiver must not drop that as a repetition.
func TestMoreEventsHaveAnotherID(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(http.ResponseWriter, call) {})
	got := make(map[string]int) // events by the id that they came under first
	c := &channel{}
	hook := webhook(t, f.URL)
	c.fail = func(try int, m notice.Message) error {
		if _, err := hook.Send(context.Background(), m); err != nil {
			return err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if id := f.calls[len(f.calls)-1].header.Get("X-Prewarm-Id"); got[id] == 0 {
			got[id] = len(m.IDs)
		}
		if try == 1 {
			return errors.New("the answer was lost")
		}
		return nil
	}
	box := outbox.NewMemory()
	n, err := notify.New(notify.Options{
		Outbox: box, Noticed: box.Noticed(), Logger: discard, Setup: notify.Setup{Routes: []notify.Route{{Name: "r", Channel: c, On: notice.Kinds}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = n.Run(ctx) })
	defer func() { cancel(); running.Wait() }()
	for try := 1; try <= 2; try++ {
		if err := box.Tell(t.Context(), runEvent(notice.RunRetrying, "1", "t", try)); err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			if c.tried() >= try {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	events := 0
	for _, n := range got {
		events = max(events, n)
	}
	if len(got) != 2 || events != 2 {
		t.Errorf("got %v", got)
	}
}

func TestWebhookRefuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]notify.Failure{
		http.StatusInternalServerError: {}, http.StatusTooManyRequests: {RetryAfter: time.Minute}, http.StatusUnprocessableEntity: {Lasting: true},
		http.StatusUnauthorized: {Lasting: true, All: true}, http.StatusPermanentRedirect: {Lasting: true, All: true},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			f := newFake(t, func(w http.ResponseWriter, _ call) {
				w.Header().Set("Location", "/elsewhere")
				if want.RetryAfter > 0 {
					w.Header().Set("Retry-After", "60")
				}
				w.WriteHeader(status)
			})
			_, err := webhook(t, f.URL+"/in?key=hidden").Send(t.Context(), message(hostEvent(notice.HostDown), "t", "x"))
			var got *notify.Failure
			if !errors.As(err, &got) || got.Lasting != want.Lasting || got.All != want.All || got.RetryAfter != want.RetryAfter {
				t.Errorf("got %+v", got)
			}
			if len(f.calls) != 1 {
				t.Errorf("%d calls: a redirect was followed", len(f.calls))
			}
			expectNoSecret(t, err, "hidden", "0123456789abcdef")
		})
	}
	_, err := webhook(t, "http://127.0.0.1:1/in?key=hidden").Send(t.Context(), message(hostEvent(notice.HostDown), "t", "x"))
	if err == nil {
		t.Fatal("it was sent")
	}
	expectNoSecret(t, err, "hidden")
}
