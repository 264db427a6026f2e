package notify_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
)

// mailServer is a real one, in this process.
type mailServer struct {
	port int
	ca   []byte

	mu     sync.Mutex
	mails  []string
	to     []string
	logins int
	refuse *smtp.SMTPError // of a recipient
	only   string          // the one that is refused; empty: all
}

func (s *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{s}, nil }

type session struct{ server *mailServer }

func (s *session) Reset()                               {}
func (s *session) Logout() error                        { return nil }
func (s *session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) AuthMechanisms() []string             { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, password string) error {
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		if s.server.logins++; name != "prewarm" || password != "mail-secret" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.refuse != nil && (s.server.only == "" || s.server.only == to) {
		return s.server.refuse
	}
	s.server.to = append(s.server.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, string(b))
	return err
}

// newMailServer serves with a certificate for 127.0.0.1: with STARTTLS, with TLS
// from the start, or with none.
func newMailServer(t *testing.T, how string) *mailServer {
	t.Helper()
	cert, ca := certificate(t)
	s := &mailServer{ca: ca}
	server := smtp.NewServer(s)
	server.Domain, server.AllowInsecureAuth = "mail.test", how == notify.NoTLS
	server.ErrorLog = silent{}
	if how != notify.NoTLS {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	if how == notify.TLS {
		l = tls.NewListener(l, server.TLSConfig)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		_ = l.Close() // it may not have begun to serve, and knows nothing of l then
		<-served
	})
	return s
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

func certificate(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.test"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func (s *mailServer) options(how string) notify.EmailOptions {
	return notify.EmailOptions{
		Host: "127.0.0.1", Port: s.port, TLS: how, CA: s.ca, Username: "prewarm", Password: "mail-secret",
		From: "Prewarm <prewarm@etl.test>", To: []string{"ada@etl.test", "ben@etl.test"},
	}
}

func email(t *testing.T, o notify.EmailOptions) *notify.Email {
	t.Helper()
	e, err := notify.NewEmail(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEmail(t *testing.T) {
	t.Parallel()
	for _, how := range []string{notify.StartTLS, notify.TLS} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newMailServer(t, how)
			e := email(t, s.options(how))
			m := message(runEvent(notice.RunFailed, "1", "t", 3), "ACME: Zahlläufe failed\r\nBcc: eve@etl.test", "Why: <script>alert(1)</script>\nNext: somebody")
			m.Link = "https://prewarm.test/v1/runs/1/logs"
			m.Text += "\nLog: " + m.Link
			ref, err := e.Send(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			m.Earlier, m.Text = ref, "it is late"
			if _, err := e.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			same(t, []string{"ada@etl.test", "ben@etl.test"}, s.to[:2])
			if s.logins != 2 {
				t.Errorf("%d logins", s.logins)
			}
			head, plain, html := parts(t, s.mails[0])
			subject, err := new(mime.WordDecoder).DecodeHeader(head.Get("Subject"))
			if err != nil || subject != "ACME: Zahlläufe failed Bcc: eve@etl.test" || head.Get("Bcc") != "" {
				t.Errorf("subject %q, %v", subject, err)
			}
			same(t, "<"+m.ID+"@etl.test>", head.Get("Message-Id"))
			same(t, "auto-generated", head.Get("Auto-Submitted"))
			if !strings.Contains(plain, "Why: <script>alert(1)</script>\r\nNext: somebody") || !strings.Contains(plain, m.ID) {
				t.Errorf("text %q", plain)
			}
			if strings.Contains(html, "<script>") || !strings.Contains(html, "&lt;script&gt;") || !strings.Contains(html, `href="`+m.Link+`"`) {
				t.Errorf("HTML %q", html)
			}
			head, _, html = parts(t, s.mails[1])
			if strings.Contains(html, m.Link) {
				t.Errorf("a link that the text leaves out is in the HTML %q", html)
			}
			same(t, []string{"<" + ref + ">", "<" + ref + ">"}, []string{head.Get("References"), head.Get("In-Reply-To")})
		})
	}
}

// parts reads a mail: its header, its text and its HTML.
func parts(t *testing.T, text string) (head mail.Header, plain, html string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("it is %q, %v", kind, err)
	}
	found := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err != nil {
			break
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		b, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		found[kind] = string(b)
	}
	return m.Header, found["text/plain"], found["text/html"]
}

