package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// CertificateFiles are where the certificates of the API are.
type CertificateFiles struct {
	Cert, Key string // PEM
	ClientCA  string // PEM; empty: nobody is known by a certificate
}

// Certificates are those of the API, which can be exchanged while it serves.
type Certificates struct {
	inForce atomic.Pointer[tls.Config]
	// authorities are those of clients, which connections that were opened before
	// are held against, too.
	authorities atomic.Pointer[[]*x509.Certificate]
}

// LoadCertificates reads certificates for the first time.
func LoadCertificates(f CertificateFiles) (*Certificates, error) {
	c := &Certificates{}
	return c, c.Reload(f)
}

// Reload reads the files and takes what they hold for connections from now on.
// After an error what was in force stays so.
func (c *Certificates) Reload(f CertificateFiles) error {
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return problem.Wrap(problem.InvalidConfig, err, fmt.Sprintf("read the certificate %s with its key %s", f.Cert, f.Key),
			"server.tls of the configuration names them; both are PEM, and the key is that of the first certificate")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
	var trusted []*x509.Certificate
	if f.ClientCA != "" {
		if trusted, err = authorities(f.ClientCA); err != nil {
			return err
		}
		config.ClientCAs = x509.NewCertPool()
		for _, authority := range trusted {
			config.ClientCAs.AddCert(authority)
		}
		config.ClientAuth = tls.VerifyClientCertIfGiven
		// A session that is resumed would bring the holder of a certificate back
		// whose authority we trust no more.
		config.SessionTicketsDisabled = true
	}
	c.authorities.Store(&trusted)
	c.inForce.Store(config)
	return nil
}

func authorities(file string) ([]*x509.Certificate, error) {
	const mend = "server.tls.client_ca of the configuration names a file of PEM certificates"
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, problem.Wrap(problem.InvalidConfig, err, "read the authority of client certificates", mend)
	}
	var all []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if one, err := x509.ParseCertificate(block.Bytes); err == nil { // others of the file may do
			all = append(all, one)
		}
	}
	if len(all) == 0 {
		return nil, problem.New(problem.InvalidConfig, "read the authority of client certificates: no certificate is in "+file, mend)
	}
	return all, nil
}

// trusts tells whether the certificate of a connection is good still: it may have
// expired since the connection was opened, or its authority left.
func (c *Certificates) trusts(chains [][]*x509.Certificate, now time.Time) bool {
	trusted := *c.authorities.Load()
	return slices.ContainsFunc(chains, func(chain []*x509.Certificate) bool {
		return slices.ContainsFunc(trusted, chain[len(chain)-1].Equal) &&
			!slices.ContainsFunc(chain, func(one *x509.Certificate) bool { return now.After(one.NotAfter) })
	})
}

// config asks for what is in force at each connection.
func (c *Certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.inForce.Load(), nil },
	}
}
