package config

import (
	"net/mail"
	"net/url"
	"strings"
)

// NotifySlack is a Slack channel: by an incoming webhook, or as a bot, whose
// messages are updated in place.
type NotifySlack struct {
	// WebhookURL and Token are what the files held; one of the two is set.
	WebhookURL     Secret
	WebhookURLFile string // absolute, or empty
	Token          Secret
	TokenFile      string // absolute, or empty
	Channel        string // of a bot
	APIURL         string // where Slack's API is, without a slash at the end; empty: slack.com
}

// NotifyEmail is a mail server and who gets mail by it.
type NotifyEmail struct {
	Host     string
	Port     int    // 587 where nothing is said; 465 for tls, 25 for none
	TLS      string // starttls (default), tls, none
	CAFile   string // absolute, or empty: roots beside the system's
	Username string
	// Password is what the file held; empty: nobody logs in.
	Password     Secret
	PasswordFile string // absolute, or empty
	From         string // an address, with a name or without
	To           []string
}

// NotifyWebhook gets JSON, signed as a webhook of kind generic is.
type NotifyWebhook struct {
	URL        Secret // of the configuration, which shows it, or what the file held
	URLFile    string // absolute, or empty
	Secret     Secret // what the file held
	SecretFile string // absolute
	CAFile     string // absolute, or empty: roots beside the system's
}

func (r *reader) slack(field string, doc notifySlackDoc) *NotifySlack {
	slack := NotifySlack{Channel: doc.Channel}
	url, token, channel, api := field+".webhook_url", field+".token", field+".channel", field+".api_url"
	hook, byHook := r.secret(url, "", doc.WebhookURLFile)
	bot, byBot := r.secret(token, "", doc.TokenFile)
	switch {
	case byHook && byBot:
		r.add(token+"_file", "", "webhook_url_file and token_file stand together", "keep one of the two: a bot's messages are updated in place, a webhook needs no bot")
	case byHook && r.has(channel):
		r.add(channel, doc.Channel, "an incoming webhook has its channel already", "leave it out, or write token_file of a bot in place of webhook_url_file")
	case byHook && r.has(api):
		r.add(api, doc.APIURL, "an incoming webhook is an address itself", "leave it out")
	case !byHook && !byBot:
		r.add(field, "", "it does not say how to reach Slack", "add webhook_url_file, or token_file and channel of a bot")
	case byBot && (!r.has(channel) || strings.TrimSpace(doc.Channel) == ""):
		r.add(channel, "", "it is missing", "write the channel, as in '#etl-alerts', or its id")
	}
	slack.WebhookURL, slack.WebhookURLFile = hook.text, hook.file
	if hook.at != "" && !isWebAddress(hook.text.Reveal()) {
		r.add(hook.at, doc.WebhookURLFile, "the file does not hold the address of an incoming webhook", "put https://hooks.slack.com/services/… into it, and nothing else")
	}
	slack.Token, slack.TokenFile = bot.text, bot.file
	if bot.at != "" && !tokenRule.MatchString(bot.text.Reveal()) {
		r.add(bot.at, doc.TokenFile, "the file does not hold a token", "put the bot's token (xoxb-…) into it, and nothing else")
	}
	if r.has(api) {
		slack.APIURL = strings.TrimRight(r.webAddress(api, doc.APIURL, "https://slack.com/api"), "/")
	}
	return &slack
}

// isWebAddress tells whether a request can be sent to text.
func isWebAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && validHost(u) && strings.TrimSpace(text) == text
}

// webAddress checks where requests are sent; what is refused is empty.
func (r *reader) webAddress(field, text, example string) string {
	mend := "write it as in " + example
	u, err := url.Parse(text)
	switch {
	case !isWebAddress(text) || err != nil:
		r.add(field, text, "it is not an address of the web", mend)
	case u.User != nil:
		r.add(field, text, "it has a password in it, or a name, which everybody sees", mend)
	default:
		return text
	}
	return ""
}

// What is between Prewarm and a mail server, and the port that goes with it.
const (
	startTLS = "starttls"
	fullTLS  = "tls"
	noTLS    = "none"
)

var mailPorts = map[string]int{startTLS: 587, fullTLS: 465, noTLS: 25}

