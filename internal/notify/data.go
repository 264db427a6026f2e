package notify

import (
	"cmp"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

// Data is what a template is executed with: of a message, its newest event and
// what is known of the trouble as a whole. docs/notices.md describes the fields
// for those who write templates; none is renamed.
type Data struct {
	// Title and Text are what the message says without a template.
	Title, Text string
	Kind        string // run_failed
	What        string // in words: failed
	Route       string
	Time        time.Time
	Image       string
	Tag         string
	Digest      string
	Before      string // the digest that was current before
	Host        string
	HostLabels  map[string]string
	Registry    string
	Detail      string
	Mend        string
	Why         string // of a run, in words: the program ended with exit code 3
	Next        string // what happens next, and who has to act
	Link        string
	// Run is empty where the event is not about one.
	Run Run
	// Meta is that of the run.
	Meta map[string]string
	// Of the trouble as a whole.
	Count int
	Since time.Time
	Hosts []string
	// Images of the events that the message tells.
	Images []string
	Over   bool
	Test   bool

	runs  int      // how many runs a crowd is; 0: it is none
	tasks []string // of the first of them
}

// Run is what a template gets of a run.
type Run struct {
	ID, Namespace, Task string
	State, Reason       string
	ExitCode            int
	Exited              bool
	Try, Tries          int
	Meta                map[string]string
	Submitted, Started  time.Time
	Ended               time.Time
	Took                time.Duration // from its start to its end
}

// dataOf gathers what there is to say of a message.
func dataOf(m notice.Message) Data {
	e := m.Newest()
	d := Data{
		Kind: string(e.Kind), What: verbs[e.Kind], Route: m.Route, Time: e.At, Image: e.Image, Tag: e.Tag, Digest: e.Digest, Before: e.Before,
		Host: e.Host, HostLabels: e.HostLabels, Registry: e.Registry, Detail: e.Detail, Mend: e.Mend, Link: m.Link,
		Count: m.Count, Since: m.Since, Hosts: m.Hosts, Over: m.Over, Test: m.Test,
	}
	for _, e := range m.Events {
		if e.Image != "" && !slices.Contains(d.Images, e.Image) {
			d.Images = append(d.Images, e.Image)
		}
	}
	if crowdOfRuns(m) {
		d.runs, d.Mend, d.Link = m.Count, "", "" // of one of them
		for _, e := range m.Events[:min(len(m.Events), shown)] {
			d.tasks = append(d.tasks, cmp.Or(e.Run.Task, e.Run.ID))
		}
	} else if r := e.Run; r != nil {
		d.Meta = r.Meta
		d.Run = Run{
			ID: r.ID, Namespace: r.Namespace, Task: r.Task, State: r.State, Reason: r.Reason, Meta: r.Meta, ExitCode: r.ExitCode, Exited: r.Exited,
			Try: r.Try, Tries: r.Tries, Submitted: r.Submitted, Started: r.Started, Ended: r.Ended,
		}
		if !r.Started.IsZero() && r.Ended.After(r.Started) {
			d.Run.Took = r.Ended.Sub(r.Started)
		}
	}
	d.Why, d.Next = why(d), next(d)
	d.Title = standardTitle(d)
	d.Text = standardText(d)
	return d
}
