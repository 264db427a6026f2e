package server

import (
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/warmer/hints"
)

func webhookOf(h hints.HookStatus, deliveries []hints.Delivery) api.Webhook {
	hook := api.Webhook{
		Name: h.Name, Kind: string(h.Kind), Signed: h.Signed, SecretPath: h.SecretPath, Registry: h.Registry,
		Repositories: []string{}, Deliveries: []api.Delivery{},
		Counts: api.DeliveryCounts{
			Accepted: h.Counts[hints.Accepted], Irrelevant: h.Counts[hints.Irrelevant],
			Repeated: h.Counts[hints.Repeated], Refused: h.Counts[hints.Refused],
		},
	}
	for _, p := range h.Repositories {
		hook.Repositories = append(hook.Repositories, p.String())
	}
	for _, d := range deliveries {
		hook.Deliveries = append(hook.Deliveries, api.Delivery{
			ID: d.ID, At: d.At, From: d.From, Verdict: string(d.Verdict), Stands: d.Stands, Events: d.Events,
			IDs: listOf(d.IDs), Images: listOf(d.Images), Detail: d.Detail, Led: d.Led,
		})
	}
	return hook
}

func trialOf(name string, t hints.Trial) api.WebhookTest {
	test := api.WebhookTest{Webhook: name, Proof: "not_asked", Denied: t.Denied, Wrong: t.Wrong, Events: []api.TestEvent{}}
	switch {
	case t.Denied != "":
		test.Proof = "bad"
	case t.Proven:
		test.Proof = "good"
	}
	for _, e := range t.Events {
		test.Events = append(test.Events, api.TestEvent{
			Registry: e.Registry, Path: e.Path, Below: e.Below, Tag: e.Tag, Digest: string(e.Digest), ID: e.ID, Images: listOf(e.Images), Why: e.Why,
		})
	}
	return test
}
