package server

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry/webhook"
	"github.com/prewarm/prewarm/warmer/hints"
)

// Webhooks is what the API needs of who takes hints.
type Webhooks interface {
	// Expect refuses what Receive would refuse for its address alone, before the
	// body is there.
	Expect(name, path string, at time.Time, from string) error
	// Receive answers with a verdict what is on disk. No secret is in an error.
	Receive(ctx context.Context, name, path string, d webhook.Delivery, from string) (hints.Answer, error)
	Hooks() []hints.HookStatus
	// Deliveries gives the newest first.
	Deliveries(ctx context.Context, hook string, limit int) ([]hints.Delivery, error)
	// Try does nothing but tell what would be done.
	Try(name string, d webhook.Delivery) (hints.Trial, error)
}

// Bounds of a delivery. Bodies of a push have about 20 kB.
const (
	maxDeliveryBytes = 1 << 20
	deliveryTimeout  = 10 * time.Second // for the whole body
)

func (s *Server) webhookRoutes() {
	deliver := s.deliveryOp("/v1/webhooks/{name}", "deliver-webhook", "Tell that an image was pushed")
	deliver.Description = "Takes what senders of the webhook's kind send, in whatever media type, and answers once that is on disk. " +
		"Who sent it is proven by its headers, as the kind has it; the API's own tokens play no part."
	handle(s, deliver, func(ctx context.Context, in *struct {
		HookName
		Sent
	},
	) (*toldReply, error) {
		return s.deliver(ctx, in.Name, "", &in.Sent)
	}, deliveryCodes...)
	secret := s.deliveryOp("/v1/webhooks/{name}/{secret}", "deliver-webhook-by-secret", "Tell that an image was pushed, at an address that is secret")
	secret.Description = "For senders that can't sign. As the one without a secret otherwise."
	handle(s, secret, func(ctx context.Context, in *struct {
		HookName
		Secret string `path:"secret" doc:"What nobody but the sender knows."`
		Sent
	},
	) (*toldReply, error) {
		return s.deliver(ctx, in.Name, in.Secret, &in.Sent)
	}, deliveryCodes...)
	handle(s, op(http.MethodGet, "/v1/webhooks", "list-webhooks", "List the webhooks with their last deliveries"), s.listWebhooks, problem.WebhookNotFound)
	test := op(http.MethodPost, "/v1/webhook-tests/{name}", "test-webhook", "Tell what would be made of a delivery, and deliver nothing")
	test.MaxBodyBytes = 4 * maxDeliveryBytes // quoted it is longer
	handle(s, test, s.testWebhook, problem.WebhookNotFound)
}

var deliveryCodes = []problem.Code{problem.WebhookNotFound, problem.WebhookDenied, problem.WebhookBody, problem.WebhookBusy, problem.Stopping}

// deliveryOp is an operation that takes any body, and any query: both are the
// sender's business.
func (s *Server) deliveryOp(path, id, summary string) huma.Operation {
	o := op(http.MethodPost, path, id, summary)
	o.MaxBodyBytes, o.BodyReadTimeout = maxDeliveryBytes+1, deliveryTimeout // huma refuses what reaches its limit
	o.SkipValidateParams = true
	o.Middlewares = append(o.Middlewares, s.bound)
	content := map[string]*huma.MediaType{"application/json": {Schema: s.schemaOf(reflect.TypeFor[api.Told]())}}
	o.DefaultStatus = http.StatusAccepted
	o.Responses = map[string]*huma.Response{
		"200": {Description: "It is of nothing that is looked at.", Content: content},
		"202": {Description: "It is on disk, and led to looks now or when it was told first.", Content: content},
	}
	return o
}

// HookName is exported for huma.
type HookName struct {
	Name string `path:"name" doc:"The webhook, as the configuration names it." example:"ci"`
}

// Sent is a sender's request; exported for huma.
type Sent struct {
	RawBody []byte `contentType:"*/*"`
	header  http.Header
	from    string
}

// Resolve takes the headers and where the request came from.
func (r *Sent) Resolve(c huma.Context) []error {
	r.header = make(http.Header)
	c.EachHeader(r.header.Add)
	r.from = senderOf(c.RemoteAddr())
	return nil
}

// toldReply is 200 for what is of no interest, so that senders that give up on
// an error don't.
type toldReply struct {
	Status int
	Body   api.Told
}

func (s *Server) deliver(ctx context.Context, name, secret string, r *Sent) (*toldReply, error) {
	a, err := s.opts.Webhooks.Receive(ctx, name, secret, webhook.Delivery{Header: r.header, Body: r.RawBody, At: time.Now()}, r.from)
	if err != nil {
		return nil, err
	}
	status := http.StatusAccepted
	if a.Verdict == hints.Irrelevant {
		status = http.StatusOK
	}
	return &toldReply{status, api.Told{Verdict: string(a.Verdict), Events: a.Events, Images: listOf(a.Images)}}, nil
}

func (s *Server) listWebhooks(ctx context.Context, in *struct {
	Hook  string `query:"hook" maxLength:"128" doc:"Only this webhook."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"20" doc:"How many deliveries of each at most."`
},
) (*reply[api.Webhooks], error) {
	all := api.Webhooks{Webhooks: []api.Webhook{}}
	for _, h := range s.opts.Webhooks.Hooks() {
		if in.Hook != "" && h.Name != in.Hook {
			continue
		}
		deliveries, err := s.opts.Webhooks.Deliveries(ctx, h.Name, in.Limit)
		if err != nil {
			return nil, err
		}
		all.Webhooks = append(all.Webhooks, webhookOf(h, deliveries))
	}
	if in.Hook != "" && len(all.Webhooks) == 0 {
		return nil, problem.New(problem.WebhookNotFound, fmt.Sprintf("no webhook has the name %q", in.Hook), "prewarm webhooks lists them")
	}
	return &reply[api.Webhooks]{all}, nil
}

func (s *Server) testWebhook(_ context.Context, in *struct {
	HookName
	Body api.WebhookTestRequest
},
) (*reply[api.WebhookTest], error) {
	d := webhook.Delivery{Header: make(http.Header), Body: []byte(in.Body.Body), At: time.Now()}
	for name, value := range in.Body.Headers {
		d.Header.Set(name, value)
	}
	t, err := s.opts.Webhooks.Try(in.Name, d)
	if err != nil {
		return nil, err
	}
	return &reply[api.WebhookTest]{trialOf(in.Name, t)}, nil
}

// isDelivery tells a request of a sender: it may come by a proxy under any name,
// and proves by itself that it is no page's.
func isDelivery(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/webhooks/")
}

// shown is a path as it may be repeated: what is like the address of a webhook
// may end with a secret, and answers are logged.
func shown(path string) string { return likeWebhook.ReplaceAllString(path, "webhooks/…") }

var likeWebhook = regexp.MustCompile(`(?is)webhook.*`)
