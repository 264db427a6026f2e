package api

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// TLSFiles are files of PEM by which a server, and its caller, are known. Each may
// be empty.
type TLSFiles struct {
	CA        string // whose certificates the server may have; empty: those of the system
	Cert, Key string // the caller's own
}

// UseTLS reads the files for connections from now on.
func (c *Client) UseTLS(f TLSFiles) error {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return fmt.Errorf("read the authority of the server's certificate: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("read the authority of the server's certificate: no certificate is in %s", f.CA)
		}
	}
	if f.Cert != "" || f.Key != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return fmt.Errorf("read the client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	transport := c.transport()
	transport.TLSClientConfig = config
	c.HTTP.Transport = transport
	return nil
}

// transport makes one like the client's, with connections of its own.
func (c *Client) transport() *http.Transport {
	if own, ok := c.HTTP.Transport.(*http.Transport); ok {
		return own.Clone()
	}
	return http.DefaultTransport.(*http.Transport).Clone()
}

// authorize puts the token on a request, unless everybody on the way could read
// it.
func (c *Client) authorize(req *http.Request) error {
	if c.Token == "" {
		return nil
	}
	if req.URL.Scheme != "https" && !c.Insecure && !onThisMachine(req.URL) {
		return problem.New(problem.InvalidRequest, fmt.Sprintf("the token was not sent: to %s it would go in clear, for everybody on the way", req.URL.Host),
			"call the server by https://, or say --insecure (PREWARM_INSECURE=1) where the network is trusted")
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	return nil
}

func onThisMachine(u *url.URL) bool {
	name := u.Hostname()
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Unmap().IsLoopback()
}

// plainToTLS is what Go's servers answer to a request without TLS.
const plainToTLS = "Client sent an HTTP request to an HTTPS server"

// mendReach is what to do about a server that can't be reached.
func mendReach(err error) string {
	var unknown *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown):
		return "name the authority of the server's certificate with --ca-file or PREWARM_CA_FILE, and the server as its certificate does"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "the server speaks plain HTTP: write its address with http://"
	}
	return mendAddress
}
