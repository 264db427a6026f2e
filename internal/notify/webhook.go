package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
)

// WebhookOptions is a receiver of JSON.
type WebhookOptions struct {
	URL    string // may hold a secret
	Secret string // that bodies are signed with
	CA     []byte // PEM; empty: the system's
}

// Webhook posts signed JSON.
type Webhook struct {
	opts WebhookOptions
	to   string
	http *http.Client
}

// NewWebhook makes a Webhook. It asks nobody yet.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, problem.New(problem.InvalidConfig, "the url of a webhook is none", "write https://host/path")
	}
	roots, err := readCA(o.CA)
	if err != nil {
		return nil, err
	}
	return &Webhook{opts: o, to: "the webhook at " + u.Host, http: newHTTP(roots)}, nil
}

// InPlace is false: a receiver gets every message, and knows its thread.
func (*Webhook) InPlace() bool { return false }

// Send posts a message. The signature is that of the webhooks that Prewarm
// takes: the receiver computes it from the id, the time and the body.
func (w *Webhook) Send(ctx context.Context, m notice.Message) (string, error) {
	body, err := json.Marshal(wireOf(m))
	if err != nil {
		return "", &Failure{Why: "encode the message: " + err.Error(), Lasting: true}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.opts.URL, bytes.NewReader(body))
	if err != nil {
		return "", sendFailed(w.to, err, w.opts.URL)
	}
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "prewarm")
	id := sentAs(m)
	r.Header.Set("X-Prewarm-Id", id)
	r.Header.Set("X-Prewarm-Timestamp", stamp)
	r.Header.Set("X-Prewarm-Signature", sign(w.opts.Secret, id, stamp, body))
	answer, err := w.http.Do(r)
	if err != nil {
		return "", sendFailed(w.to, err, w.opts.URL, w.opts.Secret)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body) // what it says beside its status is not for us
	if answer.StatusCode/100 != 2 {
		return "", statusFailed(w.to, answer.StatusCode, answer.Header)
	}
	return "", nil
}

// sign is v1= and the hex HMAC-SHA256 of id.timestamp.body.
func sign(secret, id, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}
