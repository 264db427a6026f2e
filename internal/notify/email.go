package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
)

// How a mail server is spoken to.
const (
	StartTLS = "starttls"
	TLS      = "tls"
	NoTLS    = "none"
)

// EmailOptions is a mail server and who gets mail by it.
type EmailOptions struct {
	Host     string
	Port     int    // 0: 587, of tls 465, of none 25
	TLS      string // empty: StartTLS
	CA       []byte // PEM; empty: the system's
	Username string
	Password string
	From     string
	To       []string
	Logger   *slog.Logger // nil: nowhere
}

// Email sends mail.
type Email struct {
	opts   EmailOptions
	roots  *x509.CertPool
	domain string // of From, for the ids of messages
}

// NewEmail makes an Email. It asks nobody yet.
func NewEmail(o EmailOptions) (*Email, error) {
	if o.TLS == "" {
		o.TLS = StartTLS
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Port == 0 {
		o.Port = map[string]int{StartTLS: 587, TLS: 465, NoTLS: 25}[o.TLS]
	}
	from, err := mail.ParseAddress(o.From)
	switch {
	case err != nil:
		return nil, problem.New(problem.InvalidConfig, fmt.Sprintf("%q is no address of mail", o.From), "write name@host, or Name <name@host>")
	case o.TLS == NoTLS && o.Username != "":
		return nil, problem.New(problem.InvalidConfig, "a password is not sent to a mail server without TLS", "set tls: starttls, or leave out username and password_file")
	case o.Host == "" || len(o.To) == 0:
		return nil, problem.New(problem.InvalidConfig, "mail needs a host and somebody to get it", "give host and to")
	}
	roots, err := readCA(o.CA)
	if err != nil {
		return nil, err
	}
	e := &Email{opts: o, roots: roots, domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:]}
	if _, err := e.client(); err != nil {
		return nil, problem.New(problem.InvalidConfig, "set up mail: "+scrub(err.Error(), o.Password), "look at host, port and tls")
	}
	if _, err := e.compose(sampleOf("sample", notice.HostUp, notice.New(notice.HostUp).At), o.To...); err != nil {
		return nil, problem.New(problem.InvalidConfig, "write mail: "+err.Error(), "look at from and to")
	}
	return e, nil
}

// InPlace is false: what was mailed can't be changed.
func (*Email) InPlace() bool { return false }

// Send mails a message. Its name is the Message-ID, which the thread's next one
// answers.
func (e *Email) Send(ctx context.Context, m notice.Message) (string, error) {
	msg, err := e.compose(m, e.opts.To...)
	if err != nil {
		return "", &Failure{Why: "write mail: " + err.Error(), Lasting: true}
	}
	client, err := e.client()
	if err != nil {
		return "", &Failure{Why: "set up mail: " + scrub(err.Error(), e.opts.Password), Lasting: true, All: true}
	}
	if err := client.DialWithContext(ctx); err != nil {
		return "", e.failure(err)
	}
	err = client.Send(msg)
	var refused *gomail.SendError
	if errors.As(err, &refused) && refused.Reason == gomail.ErrSMTPRcptTo && len(e.opts.To) > 1 {
		err = e.sendEach(client, m)
	}
	_ = client.Close() // what the server took is sent, however the connection ends
	if err != nil {
		return "", e.failure(err)
	}
	return e.idOf(m), nil
}

