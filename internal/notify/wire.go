package notify

import (
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

// wireMessage is the body that a webhook gets. docs/notices.md describes it: a
// field is never renamed.
type wireMessage struct {
	ID       string        `json:"id"`
	Route    string        `json:"route"`
	Thread   string        `json:"thread"`
	Title    string        `json:"title"`
	Text     string        `json:"text"`
	Link     string        `json:"link,omitempty"`
	Kinds    []notice.Kind `json:"kinds"`
	Count    int           `json:"count"`
	Since    time.Time     `json:"since"`
	Hosts    []string      `json:"hosts,omitempty"`
	Over     bool          `json:"over"`
	Test     bool          `json:"test,omitempty"`
	Lost     int           `json:"lost,omitempty"`
	EventIDs []string      `json:"event_ids"`
	Events   []wireEvent   `json:"events"`
}

type wireEvent struct {
	ID         string            `json:"id"`
	Kind       notice.Kind       `json:"kind"`
	At         time.Time         `json:"at"`
	Image      string            `json:"image,omitempty"`
	Tag        string            `json:"tag,omitempty"`
	Digest     string            `json:"digest,omitempty"`
	Before     string            `json:"before,omitempty"`
	Host       string            `json:"host,omitempty"`
	HostLabels map[string]string `json:"host_labels,omitempty"`
	Registry   string            `json:"registry,omitempty"`
	Detail     string            `json:"detail,omitempty"`
	Mend       string            `json:"mend,omitempty"`
	Cause      string            `json:"cause,omitempty"`
	Run        *wireRun          `json:"run,omitempty"`
}

type wireRun struct {
	ID          string            `json:"id"`
	Namespace   string            `json:"namespace"`
	Task        string            `json:"task"`
	State       string            `json:"state"`
	Reason      string            `json:"reason,omitempty"`
	ExitCode    *int              `json:"exit_code,omitempty"`
	Try         int               `json:"try,omitempty"`
	Tries       int               `json:"tries,omitempty"`
	Meta        map[string]string `json:"meta,omitempty"`
	SubmittedAt time.Time         `json:"submitted_at,omitzero"`
	StartedAt   time.Time         `json:"started_at,omitzero"`
	EndedAt     time.Time         `json:"ended_at,omitzero"`
}

func wireOf(m notice.Message) wireMessage {
	w := wireMessage{
		ID: m.ID, Route: m.Route, Thread: m.Thread, Title: m.Title, Text: m.Text, Link: m.Link, Kinds: m.Kinds, Count: m.Count, Since: m.Since,
		Hosts: m.Hosts, Over: m.Over, Test: m.Test, Lost: m.Lost, EventIDs: m.IDs, Events: []wireEvent{},
	}
	for _, e := range m.Events {
		w.Events = append(w.Events, wireEvent{
			ID: e.ID, Kind: e.Kind, At: e.At, Image: e.Image, Tag: e.Tag, Digest: e.Digest, Before: e.Before, Host: e.Host, HostLabels: e.HostLabels,
			Registry: e.Registry, Detail: e.Detail, Mend: e.Mend, Cause: e.Cause, Run: wireRunOf(e.Run),
		})
	}
	return w
}

func wireRunOf(r *notice.Run) *wireRun {
	if r == nil {
		return nil
	}
	w := &wireRun{
		ID: r.ID, Namespace: r.Namespace, Task: r.Task, State: r.State, Reason: r.Reason, Try: r.Try, Tries: r.Tries, Meta: r.Meta,
		SubmittedAt: r.Submitted, StartedAt: r.Started, EndedAt: r.Ended,
	}
	if r.Exited {
		w.ExitCode = &r.ExitCode
	}
	return w
}
