package notify

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
)

// sampleOf makes a message of a kind as it could be, for tests.
func sampleOf(routeName string, kind notice.Kind, now time.Time) notice.Message {
	e := notice.New(kind)
	e.At = now
	if strings.HasPrefix(string(kind), "run_") {
		sampleRun(&e)
	} else {
		sampleOther(&e)
	}
	m := notice.Message{
		ID: uuid.Must(uuid.NewV7()).String(), Route: routeName, Thread: threadOf(e), Made: now,
		Content:  notice.Content{Since: now, Test: true},
		Delivery: notice.Delivery{State: notice.Waiting, Due: now},
	}
	add(&m.Content, e)
	return m
}

func sampleRun(e *notice.Event) {
	e.Image, e.Tag, e.Host = "node-jobs", "latest", "etl-1"
	e.Digest = "sha256:" + strings.Repeat("3f1d9c5b", 8)
	r := &notice.Run{
		ID: "0192f0c1-7a52-7c3e-9c51-5a2f0c1d7b42", Namespace: "default", Task: "etl/invoices/2026-11-28", Try: 1, Tries: 3,
		Submitted: e.At.Add(-4 * time.Minute), Started: e.At.Add(-4 * time.Minute),
		Meta: map[string]string{
			"customer": "ACME", "process": "monthly invoices", "reason": "end of month", "owner": "data-eng", "link": "https://airflow.example.com/dags/etl",
		},
	}
	e.Run = r
	r.State = map[notice.Kind]string{
		notice.RunStarted: "running", notice.RunSucceeded: "succeeded", notice.RunSkipped: "failed", notice.RunFailed: "failed",
		notice.RunRetrying: "failed", notice.RunCanceled: "canceled", notice.RunLost: "lost", notice.RunOrphaned: "running",
	}[e.Kind]
	if e.Kind != notice.RunStarted && e.Kind != notice.RunOrphaned && e.Kind != notice.RunLost {
		r.Ended, r.Exited = e.At, true
	}
	switch e.Kind {
	case notice.RunFailed:
		r.ExitCode, r.Reason, r.Try = 3, string(problem.ExitCode), 3
	case notice.RunRetrying:
		r.ExitCode, r.Reason = 3, string(problem.ExitCode)
	case notice.RunSkipped:
		r.ExitCode, r.Reason = 99, string(problem.ExitCode)
	case notice.RunLost:
		r.Reason = string(problem.ContactLost)
	}
}

func sampleOther(e *notice.Event) {
	switch e.Kind {
	case notice.QuotaLow:
		e.Registry, e.Detail = "docker.io", "12 of 200 pulls are left for the next 5 hours"
		return
	case notice.ConfigRefused:
		e.Detail, e.Mend = `hosts[1].endpoint "tcp:/etl-2": it has no host`, "write tcp://host:2376"
		return
	case notice.ImagePromoted, notice.WarmFailed, notice.GoneUpstream:
		e.Image, e.Tag = "node-jobs", "latest"
		e.Digest = "sha256:" + strings.Repeat("3f1d9c5b", 8)
	}
	if e.Kind == notice.ImagePromoted {
		e.Before = "sha256:" + strings.Repeat("9a0b1c2d", 8)
		return
	}
	if e.Digest != "" {
		e.Registry = "registry.example.com"
	}
	e.Host, e.HostLabels = "etl-1", map[string]string{"pool": "etl"}
	e.Detail = map[notice.Kind]string{
		notice.WarmFailed:    "registry.example.com does not answer",
		notice.GoneUpstream:  "the registry says that it has no such manifest",
		notice.HostDown:      "connection refused",
		notice.DriftRepaired: "4 images were removed within the hour",
		notice.DiskPressure:  "91% of 100 GB are taken",
		notice.PrunePass:     "3 images went and freed 2.1 GB",
	}[e.Kind]
}
