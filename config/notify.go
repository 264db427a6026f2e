package config

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	templates "text/template/parse"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

// Notify is a route: what is told, and to whom.
type Notify struct {
	Name string
	// One of the three is set.
	Slack   *NotifySlack
	Email   *NotifyEmail
	Webhook *NotifyWebhook
	On      []string // of notice.Kinds; empty: notice.Standard
	// Only what fits all of these is told; each may be empty.
	Images     []string          // patterns of image names
	Hosts      map[string]string // labels of hosts
	Namespaces []string
	Meta       map[string]string // patterns of values
	// Group is how long events of one cause are gathered before they are told.
	Group time.Duration
	// Repeat is after how long a trouble that goes on is told again.
	Repeat time.Duration
	// Title and Text are templates, of which only the syntax is checked here;
	// empty: the standard ones.
	Title, Text string
}

// defaultNotify: most of what comes from one cause comes within seconds, and a
// trouble that goes on is worth a word or two a shift.
func defaultNotify() Notify { return Notify{Group: 10 * time.Second, Repeat: 4 * time.Hour} }

const notifyPath = "notify"

func (r *reader) notify(docs []notifyDoc) []Notify {
	var list []Notify
	seen := make(names)
	for i, doc := range docs {
		entry := fmt.Sprintf("%s[%d]", notifyPath, i)
		r.checkName(seen, entry, doc.Name)
		route := defaultNotify()
		route.Name = doc.Name
		r.channel(entry, doc, &route)
		route.On = r.oneOf(entry+".on", doc.On, noticeKinds(), "nothing of that name is told")
		if on := entry + ".on"; r.has(on) && len(doc.On) == 0 {
			r.add(on, "", "it is empty, so that nothing would be told", "leave it out for the standard ones, or write some")
		}
		route.Images = r.imageNames(entry+".images", doc.Images)
		route.Hosts = maps.Clone(doc.Hosts)
		route.Namespaces = eachOnce(r, entry+".namespaces", doc.Namespaces, func(field, text string) (string, bool) { return r.namespace(field, text), true })
		route.Meta = r.metaPatterns(entry+".meta", doc.Meta)
		route.Group = r.duration(entry+".group", doc.Group, route.Group, time.Second)
		route.Repeat = r.duration(entry+".repeat", doc.Repeat, route.Repeat, leastRepeat)
		route.Title = r.template(entry+".title", doc.Title, maxTitle)
		route.Text = r.template(entry+".text", doc.Text, maxText)
		list = append(list, route)
	}
	return list
}

func noticeKinds() []string {
	var list []string
	for _, kind := range notice.Kinds {
		list = append(list, string(kind))
	}
	return list
}

// channel reads the one way in which a route tells.
func (r *reader) channel(entry string, doc notifyDoc, route *Notify) {
	const mend = "write one of slack, email and webhook; another route may have another"
	var written []string
	for _, key := range []string{"slack", "email", "webhook"} {
		if r.has(join(entry, key)) || r.spoiled[join(entry, key)] {
			written = append(written, key)
		}
	}
	switch {
	case len(written) == 0:
		r.add(entry, "", "it does not say where to tell", mend)
	case len(written) > 1:
		r.add(entry, "", strings.Join(written, " and ")+" stand together", mend)
	case doc.Slack != nil:
		route.Slack = r.slack(entry+".slack", *doc.Slack)
	case doc.Email != nil:
		route.Email = r.email(entry+".email", *doc.Email)
	case doc.Webhook != nil:
		route.Webhook = r.notifyWebhook(entry+".webhook", *doc.Webhook)
	}
}

// metaPatterns checks patterns of the values that a run's meta must have.
func (r *reader) metaPatterns(field string, written map[string]string) map[string]string {
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if _, err := path.Match(written[name], ""); err != nil {
			r.add(join(field, name), written[name], "it is not a pattern", "write the value; * stands for any run of characters but /, and \\ before a sign for the sign itself")
		}
	}
	return maps.Clone(written)
}

// leastRepeat keeps a trouble that goes on from becoming noise.
const leastRepeat = time.Minute

// The bounds of templates, in bytes.
const (
	maxTitle = 1 << 10
	maxText  = 16 << 10
)

// templateError matches what text/template puts before its own words.
var templateError = regexp.MustCompile(`^template: [^:]*:(\d+:)* ?`)

// template checks the syntax of a template. Which names and functions there are
// is not known here: whoever fills it in checks that.
func (r *reader) template(field, text string, most int) string {
	if !r.has(field) {
		return ""
	}
	if len(text) > most {
		r.add(field, text, fmt.Sprintf("it is longer than %d bytes", most), "shorten it")
		return ""
	}
	if strings.TrimSpace(text) == "" {
		r.add(field, text, "it is empty", "leave it out for the standard one")
		return ""
	}
	if err := templateSyntax(text); err != nil {
		r.add(field, text, "it is no template: "+templateError.ReplaceAllString(err.Error(), ""), "write text, with what is to be filled in as in {{.Run.Meta.customer}}")
		return ""
	}
	return text
}

// templateSyntax parses a template whose functions are unknown.
func templateSyntax(text string) error {
	tree := templates.New("template")
	tree.Mode = templates.SkipFuncCheck
	_, err := tree.Parse(text, "", "", make(map[string]*templates.Tree))
	return err
}

func (n Notify) document() notifyDoc {
	doc := notifyDoc{
		Name: n.Name, On: n.On, Images: n.Images, Hosts: n.Hosts, Namespaces: n.Namespaces, Meta: n.Meta,
		Group: durationText(n.Group), Repeat: durationText(n.Repeat), Title: n.Title, Text: n.Text,
	}
	switch {
	case n.Slack != nil:
		doc.Slack = &notifySlackDoc{WebhookURLFile: n.Slack.WebhookURLFile, TokenFile: n.Slack.TokenFile, Channel: n.Slack.Channel, APIURL: n.Slack.APIURL}
	case n.Email != nil:
		e := n.Email
		doc.Email = &notifyEmailDoc{
			Host: e.Host, Port: e.Port, TLS: e.TLS, CAFile: e.CAFile, Username: e.Username, PasswordFile: e.PasswordFile, From: e.From, To: e.To,
		}
	case n.Webhook != nil:
		doc.Webhook = &notifyWebhookDoc{URLFile: n.Webhook.URLFile, SecretFile: n.Webhook.SecretFile, CAFile: n.Webhook.CAFile}
		if n.Webhook.URLFile == "" {
			doc.Webhook.URL = n.Webhook.URL.Reveal() // url_file is for one that must not be seen
		}
	}
	return doc
}
