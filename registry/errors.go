package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/prewarm/prewarm/internal/problem"
)

// failure is a call that failed, on the way to the error that a reader gets.
type failure struct {
	what      string // resolve docker.io/library/node:22
	session   *session
	trail     *trail
	cancelled error // the end of the caller's context, if it has ended
}

// explain makes err a *problem.Error. Only a cancelled call stays what it is:
// the registry has no part in it.
//
// A message quotes none of a registry's prose, only its error codes and media
// types, and shows neither an address (a redirect's carries a signature) nor
// what we sent to log in (a malformed answer can echo it).
func (f failure) explain(err error) error {
	var told *problem.Error
	if errors.As(err, &told) {
		return told // without the address that http.Client puts before it
	}
	if f.cancelled != nil && !errors.Is(f.cancelled, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", f.what, f.cancelled)
	}
	var held *errHeld
	if errors.As(err, &held) {
		return f.held(held)
	}
	var refused *errRefused
	if errors.As(err, &refused) {
		p := f.denied("401 Unauthorized")
		p.Message += "; the same are not sent again before " + refused.until.UTC().Format(time.RFC3339)
		return p
	}
	var answer *transport.Error
	if errors.As(err, &answer) {
		return f.answered(answer)
	}
	if f.trail.failed != nil {
		err = f.trail.failed
	}
	if p := f.unreachable(err); p != nil {
		return p
	}
	return f.nonsense(err)
}

func (f failure) problem(code problem.Code, mend, format string, args ...any) *problem.Error {
	return problem.New(code, f.what+": "+f.server()+" "+fmt.Sprintf(format, args...), mend)
}

// errHeld is a request that we did not send: its registry asked to be left
// alone, its quota is used up, or our own rates left no turn.
type errHeld struct {
	code  problem.Code
	why   string
	mend  string
	until time.Time // zero: not known
}

func (e *errHeld) Error() string { return e.why }

// held explains a request that was not sent. It names the registry alone: who
// else its requests would have gone to does not matter.
func (f failure) held(e *errHeld) *problem.Error {
	message := fmt.Sprintf("%s: registry %s %s", f.what, f.host(), e.why)
	mend := e.mend
	if mend == "" {
		mend = "wait; the next look after that comes by itself"
	}
	p := problem.New(e.code, message, mend)
	if !e.until.IsZero() {
		p.RetryAfter = max(e.until.Sub(f.session.endpoint.now()), time.Second)
		p.Message += "; not before " + e.until.UTC().Format(time.RFC3339)
	}
	return p
}

// reason is what a problem says of the registry, without what was asked of it.
func (f failure) reason(p *problem.Error) string {
	return strings.TrimPrefix(p.Message, f.what+": "+f.server()+" ")
}

// server names who failed: the registry, or a server that it sends us to.
func (f failure) server() string {
	host := f.host()
	if f.trail.host == "" || strings.EqualFold(f.trail.host, f.session.endpoint.host) {
		return "registry " + host
	}
	if f.trail.manifest {
		return fmt.Sprintf("registry %s (redirecting to %s)", host, f.trail.host)
	}
	return fmt.Sprintf("registry %s (its token server %s)", host, f.trail.host)
}

func (f failure) host() string { return f.session.repo.Host() }

// answered explains a refusal by its status.
func (f failure) answered(e *transport.Error) *problem.Error {
	status := fmt.Sprintf("%d %s", e.StatusCode, http.StatusText(e.StatusCode)) + codes(e)
	switch {
	case e.StatusCode == http.StatusUnauthorized, e.StatusCode == http.StatusForbidden:
		return f.denied(status)
	case e.StatusCode == http.StatusNotFound && f.trail.manifest:
		return f.problem(problem.TagNotFound,
			"push it, or correct the repository or the tag; what is warm stays warm", "does not have it (%s)", status)
	case e.StatusCode == http.StatusTooManyRequests:
		p := f.problem(problem.RegistryLimited,
			"wait; a login has a higher limit than an anonymous client, and fewer or slower watches ask less",
			"asks for fewer requests (%s)", status)
		p.RetryAfter = f.trail.retryAfter
		return p
	case e.StatusCode >= 500, e.StatusCode == http.StatusRequestTimeout:
		p := f.problem(problem.RegistryUnavailable, "look at the registry; the next check asks again", "has a fault (%s)", status)
		p.RetryAfter = f.trail.retryAfter
		return p
	case e.StatusCode == http.StatusBadRequest && f.session.endpoint.plain:
		return f.problem(problem.RegistryAnswer,
			f.entry("remove plain_http if it speaks HTTPS"), "refuses the request over plain HTTP (%s)", status)
	}
	return f.problem(problem.RegistryAnswer,
		"check that the name is a registry's and that nothing stands between", "gives no answer of a registry (%s)", status)
}

