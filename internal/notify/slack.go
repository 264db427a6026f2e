package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/slack-go/slack"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
)

// SlackOptions is a Slack channel: by an incoming webhook, or as a bot.
type SlackOptions struct {
	WebhookURL string // a secret
	Token      string // of a bot, with chat:write
	Channel    string // of a bot: its id, or its name
	APIURL     string // where Slack's API is; empty: slack.com
}

// NewSlack makes the channel. It asks nobody yet.
func NewSlack(o SlackOptions) (Channel, error) {
	client := newHTTP(nil)
	if o.WebhookURL != "" {
		u, err := url.Parse(o.WebhookURL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, problem.New(problem.InvalidConfig, "the URL of a Slack webhook is none", "copy it from the app's page: https://hooks.slack.com/services/…")
		}
		return &slackHook{url: o.WebhookURL, http: client}, nil
	}
	if o.Token == "" || o.Channel == "" {
		return nil, problem.New(problem.InvalidConfig, "a Slack channel has neither a webhook nor a bot's token and channel", "give webhook_url_file, or token_file and channel")
	}
	options := []slack.Option{slack.OptionHTTPClient(client)}
	if o.APIURL != "" {
		options = append(options, slack.OptionAPIURL(strings.TrimSuffix(o.APIURL, "/")+"/"))
	}
	return &slackBot{channel: o.Channel, secrets: []string{o.Token}, api: slack.New(o.Token, options...)}, nil
}

// slackHook posts to an incoming webhook, which can change nothing that it
// posted.
type slackHook struct {
	url  string
	http *http.Client
}

func (*slackHook) InPlace() bool { return false }

func (s *slackHook) Send(ctx context.Context, m notice.Message) (string, error) {
	no := false
	err := slack.PostWebhookCustomHTTPContext(ctx, s.url, s.http, &slack.WebhookMessage{
		Text: fallback(m), Blocks: &slack.Blocks{BlockSet: blocksOf(m)}, UnfurlLinks: &no, UnfurlMedia: &no,
	})
	return "", slackFailure(err, s.secrets()...)
}

// secrets are the address and what of it can be told alone.
func (s *slackHook) secrets() []string {
	all := []string{s.url}
	if u, err := url.Parse(s.url); err == nil {
		all = append(all, u.RequestURI(), u.Path)
	}
	return all
}

// slackBot posts with a token, and updates what it posted.
type slackBot struct {
	channel string
	secrets []string
	api     *slack.Client
}

func (*slackBot) InPlace() bool { return true }

// refMark stands between the id of a channel and the time of a message, which
// are Slack's name for it.
const refMark = "/"

func (s *slackBot) Send(ctx context.Context, m notice.Message) (string, error) {
	options := []slack.MsgOption{
		slack.MsgOptionText(fallback(m), false), slack.MsgOptionBlocks(blocksOf(m)...), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "prewarm_notice", EventPayload: map[string]any{"id": m.ID}}),
	}
	if channel, stamp, ok := strings.Cut(m.Earlier, refMark); ok && m.InPlace {
		_, _, _, err := s.api.UpdateMessageContext(ctx, channel, stamp, options...)
		if err == nil {
			return m.Earlier, nil
		}
		if !unchangeable(err) {
			return "", slackFailure(err, s.secrets...)
		}
	}
	channel, stamp, err := s.api.PostMessageContext(ctx, s.channel, options...)
	if err != nil {
		return "", slackFailure(err, s.secrets...)
	}
	if stamp == "" { // the library takes {"ok": false} without an error for a success
		return "", &Failure{Why: "Slack answered something that makes no sense"}
	}
	return channel + refMark + stamp, nil
}

// unchangeable tells that a message can't be updated any more, so that another
// has to be posted: it is too old, or a changed configuration has another channel
// or another app.
func unchangeable(err error) bool {
	var told slack.SlackErrorResponse
	if !errors.As(err, &told) {
		return false
	}
	switch told.Err {
	case "message_not_found", "cant_update_message", "edit_window_closed", "is_inactive", "channel_not_found", "not_in_channel", "is_archived":
		return true
	}
	return false
}

// slackFailure tells an error of Slack; nil stays nil.
func slackFailure(err error, secrets ...string) error {
	var limited *slack.RateLimitedError
	var status slack.StatusCodeError
	var told slack.SlackErrorResponse
	switch {
	case err == nil:
		return nil
	case errors.As(err, &limited):
		return &Failure{Why: "Slack says: too many messages", RetryAfter: limited.RetryAfter}
	case errors.As(err, &status):
		return statusFailed("Slack", status.Code, nil)
	case errors.As(err, &told):
		return toldBySlack(told.Err, secrets...)
	}
	return sendFailed("Slack", err, secrets...)
}

// toldBySlack is a refusal by Slack's API.
func toldBySlack(code string, secrets ...string) *Failure {
	f := &Failure{Why: "Slack refused the message: " + scrub(cut(code, maxTitle), secrets...)}
	switch code {
	case "ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org":
	case "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "no_text", "metadata_too_large", "invalid_metadata_format":
		f.Lasting = true
	default: // the token, or the channel
		f.Lasting, f.All = true, true
		f.Why += fmt.Sprintf(" (%s)", slackMend(code))
	}
	return f
}

// slackMend says what to do about what is wrong with a bot.
func slackMend(code string) string {
	switch code {
	case "channel_not_found":
		return "is the channel's name right, and is the app in it if it is private?"
	case "not_in_channel":
		return "invite the app: /invite @prewarm"
	case "missing_scope":
		return "the app needs the scope chat:write"
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive":
		return "the token is not, or no more, valid"
	}
	return "see the errors of chat.postMessage in Slack's documents"
}
