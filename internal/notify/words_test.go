package notify_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/test/outbox"
)

// said gives what a route with these templates makes of one event.
func said(t *testing.T, e notice.Event, title, text string) (notice.Message, error) {
	t.Helper()
	c := &channel{}
	box := outbox.NewMemory()
	n, err := notify.New(notify.Options{
		Outbox: box, Noticed: box.Noticed(), Logger: discard,
		Setup: notify.Setup{Routes: []notify.Route{{Name: "r", Channel: c, On: notice.Kinds, Title: title, Text: text}}, Page: pageOf},
	})
	if err != nil {
		return notice.Message{}, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	if err := box.Tell(ctx, e); err != nil {
		return notice.Message{}, err
	}
	for range 1000 {
		if sent := c.all(); len(sent) > 0 {
			return sent[0], nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("nothing was sent")
	return notice.Message{}, nil
}

// What a run says of itself can't add a line that looks like one of Prewarm's.
func TestMetaAddsNoLine(t *testing.T) {
	t.Parallel()
	e := runEvent(notice.RunFailed, "1", "t", 3)
	e.Run.Meta["customer"] = "ACME\nLog: https://evil.example"
	m, err := said(t, e, "", "")
	if err != nil || strings.Contains(m.Text, "\nLog: https://evil.example") || !strings.Contains(m.Text, "ACME Log: https://evil.example") {
		t.Errorf("%v\n%s", err, m.Text)
	}
}

// Who never heard of Airflow gets to know what concerns whom, why, and what now.
func TestStandardWords(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 7, 0, 0, 0, time.UTC)
	failed := runEvent(notice.RunFailed, "run-7", "etl/invoices", 3)
	failed.At, failed.Host = at, "etl-1"
	failed.Run.Meta["owner"], failed.Run.Meta["link"] = "data-eng", "https://airflow.test/1"
	failed.Run.Exited, failed.Run.ExitCode, failed.Run.Reason = true, 137, "out_of_memory"
	failed.Run.Started, failed.Run.Ended = at.Add(-90*time.Second), at
	retried := runEvent(notice.RunRetrying, "run-7", "etl/invoices", 1)
	retried.At, retried.Run.Exited, retried.Run.ExitCode, retried.Run.Reason = at, true, 3, "exit_code"
	retried.Detail = notice.Ended(3)
	bare := notice.New(notice.RunLost)
	bare.At, bare.Run = at, &notice.Run{ID: "run-7", Task: "run-7", Reason: "contact_lost"}
	up := hostEvent(notice.HostUp)
	up.At, up.Cause = at, ""
	for name, test := range map[string]struct {
		event       notice.Event
		title, text string
	}{
		"a failure": {
			failed, "ACME: invoices failed",
			"Concerns: ACME, owner data-eng\n" +
				"Process: invoices (task etl/invoices)\n" +
				"What: it failed on host etl-1, try 3 of 3 after 1m30s, 2026-11-28 07:00:00 UTC\n" +
				"Why: it needed more memory than it may have\n" +
				"Next: it is not tried again by itself; data-eng has to look at it\n" +
				"Log: https://prewarm.test/runs/run-7/log\n" +
				"More: https://airflow.test/1",
		},
		"a retry": {
			retried, "ACME: invoices failed and is tried again",
			"Concerns: ACME\n" +
				"Process: invoices (task etl/invoices)\n" +
				"What: it failed and is tried again, try 1 of 3, 2026-11-28 07:00:00 UTC\n" +
				"Why: the program ended with exit code 3\n" +
				"Next: it is tried again (try 2 of 3 follows); nobody has to act\n" +
				"Log: https://prewarm.test/runs/run-7/log",
		},
		"without meta": {
			bare, "task run-7 may still run where nobody can see it",
			"Process: task run-7\n" +
				"What: it may still run where nobody can see it, 2026-11-28 07:00:00 UTC\n" +
				"Why: its host did not answer any more\n" +
				"Next: Prewarm stops it as soon as its host answers; nobody should start the same work elsewhere before that\n" +
				"Log: https://prewarm.test/runs/run-7/log",
		},
		"a host": {
			up, "host etl-1 answers again",
			"What: host etl-1 answers again, 2026-11-28 07:00:00 UTC\n" +
				"Next: nobody has to act",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := said(t, test.event, "", "")
			if err != nil {
				t.Fatal(err)
			}
			same(t, test.title, m.Title)
			same(t, test.text, m.Text)
		})
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	e := runEvent(notice.RunFailed, "1", "t", 3)
	e.Digest = "sha256:" + strings.Repeat("3f1d9c5b", 8)
	e.Run.Started, e.Run.Ended = e.At.Add(-time.Minute), e.At
	m, err := said(t, e,
		"{{.Meta.customer | upper}}: {{.Meta.process | default .Run.Task}}\n{{.What}}",
		"Dear {{.Meta.contact | default \"customer\"}}, {{.Run.Meta.process}} took {{duration .Run.Took}} on {{short .Digest}}.\n{{.Next}}")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "ACME: invoices failed", m.Title)
	same(t, "Dear customer, invoices took 1m0s on 3f1d9c5b3f1d.\nit is not tried again by itself; somebody has to look at it", m.Text)
}

// A template that fails on what really comes gives way to the standard words.
func TestTemplateThatFailsLater(t *testing.T) {
	t.Parallel()
	e := runEvent(notice.RunFailed, "1", "t", 3)
	m, err := said(t, e, `{{if eq .Run.ID "1"}}{{index .Hosts 7}}{{end}}x`, `{{if eq .Run.ID "1"}}{{else}}x{{end}}`)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "ACME: invoices failed", m.Title)
	if !strings.HasPrefix(m.Text, "Concerns: ACME") {
		t.Errorf("it says %q", m.Text)
	}
}

