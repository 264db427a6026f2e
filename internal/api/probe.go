package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// Probe asks the server of this machine whether it is ready. It needs no token
// and no client certificate, for everybody may ask that, and goes through no
// proxy.
type Probe struct {
	// Listen is where the server listens, as its configuration has it.
	Listen string
	// Certificate is the file of the server's own certificate, which must be the
	// one that answers; empty: plain HTTP.
	Certificate string
}

// Address is the URL that is asked: of an address that is every one of the
// machine, the loopback's.
func (p Probe) Address() string {
	scheme := "http"
	if p.Certificate != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(p.Listen)
	if err != nil {
		return scheme + "://" + p.Listen
	}
	switch ip := net.ParseIP(host); {
	case host == "":
		host = "127.0.0.1"
	case ip != nil && ip.IsUnspecified() && ip.To4() == nil:
		host = "::1"
	case ip != nil && ip.IsUnspecified():
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Ask gives what a ready server answers.
func (p Probe) Ask(ctx context.Context) (Health, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if p.Certificate != "" {
		config, err := ownCertificate(p.Certificate)
		if err != nil {
			return Health{}, err
		}
		transport.TLSClientConfig = config
	}
	client := http.Client{Transport: transport, CheckRedirect: stay}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Address()+"/readyz", nil)
	if err != nil {
		return Health{}, problem.Wrap(problem.InvalidRequest, err, "ask the server", "")
	}
	resp, err := client.Do(req)
	if err != nil {
		return Health{}, p.silent(ctx, err)
	}
	defer resp.Body.Close()
	var health Health
	const most = 64 << 10
	err = json.NewDecoder(io.LimitReader(resp.Body, most)).Decode(&health)
	if resp.StatusCode != http.StatusOK || err != nil || health.Status != "ok" {
		return Health{}, problem.New(problem.ServerUnreachable, fmt.Sprintf("what answers at %s (%s) does not say that it is ready", p.Address(), resp.Status),
			"see whether it is prewarm serve that listens there")
	}
	return health, nil
}

// silent says why nobody answered.
func (p Probe) silent(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return problem.Wrap(problem.ServerUnreachable, context.Cause(ctx), "the server at "+p.Address()+" does not answer in time", "see its log")
	}
	return problem.Wrap(problem.ServerUnreachable, cause(err), "no ready server at "+p.Address(), mendProbe(err))
}

func mendProbe(err error) string {
	var other *tls.CertificateVerificationError
	if errors.As(err, &other) {
		return "what listens there has another certificate than the configuration names, or one that has expired"
	}
	return "is prewarm serve running, with this configuration? Its log says why not"
}

// ownCertificate trusts what is in a server's certificate file, and nothing else.
// The name is one that it has: it is reached at an address that it need not have.
func ownCertificate(file string) (*tls.Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, problem.Wrap(problem.InvalidConfig, err, "read the server's certificate", "")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil {
			continue
		}
		if config.ServerName == "" {
			config.ServerName = nameOf(certificate)
		}
		config.RootCAs.AddCert(certificate)
	}
	if config.ServerName == "" {
		return nil, problem.New(problem.InvalidConfig, "read the server's certificate: "+file+" has no certificate with a name", "")
	}
	return config, nil
}

// nameOf is a name that a certificate is good for.
func nameOf(c *x509.Certificate) string {
	for _, name := range c.DNSNames {
		return strings.Replace(name, "*", "any", 1)
	}
	for _, ip := range c.IPAddresses {
		return ip.String()
	}
	return ""
}
