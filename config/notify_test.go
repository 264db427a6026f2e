package config

import (
	"path/filepath"
	"testing"
	"time"
)

// fullNotify is what testdata/full.yaml says of those who are told.
func fullNotify(folder string) []Notify {
	secrets, certs := filepath.Join(folder, "secrets"), filepath.Join(folder, "certs")
	return []Notify{
		{
			Name:  "data-eng",
			Slack: &NotifySlack{Token: "xoxb-hunter2-hunter2", TokenFile: secrets + "/slack-token", Channel: "#etl", APIURL: "https://slack.example.com/api"},
			On:    []string{"run_failed", "host_down"}, Images: []string{"node-*"}, Hosts: map[string]string{"pool": "etl"}, Namespaces: []string{"etl"},
			Meta: map[string]string{"customer": "acme*"}, Group: time.Second, Repeat: time.Minute,
			Title: "{{.Run.Meta.customer | upper}}: {{.Kind}}", Text: "{{if .Run}}{{.Run.ID}}{{end}}\n",
		},
		{
			Name: "by-hook", Slack: &NotifySlack{WebhookURL: "https://hooks.slack.com/services/T000/B000/hunter2", WebhookURLFile: secrets + "/slack-url"},
			Group: 10 * time.Second, Repeat: 4 * time.Hour,
		},
		{
			Name: "ops",
			Email: &NotifyEmail{
				Host: "mail.example.com", Port: 2525, TLS: "starttls", CAFile: certs + "/ca.pem", Username: "prewarm", Password: "from-a-file", PasswordFile: secrets + "/password",
				From: "Prewarm <prewarm@example.com>", To: []string{"ops@example.com", "On Call <call@example.com>"},
			},
			Group: time.Minute, Repeat: 24 * time.Hour,
		},
		{
			Name: "lan", Email: &NotifyEmail{Host: "10.0.0.25", Port: 25, TLS: "none", From: "prewarm@example.com", To: []string{"ops@example.com"}},
			Group: 10 * time.Second, Repeat: 4 * time.Hour,
		},
		{
			Name: "tickets", Webhook: &NotifyWebhook{URL: "https://tickets.example.com/in?queue=etl", Secret: "hunter2-hunter2-hunter2", SecretFile: secrets + "/token", CAFile: certs + "/ca.pem"},
			Group: 10 * time.Second, Repeat: 4 * time.Hour,
		},
		{
			Name: "secret-place",
			Webhook: &NotifyWebhook{
				URL: "https://hooks.slack.com/services/T000/B000/hunter2", URLFile: secrets + "/slack-url", Secret: "hunter2-hunter2-hunter2", SecretFile: secrets + "/token",
			},
			Group: 10 * time.Second, Repeat: 4 * time.Hour,
		},
	}
}

func TestMailPorts(t *testing.T) {
	t.Parallel()
	const mail = "notify: [{name: a, email: {host: m, from: a@b.test, to: [c@b.test], "
	for written, want := range map[string]int{"": 587, "tls: starttls": 587, "tls: tls": 465, "tls: none": 25, "tls: tls, port: 1": 1} {
		if got := mustLoad(t, write(t, mail+written+"}}]")).Notify[0].Email.Port; got != want {
			t.Errorf("%s: port %d, want %d", written, got, want)
		}
	}
}

// Only the shape of a template is looked at: what may be named in one, and the
// functions that there are, are those of whoever fills it in.
func TestTemplateSyntax(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"plain": true, "{{.A.B}}": true, "{{f .A | g 1}}": true, "{{range $i, $x := .A}}{{$x}}{{else}}{{end}}": true, `{{define "a"}}{{end}}{{template "a" .}}`: true,
		"{{": false, "{{.A": false, "{{end}}": false, "{{if .A}}": false, "{{$x}}": false, "{{break}}": false, "{{.A}": false,
	} {
		if err := templateSyntax(text); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}
