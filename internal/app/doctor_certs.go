package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/enroll"
)

// endsSoon is how long before its end a certificate is told of.
const endsSoon = 30 * 24 * time.Hour

// certified is what tells which certificates an engine shows.
type certified interface {
	Certificates(ctx context.Context) ([]*x509.Certificate, error)
}

// hostCertificates tells when the certificates of both sides of a host end.
func (c *chart) hostCertificates(ctx context.Context, host certified, h config.Host, now time.Time) {
	if h.TLS == nil {
		return
	}
	renew := "give the host's tls.cert and tls.key a new certificate of the same authority; they are read again without a restart"
	anew := "issue the engine another certificate, and restart it"
	if command, ok := renewal(h); ok {
		renew, anew = command, command+"; then bring its engine folder to the host, and restart the engine"
	}
	if h.TLS.Cert != "" {
		c.fileEnds("our certificate", h.TLS.Cert, renew, now)
	}
	shown, err := within(ctx, host.Certificates)
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		shown, err = []*x509.Certificate{invalid.Cert}, nil
	}
	if err != nil || len(shown) == 0 {
		return // it is not reached, or not believed: that is told already
	}
	c.ends("its certificate", "the engine's", shown[:1], anew, now)
	if h.TLS.CA != "" {
		c.authoritiesEnd("its authority", h.TLS.CA, "make another authority in a folder of its own (prewarm host enroll --dir), and enroll its hosts there", now)
	}
}

// renewal is the command that renews what prewarm host enroll made.
func renewal(h config.Host) (string, bool) {
	made := enroll.Folder{Dir: filepath.Dir(h.TLS.CA)}.Host(h.Name)
	if h.TLS.Cert != made.Cert() || h.TLS.CA != made.CA {
		return "", false
	}
	return fmt.Sprintf("prewarm host enroll %s --endpoint %s --dir %s --renew", h.Name, h.Endpoint, filepath.Dir(made.CA)), true
}

// registryCertificates tells when those end that a registry's entry names.
func (c *chart) registryCertificates(r config.Registry, now time.Time) {
	if r.CertFile != "" {
		c.fileEnds("our certificate", r.CertFile, "put a new certificate and its key into cert_file and key_file", now)
	}
	if r.CAFile != "" {
		c.authoritiesEnd("authorities", r.CAFile, "add the authority's new certificate to ca_file", now)
	}
}

// examineServer tells when the certificates of the API end.
func examineServer(c *config.Config, now time.Time) []Finding {
	findings := &chart{about: "server"}
	if t := c.Server.TLS; t != nil {
		findings.fileEnds("certificate", t.Cert, "put a new certificate and its key into server.tls.cert and key; they are read again without a restart", now)
		if t.ClientCA != "" {
			findings.authoritiesEnd("client authorities", t.ClientCA, "add the authority's new certificate to server.tls.client_ca", now)
		}
	}
	return findings.findings
}

// fileEnds tells of the certificate in a file and of those that vouch for it.
func (c *chart) fileEnds(check, file, mend string, now time.Time) {
	if all := c.certificatesOf(check, file); all != nil {
		c.ends(check, file, all, mend, now)
	}
}

// authoritiesEnd tells of a file of authorities. While some are good, one that
// has ended need not be the one that matters.
func (c *chart) authoritiesEnd(check, file, mend string, now time.Time) {
	all := c.certificatesOf(check, file)
	ended := func(cert *x509.Certificate) bool { return !cert.NotAfter.After(now) }
	switch i := slices.IndexFunc(all, ended); {
	case all == nil:
	case i >= 0 && slices.ContainsFunc(all, func(cert *x509.Certificate) bool { return !ended(cert) }):
		c.add(Warning, check, fmt.Sprintf("%s, %s: it ended on %s; others beside it are good", file, all[i].Subject, all[i].NotAfter.UTC().Format(time.DateOnly)), mend)
	default:
		c.ends(check, file, all, mend, now)
	}
}

func (c *chart) certificatesOf(check, file string) []*x509.Certificate {
	all, err := enroll.ReadCertificates(file)
	if err != nil {
		c.add(Failure, check, err.Error(), "make it a readable file of PEM certificates")
	}
	return all
}

// ends tells of the certificate that ends first.
func (c *chart) ends(check, whose string, all []*x509.Certificate, mend string, now time.Time) {
	first := slices.MinFunc(all, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	if len(all) > 1 {
		whose = fmt.Sprintf("%s, %s,", whose, first.Subject)
	}
	at := first.NotAfter.UTC().Format(time.DateOnly)
	switch left := first.NotAfter.Sub(now); {
	case left <= 0:
		c.add(Failure, check, fmt.Sprintf("%s ended on %s", whose, at), mend)
	case now.Before(first.NotBefore):
		c.add(Failure, check, fmt.Sprintf("%s is not good before %s", whose, first.NotBefore.UTC().Format(time.RFC3339)), "set this machine's clock, or have it issued again")
	case left < endsSoon:
		c.add(Warning, check, fmt.Sprintf("%s ends on %s, in %d days", whose, at, int(left/(24*time.Hour))), mend)
	default:
		c.add(Good, check, fmt.Sprintf("%s is good until %s", whose, at), "")
	}
}
