package hints

import (
	"fmt"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry/webhook"
)

// Trial is what would be made of a delivery.
type Trial struct {
	// Proven tells that its headers prove who sent it, Denied why they do not; where
	// neither is so they were not asked.
	Proven bool
	Denied string
	// Wrong says why its body can't be read; empty: it can.
	Wrong  string
	Events []TrialEvent
}

// TrialEvent is one event with the images that would be looked at.
type TrialEvent struct {
	webhook.Event
	Images []string
	Why    string // there are none
}

// Try tells what would be made of a delivery to a hook, and does nothing. Its
// headers are asked for a proof only where it has some; the secret part of an
// address is not. A name that is not there is problem.WebhookNotFound.
func (r *Receiver) Try(name string, d webhook.Delivery) (Trial, error) {
	setup := r.setup.Load()
	hook, ok := setup.hook(name)
	if !ok {
		return Trial{}, problem.New(problem.WebhookNotFound, fmt.Sprintf("no webhook has the name %q", name), "prewarm webhooks lists them")
	}
	var t Trial
	if len(d.Header) > 0 && hook.signs() {
		if err := webhook.Authenticate(hook.Kind, hook.Secrets, d); err != nil {
			t.Denied = err.Error()
		}
		t.Proven = t.Denied == ""
	}
	events, err := webhook.Decode(hook.Kind, hook.Fields, d)
	if err != nil {
		t.Wrong = err.Error()
	}
	for _, e := range events {
		images, why := setup.match(hook, e)
		t.Events = append(t.Events, TrialEvent{Event: e, Images: images, Why: why})
	}
	return t, nil
}
