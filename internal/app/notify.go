package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/metrics"
	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
)

// notifySetup makes the routes of the configuration. It asks nobody yet.
func (a *App) notifySetup(c *config.Config) (notify.Setup, error) {
	s := notify.Setup{Page: logPage(c.Server.PublicURL), Sign: a.signer(c.Server.LinkLife)}
	for _, n := range c.Notify {
		r, err := routeOf(n, a.opts.Logger)
		if err == nil {
			err = notify.CheckTemplate(n.Title, n.Text)
		}
		if err != nil {
			p := problem.From(err)
			return s, problem.New(problem.InvalidConfig, fmt.Sprintf("notify %s: %s", n.Name, err), p.Mend)
		}
		s.Routes = append(s.Routes, r)
	}
	return s, nil
}

func routeOf(n config.Notify, log *slog.Logger) (notify.Route, error) {
	r := notify.Route{
		Name: n.Name, Images: n.Images, Hosts: n.Hosts, Namespaces: n.Namespaces, Meta: n.Meta, Group: n.Group, Repeat: n.Repeat, Title: n.Title, Text: n.Text,
	}
	for _, kind := range n.On {
		r.On = append(r.On, notice.Kind(kind))
	}
	var err error
	switch {
	case n.Slack != nil:
		r.Channel, err = notify.NewSlack(notify.SlackOptions{
			WebhookURL: n.Slack.WebhookURL.Reveal(), Token: n.Slack.Token.Reveal(), Channel: n.Slack.Channel, APIURL: n.Slack.APIURL,
		})
	case n.Email != nil:
		r.Channel, err = emailOf(*n.Email, log)
	case n.Webhook != nil:
		r.Channel, err = webhookOf(*n.Webhook)
	default:
		err = problem.New(problem.InvalidConfig, "it has no channel", "give it slack, email or webhook")
	}
	return r, err
}

func emailOf(e config.NotifyEmail, log *slog.Logger) (notify.Channel, error) {
	ca, err := readAuthority(e.CAFile)
	if err != nil {
		return nil, err
	}
	return notify.NewEmail(notify.EmailOptions{
		Host: e.Host, Port: e.Port, TLS: e.TLS, CA: ca, Username: e.Username, Password: e.Password.Reveal(), From: e.From, To: e.To, Logger: log,
	})
}

func webhookOf(w config.NotifyWebhook) (notify.Channel, error) {
	ca, err := readAuthority(w.CAFile)
	if err != nil {
		return nil, err
	}
	return notify.NewWebhook(notify.WebhookOptions{URL: w.URL.Reveal(), Secret: w.Secret.Reveal(), CA: ca})
}

func readAuthority(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, problem.Wrap(problem.InvalidConfig, err, "read ca_file", "give the path of a PEM file that the server can read")
	}
	return pem, nil
}

// notices is internal/notify as the server needs it.
type notices struct {
	notifier *notify.Notifier
	outbox   notify.Outbox
}

func (n notices) Notices(ctx context.Context, route string, limit int) ([]server.Notice, error) {
	found, err := n.outbox.Messages(ctx, route, limit)
	if err != nil {
		return nil, err
	}
	var all []server.Notice
	for _, m := range found {
		told := server.Notice{
			ID: m.ID, Route: m.Route, Title: m.Title, Events: m.Count, State: string(m.State), Tries: m.Tries, Error: m.Error,
			Made: m.Made, Due: m.Due, Done: m.Done,
		}
		for _, kind := range m.Kinds {
			told.Kinds = append(told.Kinds, string(kind))
		}
		all = append(all, told)
	}
	return all, nil
}

func (n notices) TryRoute(ctx context.Context, route, kind string, send bool) ([]server.NoticeSample, error) {
	found, err := n.notifier.Try(ctx, route, kind, send)
	if err != nil {
		return nil, err
	}
	var all []server.NoticeSample
	for _, s := range found {
		all = append(all, server.NoticeSample{Kind: string(s.Kind), Title: s.Title, Text: s.Text, Sent: s.Sent})
	}
	return all, nil
}

// routes are those who are told, in numbers.
func (a *App) routes() []metrics.Route {
	var all []metrics.Route
	for _, r := range a.notifier.Stats() {
		all = append(all, metrics.Route(r))
	}
	return all
}