func (f failure) denied(status string) *problem.Error {
	if f.session.loggedIn.Load() {
		return f.problem(problem.RegistryAuth,
			fmt.Sprintf("check the username and the password, that the token has not expired, and that it may read %s; "+
				"registries also answer so where a repository does not exist", strings.TrimSuffix(f.session.repo.String(), "/")),
			"refuses the credentials (%s)", status)
	}
	return f.problem(problem.RegistryAuth,
		f.entry("give it a username and a password, or run docker login as the user that runs prewarm")+"; registries also answer so where a repository does not exist",
		"refuses an anonymous client (%s)", status)
}

// entry says what to do in the registry's entry of the configuration.
func (f failure) entry(do string) string {
	return fmt.Sprintf("in the registries entry %s: %s", f.host(), do)
}

// diagnosticCode is what a registry's error code looks like; nothing secret
// does, for nothing else in an answer is known to be all upper case.
var diagnosticCode = regexp.MustCompile(`^[A-Z][A-Z_]{1,30}$`)

// codes lists the error codes of an answer: MANIFEST_UNKNOWN, DENIED.
func codes(e *transport.Error) string {
	var b strings.Builder
	for _, d := range e.Errors[:min(len(e.Errors), 3)] {
		if diagnosticCode.MatchString(string(d.Code)) {
			b.WriteString(", " + string(d.Code))
		}
	}
	return b.String()
}

// unreachable explains a failure to get any answer, or gives nil.
func (f failure) unreachable(err error) *problem.Error {
	const code = problem.RegistryUnavailable
	mend := "check that it runs and that this machine reaches it"
	if p := f.insecure(err); p != nil {
		return p
	}
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case f.cancelled != nil:
		return f.problem(code, mend, "did not answer in the time that the caller gave it")
	case errors.As(err, &dns):
		return f.problem(code, "check the name, and the DNS server of this machine", "is not found in DNS (%s)", dns.Err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return f.problem(code, mend, "did not answer within %s", f.session.endpoint.timeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		return f.problem(code, mend, "refuses the connection")
	case errors.As(err, &op):
		return f.problem(code, mend, "can't be reached (%s)", f.line(op))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return f.problem(code, mend, "cut the connection before its answer was complete")
	}
	return nil
}

// insecure explains a failure to agree on an encrypted connection, or gives
// nil.
func (f failure) insecure(err error) *problem.Error {
	const code = problem.RegistryUnavailable
	var cert *tls.CertificateVerificationError
	var alert tls.AlertError
	var op *net.OpError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		return f.problem(code, f.entry("set plain_http: true if it really speaks plain HTTP"), "speaks plain HTTP where HTTPS is expected")
	case errors.As(err, &cert):
		return f.problem(code, f.certMend(cert), "shows a certificate that does not hold (%s)", f.line(cert.Err))
	case errors.As(err, &op) && op.Op == "remote error" && op.Err.Error() == alertCertificateRequired.Error():
		return f.problem(code, f.entry("set cert_file and key_file"), "wants a client certificate")
	case errors.As(err, &alert), errors.As(err, &record):
		return f.problem(code, "check its TLS set-up", "agrees on no TLS connection (%s)", f.line(err))
	case errors.Is(err, errPlainHTTP):
		return f.problem(problem.RegistryAnswer, "let it redirect to HTTPS only", "sends us to an address that speaks plain HTTP")
	}
	return nil
}

// alertCertificateRequired is how a server of TLS 1.3 ends (RFC 8446) where it
// asked for a certificate in vain. crypto/tls hides its own type for it.
const alertCertificateRequired = tls.AlertError(116)

func (f failure) certMend(err error) string {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return "install the authority that signed it in the system's trust store of the machine that runs prewarm, or " +
			f.entry("name its file in ca_file")
	}
	return "renew the certificate, or use the name that it was made for"
}

// nonsense explains everything else: an answer came, and it is not one.
func (f failure) nonsense(err error) *problem.Error {
	var notImage errNotImage
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &notImage):
		return f.problem(problem.RegistryAnswer, "correct the repository or the tag: only images can be warmed", "has it, but %s", notImage.what)
	case errors.As(err, &tooLong):
		return f.problem(problem.RegistryAnswer, "", "sends more than %d MiB in one answer", tooLong.Limit>>20)
	case !f.trail.manifest && f.trail.status == http.StatusOK:
		// The library quotes the answer, and a token may be in it.
		return f.problem(problem.RegistryAnswer, "look at the registry's token server", "does not answer a login with a token")
	}
	return f.problem(problem.RegistryAnswer,
		"check that the name is a registry's and that no proxy or login page answers in its place",
		"gives an answer that makes no sense: %s", f.line(err))
}

var address = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"]*`)

// line is an error's text on one line that a reader gets through, without
// addresses and secrets. The address that http.Client puts first goes whole.
func (f failure) line(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	for _, secret := range f.trail.secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	text = address.ReplaceAllString(text, "(an address)")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}
