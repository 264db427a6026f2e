package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Told is the answer to a delivery.
type Told struct {
	Verdict string   `json:"verdict" enum:"accepted,irrelevant,repeated,refused" doc:"accepted: the tags are looked at now. irrelevant: it is of no image that the webhook may speak of. repeated: an earlier delivery told the same."`
	Events  int      `json:"events" doc:"How many pushes were read in it."`
	Images  []string `json:"images" doc:"Those of the configuration that it is about."`
}

// Webhook is where a sender tells of pushes.
type Webhook struct {
	Name         string         `json:"name"`
	Kind         string         `json:"kind" doc:"The sender's dialect."`
	Signed       bool           `json:"signed" doc:"Deliveries prove by their headers who sent them."`
	SecretPath   bool           `json:"secret_path" doc:"The address ends with a secret."`
	Repositories []string       `json:"repositories" doc:"What the sender may speak of."`
	Registry     string         `json:"registry,omitempty" doc:"Stands for whatever registry the sender names."`
	Counts       DeliveryCounts `json:"counts"`
	Deliveries   []Delivery     `json:"deliveries" doc:"The last ones, newest first."`
}

// DeliveryCounts counts deliveries since the server's start.
type DeliveryCounts struct {
	Accepted   int `json:"accepted"`
	Irrelevant int `json:"irrelevant"`
	Repeated   int `json:"repeated"`
	Refused    int `json:"refused"`
}

// Delivery is one request of a sender, and what came of it.
type Delivery struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	From    string    `json:"from" doc:"The address that it came from: that of a proxy, where there is one."`
	Verdict string    `json:"verdict" enum:"accepted,irrelevant,repeated,refused" doc:"refused: it does not prove who sent it, or can't be read."`
	Stands  int       `json:"stands_for" doc:"For how many deliveries this record stands: of many refused ones, one in a second is kept."`
	Events  int       `json:"events" doc:"How many pushes were read in it."`
	IDs     []string  `json:"event_ids" doc:"The sender's names for them, as far as it gives some."`
	Images  []string  `json:"images" doc:"Those of the configuration that it is about."`
	Detail  string    `json:"detail,omitempty" doc:"Why it is irrelevant or refused."`
	Led     string    `json:"led,omitempty" doc:"What the looks found that it led to. Missing: they have not been taken, or the server ended before."`
}

// Webhooks lists webhooks.
type Webhooks struct {
	Webhooks []Webhook `json:"webhooks"`
}

// WebhookTestRequest is a delivery to be tried.
type WebhookTestRequest struct {
	Headers map[string]string `json:"headers,omitempty" doc:"As the sender sends them. Left out: it is not asked who sent it."`
	Body    string            `json:"body" maxLength:"1048576" doc:"As the sender sends it, byte by byte."`
}

// WebhookTest is what would be made of a delivery.
type WebhookTest struct {
	Webhook string      `json:"webhook"`
	Proof   string      `json:"proof" enum:"good,bad,not_asked" doc:"Whether its headers prove who sent it. not_asked: there are none, or the webhook's address is the only proof."`
	Denied  string      `json:"denied,omitempty" doc:"Why they do not."`
	Wrong   string      `json:"wrong,omitempty" doc:"Why its body can't be read."`
	Events  []TestEvent `json:"events" doc:"The pushes that it tells of."`
}

// TestEvent is a push with the images that would be looked at.
type TestEvent struct {
	Registry string   `json:"registry,omitempty" doc:"That the sender names."`
	Path     string   `json:"path" doc:"The repository within the registry."`
	Below    bool     `json:"below,omitempty" doc:"Repositories below it are meant, too."`
	Tag      string   `json:"tag,omitempty" doc:"Missing: any of the repository."`
	Digest   string   `json:"digest,omitempty"`
	ID       string   `json:"id,omitempty" doc:"The sender's name for it."`
	Images   []string `json:"images"`
	Why      string   `json:"why,omitempty" doc:"Why there are none."`
}

// Webhooks gives the webhooks with their last deliveries, at most limit of each,
// or one of them where name is not empty.
func (c *Client) Webhooks(ctx context.Context, name string, limit int) (Webhooks, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if name != "" {
		query.Set("hook", name)
	}
	return do[Webhooks](ctx, c, http.MethodGet, "/v1/webhooks?"+query.Encode(), nil)
}

// TestWebhook tells what would be made of a delivery, and delivers nothing.
func (c *Client) TestWebhook(ctx context.Context, name string, r WebhookTestRequest) (WebhookTest, error) {
	return do[WebhookTest](ctx, c, http.MethodPost, "/v1/webhook-tests/"+segment(name), r)
}
