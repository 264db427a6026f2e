package notify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
)

// ofHost makes an event of a run that came to something with its host.
func ofHost(kind notice.Kind, n int, host string) notice.Event {
	e := runEvent(kind, fmt.Sprint(n), fmt.Sprint("task-", n), 3)
	e.Host, e.Cause = host, "host:"+host
	return e
}

// The runs of one host that is gone are a few messages, each run in one of them;
// what becomes of one of them later is told all the same.
func TestTheRunsOfALostHostAreFewMessages(t *testing.T) {
	t.Parallel()
	for _, kind := range []notice.Kind{notice.RunLost, notice.RunFailed} {
		for _, inPlace := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, inPlace), func(t *testing.T) {
				t.Parallel()
				c := &channel{inPlace: inPlace}
				bubble(t, func(s *scene) {
					for n := range 100 {
						s.tell(runEvent(notice.RunStarted, fmt.Sprint(n), fmt.Sprint("task-", n), 3))
					}
					s.after(time.Hour)
					before := len(c.all())
					for n := range 100 {
						s.tell(ofHost(kind, n, "etl-1"))
						s.after(10 * time.Millisecond)
					}
					s.after(group)
					sent := c.all()[before:]
					told := make(map[string]bool)
					for _, m := range sent {
						if m.InPlace {
							s.t.Error("a change of what is there tells of a lost run")
						}
						for _, e := range m.Events {
							told[e.Run.ID] = true
						}
					}
					if len(sent) != 11 || len(told) != 100 {
						s.t.Fatalf("%d messages of %d runs", len(sent), len(told))
					}
					last := sent[10]
					for _, want := range []string{"each of 90 runs ", "Tasks: task-10, task-11, ", " and 80 more", "on host etl-1"} {
						if !strings.Contains(last.Title+"\n"+last.Text, want) {
							s.t.Errorf("it does not say %q: %q, %q", want, last.Title, last.Text)
						}
					}
					if strings.Contains(last.Text, "ACME") {
						s.t.Errorf("it tells of one customer: %q", last.Text)
					}
					s.tell(ofHost(notice.RunSucceeded, 99, "etl-1"), ofHost(kind, 100, "etl-2"))
					s.after(time.Second)
					later := c.all()[before+11:]
					if len(later) != 2 || later[0].Newest().Run.ID != "99" || later[1].Newest().Run.ID != "100" {
						s.t.Errorf("later came %v", kindsOf(later))
					}
				}, notify.Route{Name: "r", Channel: c, On: notice.Kinds})
			})
		}
	}
}

// One run more than have messages of their own is told as each of them is.
func TestACrowdOfOneRun(t *testing.T) {
	t.Parallel()
	c := &channel{}
	bubble(t, func(s *scene) {
		for n := range 11 {
			s.tell(ofHost(notice.RunLost, n, "etl-1"))
		}
		s.after(group)
		sent := c.all()
		if len(sent) != 11 || !strings.HasPrefix(sent[10].Title, "ACME: invoices ") {
			s.t.Fatalf("%d messages, the last of %q", len(sent), sent[len(sent)-1].Title)
		}
	}, notify.Route{Name: "r", Channel: c})
}