// sendEach mails a message to each address by itself: a server takes none for
// anybody where it refuses one address. It is sent where one of them got it; to
// send it again for the others would mail it twice to that one.
func (e *Email) sendEach(client *gomail.Client, m notice.Message) error {
	var failed []error
	for _, to := range e.opts.To {
		msg, err := e.compose(m, to)
		if err == nil {
			err = client.Send(msg)
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) == len(e.opts.To) {
		return failed[0]
	}
	e.opts.Logger.Warn("a notice was not mailed to all addresses of its route", "route", m.Route, "error", scrub(errors.Join(failed...).Error(), e.opts.Password))
	return nil
}

func (e *Email) client() (*gomail.Client, error) {
	options := []gomail.Option{
		gomail.WithPort(e.opts.Port), gomail.WithTimeout(sendTime / 2), gomail.WithoutNoop(),
		gomail.WithTLSConfig(&tls.Config{ServerName: e.opts.Host, RootCAs: e.roots, MinVersion: tls.VersionTLS12}),
	}
	switch e.opts.TLS {
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case TLS:
		options = append(options, gomail.WithSSL())
	case NoTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		return nil, fmt.Errorf("there is no tls %q: want starttls, tls or none", e.opts.TLS)
	}
	if e.opts.Username != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(e.opts.Username), gomail.WithPassword(e.opts.Password))
	}
	return gomail.NewClient(e.opts.Host, options...)
}

// failure tells an error of the mail server.
func (e *Email) failure(err error) *Failure {
	f := &Failure{Why: scrub("the mail server "+e.opts.Host+" did not take the message: "+oneLine(err.Error()), e.opts.Password)}
	var sent *gomail.SendError
	var network net.Error
	var unknown *tls.CertificateVerificationError
	switch {
	case errors.As(err, &sent):
		f.Lasting = !sent.IsTemp() && sent.ErrorCode() >= 500
	case errors.As(err, &unknown):
		f.Lasting, f.All = true, true
	case errors.As(err, &network):
	case strings.Contains(err.Error(), "535"), strings.Contains(err.Error(), "534"): // the library gives a refused login no type
		f.Lasting, f.All = true, true
	}
	return f
}

func (e *Email) idOf(m notice.Message) string { return sentAs(m) + "@" + e.domain }

func (e *Email) compose(m notice.Message, to ...string) (*gomail.Msg, error) {
	msg := gomail.NewMsg()
	if err := msg.From(e.opts.From); err != nil {
		return nil, err
	}
	if err := msg.To(to...); err != nil {
		return nil, err
	}
	msg.Subject(oneLine(m.Title))
	msg.SetDateWithValue(m.Made)
	msg.SetMessageIDWithValue(e.idOf(m))
	if strings.Contains(m.Earlier, "@") { // and not what another channel of the route left
		msg.SetGenHeaderPreformatted(gomail.HeaderReferences, "<"+m.Earlier+">")
		msg.SetGenHeaderPreformatted(gomail.HeaderInReplyTo, "<"+m.Earlier+">")
	}
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // no answer of a holiday
	msg.SetGenHeader("X-Prewarm-Route", m.Route)
	msg.SetGenHeader("X-Prewarm-Event", m.Newest().ID)
	foot := "prewarm, route " + m.Route + ", notice " + m.ID
	msg.SetBodyString(gomail.TypeTextPlain, m.Text+"\n\n-- \n"+foot+"\n")
	link := m.Link
	if !strings.Contains(m.Text, link) {
		link = "" // a template leaves it out for people who can't use it, customers say
	}
	var page bytes.Buffer
	if err := htmlMail.Execute(&page, map[string]any{"Title": m.Title, "Lines": strings.Split(m.Text, "\n"), "Link": link, "Foot": foot}); err != nil {
		return nil, err
	}
	msg.AddAlternativeString(gomail.TypeTextHTML, page.String())
	return msg, nil
}

// htmlMail is escaped by html/template: what is told may come from anybody.
var htmlMail = template.Must(template.New("mail").Parse(`<!doctype html>
<html><body style="font-family: sans-serif; line-height: 1.4">
<h2 style="font-size: 1.1em">{{.Title}}</h2>
<p>{{range $i, $line := .Lines}}{{if $i}}<br>
{{end}}{{$line}}{{end}}</p>
{{with .Link}}<p><a href="{{.}}">Show the log</a></p>
{{end}}<p style="color: #777; font-size: 0.8em">{{.Foot}}</p>
</body></html>
`))