// Nothing is sent without TLS unless that is asked for, and a password never.
func TestEmailWithoutTLS(t *testing.T) {
	t.Parallel()
	s := newMailServer(t, notify.NoTLS)
	_, err := email(t, s.options(notify.StartTLS)).Send(t.Context(), message(hostEvent(notice.HostDown), "t", "x"))
	if err == nil || s.logins != 0 || len(s.mails) != 0 {
		t.Fatalf("sent in the clear: %v, %d logins", err, s.logins)
	}
	expectNoSecret(t, err, "mail-secret")
	o := s.options(notify.NoTLS)
	if _, err := notify.NewEmail(o); err == nil {
		t.Error("a password would be sent in the clear")
	}
	o.Username, o.Password = "", ""
	if _, err := email(t, o).Send(t.Context(), message(hostEvent(notice.HostDown), "t", "x")); err != nil || len(s.mails) != 1 {
		t.Errorf("not sent: %v", err)
	}
}

// An address that is refused takes the mail from nobody else.
func TestEmailWithOneAddressRefused(t *testing.T) {
	t.Parallel()
	s := newMailServer(t, notify.StartTLS)
	s.refuse, s.only = &smtp.SMTPError{Code: 550, Message: "who?"}, "ben@etl.test"
	o := s.options(notify.StartTLS)
	var log bytes.Buffer
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	if _, err := email(t, o).Send(t.Context(), message(hostEvent(notice.HostDown), "t", "x")); err != nil {
		t.Fatal(err)
	}
	if len(s.mails) != 1 || !strings.Contains(s.mails[0], "To: <ada@etl.test>") || strings.Contains(s.mails[0], "ben@etl.test") {
		t.Errorf("mailed %q", s.mails)
	}
	if !strings.Contains(log.String(), "ben@etl.test") || strings.Contains(log.String(), "ada@etl.test") {
		t.Errorf("the log says %s", log.String())
	}
}

func TestEmailRefused(t *testing.T) {
	t.Parallel()
	type want struct{ lasting, all bool }
	for name, test := range map[string]struct {
		change func(*mailServer, *notify.EmailOptions)
		want   want
	}{
		"bad password":        {func(_ *mailServer, o *notify.EmailOptions) { o.Password = "wrong-secret" }, want{true, true}},
		"certificate of none": {func(_ *mailServer, o *notify.EmailOptions) { o.CA = nil }, want{true, true}},
		"nobody listens":      {func(_ *mailServer, o *notify.EmailOptions) { o.Port = 1 }, want{}},
		"greylisted":          {func(s *mailServer, _ *notify.EmailOptions) { s.refuse = &smtp.SMTPError{Code: 451, Message: "later"} }, want{}},
		"no such mailbox":     {func(s *mailServer, _ *notify.EmailOptions) { s.refuse = &smtp.SMTPError{Code: 550, Message: "who?"} }, want{true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newMailServer(t, notify.StartTLS)
			o := s.options(notify.StartTLS)
			test.change(s, &o)
			_, err := email(t, o).Send(t.Context(), message(hostEvent(notice.HostDown), "t", "x"))
			var f *notify.Failure
			if !errors.As(err, &f) {
				t.Fatalf("got %v", err)
			}
			if got := (want{f.Lasting, f.All}); got != test.want {
				t.Errorf("got %+v: %v", got, err)
			}
			expectNoSecret(t, err, "mail-secret", "wrong-secret")
		})
	}
}