func (r *reader) email(field string, doc notifyEmailDoc) *NotifyEmail {
	e := NotifyEmail{
		Host: r.mailHost(field+".host", doc.Host),
		TLS:  r.mailTLS(field+".tls", doc.TLS),
		From: r.sender(field+".from", doc.From),
		To:   r.recipients(field+".to", doc.To),
	}
	e.Port = mailPorts[e.TLS]
	if port := field + ".port"; r.has(port) && !r.spoiled[port] {
		e.Port = doc.Port
		r.limit(port, doc.Port, &e.Port, "587 is usual")
		if doc.Port > 65535 {
			r.add(port, "", "no port has such a number", "write 65535 or less; 587 is usual")
		}
	}
	if ca := field + ".ca_file"; e.TLS == noTLS && r.has(ca) {
		r.add(ca, doc.CAFile, "without TLS there are no certificates", "leave it out, or write another tls")
	} else {
		e.CAFile = r.caFile(ca, doc.CAFile)
	}
	r.login(field, doc, &e)
	return &e
}

// login checks that a user and a password stand together, and go to nobody else.
func (r *reader) login(field string, doc notifyEmailDoc, e *NotifyEmail) {
	username, password := field+".username", field+".password"
	held, written := r.secret(password, "", doc.PasswordFile)
	switch {
	case r.has(username) && !written:
		r.add(username, doc.Username, "a username without a password", "add password_file, or leave username out")
	case written && !r.has(username):
		r.add(password+"_file", "", "a password without a username", "add username")
	case r.has(username) && doc.Username == "":
		r.add(username, "", "the username is empty", "write it, or leave username and password_file out")
	case written && e.TLS == noTLS:
		r.add(field+".tls", doc.TLS, "whoever is in between would read the password", "write starttls or tls, or leave username and password_file out")
	}
	e.Username, e.Password, e.PasswordFile = doc.Username, held.text, held.file
}

func (r *reader) mailHost(field, text string) string {
	switch {
	case !r.has(field):
		r.add(field, "", "it is missing", "write the name of the mail server")
	case !hostName.MatchString(text):
		r.add(field, text, "it is not the name of a server", "write its name or address, without a port")
	}
	return text
}

func (r *reader) mailTLS(field, text string) string {
	switch {
	case !r.has(field):
		return startTLS
	case mailPorts[text] == 0:
		r.add(field, text, "there is no such way", "write starttls, tls for TLS from the first byte on (port 465), or none")
	}
	return text
}

const mendAddress = "write it as in prewarm@example.com or Prewarm <prewarm@example.com>"

func (r *reader) sender(field, text string) string {
	if !r.has(field) {
		r.add(field, "", "it is missing", mendAddress)
		return ""
	}
	r.mailAddress(field, text)
	return text
}

func (r *reader) recipients(field string, written []string) []string {
	if len(written) == 0 {
		r.add(field, "", "nobody is to get it", "write one address or more")
	}
	return eachOnce(r, field, written, func(entry, text string) (string, bool) { return text, r.mailAddress(entry, text) })
}

func (r *reader) mailAddress(field, text string) bool {
	_, err := mail.ParseAddress(text)
	if err != nil {
		r.add(field, text, "it is not an address of e-mail", mendAddress)
	}
	return err == nil
}

func (r *reader) notifyWebhook(field string, doc notifyWebhookDoc) *NotifyWebhook {
	address, secret := field+".url", field+".secret"
	hook := NotifyWebhook{CAFile: r.caFile(field+".ca_file", doc.CAFile)}
	to, written := r.secret(address, Secret(doc.URL), doc.URLFile)
	switch {
	case !written:
		r.add(address, "", "it is missing", "write where to send to, or url_file if the address is a secret")
	case to.at == address:
		r.webAddress(address, doc.URL, "https://example.com/prewarm")
	case to.at != "" && !isWebAddress(to.text.Reveal()):
		r.add(to.at, doc.URLFile, "the file does not hold an address of the web", "put https://example.com/… into it, and nothing else")
	}
	hook.URL, hook.URLFile = to.text, to.file
	held, written := r.secret(secret, "", doc.SecretFile)
	switch {
	case !written:
		r.add(secret+"_file", "", "it is missing, and what is sent is signed with it", "write the path of a file with the secret in it")
	case held.at != "":
		r.checkSecret(held, doc.SecretFile)
	}
	hook.Secret, hook.SecretFile = held.text, held.file
	return &hook
}
