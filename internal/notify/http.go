package notify

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// newHTTP makes a client that follows no redirect, so that what is secret goes
// only where the configuration says, and keeps no connection.
func newHTTP(roots *x509.CertPool) *http.Client {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 20 * time.Second,
		DisableKeepAlives:     true,
		ForceAttemptHTTP2:     true,
	}
	return &http.Client{
		Transport: bounding{t}, Timeout: sendTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bounding cuts answers.
type bounding struct{ next http.RoundTripper }

func (b bounding) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	return answer, nil
}

// readCA makes a pool of the certificates of a PEM file's content; none is the
// system's.
func readCA(pem []byte) (*x509.CertPool, error) {
	if len(pem) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, problem.New(problem.InvalidConfig, "read a certificate authority: there is no certificate in it", "give a PEM file with one")
	}
	return pool, nil
}

// sendFailed is a try that got no answer. The address may hold a secret, and an
// error of net/http repeats it.
func sendFailed(to string, err error, secrets ...string) *Failure {
	for {
		var u *url.Error
		if !errors.As(err, &u) {
			break
		}
		err = u.Err
	}
	return &Failure{Why: scrub(fmt.Sprintf("%s got nothing: %v", to, err), secrets...)}
}

// statusFailed is an answer of an HTTP status that means no.
func statusFailed(to string, status int, header http.Header) *Failure {
	f := &Failure{Why: fmt.Sprintf("%s answered %d %s", to, status, http.StatusText(status)), RetryAfter: retryAfter(header.Get("Retry-After"), time.Now())}
	f.Lasting, f.All = lasting(status)
	return f
}

// lasting tells of a status whether it passes by itself, and whether it is about
// the one message.
func lasting(status int) (lasts, all bool) {
	switch {
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		return false, false
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		return true, false
	}
	return true, true
}

// retryAfter reads seconds or a date; zero: there is nothing to read.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return max(time.Duration(min(seconds, int(maxRetryAfter/time.Second)))*time.Second, 0)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// scrub takes secrets out of a text.
func scrub(text string, secrets ...string) string {
	for _, s := range secrets {
		if len(s) > 3 {
			text = strings.ReplaceAll(text, s, "***")
		}
	}
	return text
}
