package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
	"github.com/prewarm/prewarm/test/outbox"
)

const (
	plainLink  = "https://prewarm.test/runs/run-7/log"
	signedLink = plainLink + "?sign=s3cret&until=9"
)

func pageOf(run string) string { return "https://prewarm.test/runs/" + run + "/log" }

// linked runs a Notifier whose links are signed, until the test ends.
func linked(t *testing.T, routes ...notify.Route) (*notify.Notifier, *outbox.Memory) {
	t.Helper()
	box := outbox.NewMemory()
	n, err := notify.New(notify.Options{
		Outbox: box, Noticed: box.Noticed(), Logger: discard,
		Setup: notify.Setup{
			Routes: routes, Page: pageOf,
			Sign: func(run string) string { return "sign=s3cret&until=" + strings.Map(digits, run) },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = n.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return n, box
}

// digits makes 9 of the number of the one run that is told of here, so that it
// shows whether its id was signed.
func digits(r rune) rune {
	if r == '7' {
		return '9'
	}
	return -1
}

func tellOf(t *testing.T, box *outbox.Memory, e notice.Event) {
	t.Helper()
	if err := box.Tell(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// awaitStates waits until all messages of a route are in a state, and gives them.
func awaitStates(t *testing.T, box *outbox.Memory, route string, want notice.State) []notice.Message {
	t.Helper()
	for range 2000 {
		all, err := box.Messages(t.Context(), route, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) > 0 && all[0].State == want {
			return all
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s is not %s", route, want)
	return nil
}

// Every channel gets a link that opens the log, and the outbox none.
func TestLinksAreSignedWhenTheyAreSent(t *testing.T) {
	t.Parallel()
	mail := newMailServer(t, notify.StartTLS)
	slack := newFake(t, posted)
	hooked := newFake(t, func(w http.ResponseWriter, _ call) { _, _ = fmt.Fprint(w, "ok") })
	posts := newFake(t, func(w http.ResponseWriter, _ call) { w.WriteHeader(http.StatusAccepted) })
	on := []notice.Kind{notice.RunFailed}
	_, box := linked(t,
		notify.Route{Name: "mail", On: on, Channel: email(t, mail.options(notify.StartTLS))},
		notify.Route{Name: "bot", On: on, Channel: bot(t, slack.URL)},
		notify.Route{Name: "hook", On: on, Channel: hook(t, hooked.URL)},
		notify.Route{Name: "post", On: on, Channel: webhook(t, posts.URL), Text: "See {{.Link}} ({{.Link}})", Title: "{{.Link}}"},
	)
	tellOf(t, box, runEvent(notice.RunFailed, "run-7", "t", 3))
	for _, route := range []string{"mail", "bot", "hook", "post"} {
		m := awaitStates(t, box, route, notice.Sent)[0]
		if m.Link != plainLink || !strings.Contains(m.Text, plainLink) || strings.Contains(fmt.Sprintf("%+v", m), "s3cret") {
			t.Errorf("%s: the outbox holds %q, %q", route, m.Link, m.Text)
		}
	}
	_, plain, html := parts(t, mail.mails[0])
	if !strings.Contains(plain, "Log: "+signedLink) || !strings.Contains(html, `href="`+strings.ReplaceAll(signedLink, "&", "&amp;")+`"`) {
		t.Errorf("mail %q, %q", plain, html)
	}
	inSlack := "Log: " + strings.ReplaceAll(signedLink, "&", "&amp;") // which Slack reads as one &
	if got := blocksIn(t, []byte(slack.calls[0].form["blocks"])); !strings.Contains(got, inSlack) {
		t.Errorf("bot %s", got)
	}
	var message struct{ Blocks json.RawMessage }
	if err := json.Unmarshal(hooked.calls[0].body, &message); err != nil || !strings.Contains(blocksIn(t, message.Blocks), inSlack) {
		t.Errorf("hook %s, %v", hooked.calls[0].body, err)
	}
	var body struct{ Link, Text, Title string }
	if err := json.Unmarshal(posts.calls[0].body, &body); err != nil {
		t.Fatal(err)
	}
	same(t, []string{signedLink, "See " + signedLink + " (" + signedLink + ")", plainLink}, []string{body.Link, body.Text, body.Title})
}

// A channel that repeats what it was sent does not bring the link into the log,
// or to whoever lists notices.
func TestARefusalTellsNoSignature(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	c := &channel{fail: func(_ int, m notice.Message) error {
		tries.Add(1)
		return &notify.Failure{Why: "spam: " + m.Text, Lasting: true}
	}}
	n, box := linked(t, notify.Route{Name: "r", On: []notice.Kind{notice.RunFailed}, Channel: c})
	tellOf(t, box, runEvent(notice.RunFailed, "run-7", "t", 3))
	m := awaitStates(t, box, "r", notice.Failed)[0]
	if strings.Contains(m.Error, "s3cret") || !strings.Contains(m.Error, plainLink+"?***") {
		t.Errorf("told %q", m.Error)
	}
	_, err := n.Try(t.Context(), "r", "run_failed", true)
	if err == nil || strings.Contains(err.Error(), "s3cret") || tries.Load() != 2 {
		t.Errorf("%d tries, %v", tries.Load(), err)
	}
}

// What a test shows is not signed, and what it sends is.
func TestASampleIsSignedWhenItIsSent(t *testing.T) {
	t.Parallel()
	c := &channel{}
	n, _ := linked(t, notify.Route{Name: "r", On: []notice.Kind{notice.RunFailed, notice.HostDown}, Channel: c})
	samples, err := n.Try(t.Context(), "r", "run_failed", true)
	if err != nil || strings.Contains(samples[0].Text, "s3cret") || !strings.Contains(samples[0].Text, "/log") {
		t.Errorf("%+v, %v", samples, err)
	}
	if _, err := n.Try(t.Context(), "r", "host_down", true); err != nil {
		t.Error(err)
	}
	sent := c.all()
	if len(sent) != 2 || !strings.Contains(sent[0].Text, "/log?sign=s3cret") || sent[1].Link != "" || strings.Contains(sent[1].Text, "s3cret") {
		t.Errorf("%+v", sent)
	}
}