func TestCheckTemplate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ title, text, want string }{
		"none":               {},
		"all fields":         {"{{.Kind}}", "{{.Run.Try}}{{.HostLabels.pool}}{{.Time.Year}}{{join \", \" .Hosts}}{{time .Since}}{{.Run.Meta.a}}", ""},
		"no such field":      {"{{.Customer}}", "", "title"},
		"no such function":   {"", "{{env \"HOME\"}}", "text"},
		"broken":             {"", "{{if}}", "text"},
		"fails for one kind": {"", "{{if eq .Kind \"quota_low\"}}{{index .Hosts 3}}{{end}}", "quota_low"},
		"too much":           {"", "{{range 100000}}aaaa{{end}}", "64 KiB"},
		"no files":           {"", "{{template \"/etc/passwd\"}}", "text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := notify.CheckTemplate(test.title, test.text)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (problem.CodeOf(err) != problem.InvalidConfig || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want one that names %q", err, test.want)
			}
		})
	}
}

// What is sent as a test says so, goes out at once and is no part of the outbox.
func TestTry(t *testing.T) {
	t.Parallel()
	c := &channel{}
	bubble(t, func(s *scene) {
		all, err := s.notify.Try(s.t.Context(), "r", "", false)
		if err != nil || len(all) != len(notice.Standard) || len(c.all()) != 0 {
			s.t.Fatalf("%d samples, %v", len(all), err)
		}
		for _, sample := range all {
			if !strings.HasPrefix(sample.Title, "Test: ") || !strings.Contains(sample.Text, "this is a test") || strings.Contains(sample.Text, "  ") {
				s.t.Errorf("%s: %q, %q", sample.Kind, sample.Title, sample.Text)
			}
		}
		all, err = s.notify.Try(s.t.Context(), "r", "run_succeeded", true)
		if err != nil || len(all) != 1 || !all[0].Sent || len(c.all()) != 1 || !c.all()[0].Test {
			s.t.Fatalf("sent %+v, %v", all, err)
		}
		same(s.t, 0, len(s.states("")))
		for want, try := range map[problem.Code][]string{problem.RouteNotFound: {"other", ""}, problem.InvalidRequest: {"r", "run_exploded"}} {
			if _, err := s.notify.Try(s.t.Context(), try[0], try[1], false); problem.CodeOf(err) != want {
				s.t.Errorf("got %v, want %s", err, want)
			}
		}
		c.mu.Lock()
		c.fail = func(int, notice.Message) error { return &notify.Failure{Why: "channel_not_found", Lasting: true} }
		c.mu.Unlock()
		if _, err := s.notify.Try(s.t.Context(), "r", "", true); problem.CodeOf(err) != problem.NoticeFailed {
			s.t.Errorf("got %v", err)
		}
	}, notify.Route{Name: "r", Channel: c})
}
