package docker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// TLS secures a tcp endpoint. The files are PEM and are read anew for each
// connection, so that certificates are renewed without a restart.
type TLS struct {
	// CA are the authorities that the engine's certificate may be signed by;
	// empty: those of the system.
	CA string
	// Cert and Key are the client's certificate; empty: none, which an engine
	// with --tlsverify refuses.
	Cert, Key string
	// ServerName is the name in the engine's certificate; empty: the endpoint's
	// host.
	ServerName string
}

// tlsDialer opens TLS connections to one address.
type tlsDialer struct {
	address string
	files   TLS
	log     *slog.Logger

	mu   sync.Mutex
	good *tls.Config // the last that could be read
}

func (d *tlsDialer) dial(ctx context.Context) (net.Conn, error) {
	config, err := d.config()
	if err != nil {
		return nil, err
	}
	return d.dialWith(ctx, config)
}

// dialWith connects and shakes hands. A client certificate that the engine
// refuses shows only at the first read: TLS 1.3 has no answer to it earlier.
func (d *tlsDialer) dialWith(ctx context.Context, config *tls.Config) (net.Conn, error) {
	bare, err := dial(ctx, "tcp", d.address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(bare, config)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = bare.Close() // the handshake's error is the one that tells
		return nil, err
	}
	return conn, nil
}

// config reads the files. While they can't be read, because someone is
// replacing them, what was read last is used.
func (d *tlsDialer) config() (*tls.Config, error) {
	read, err := d.files.config(d.address)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		d.good = read
	case d.good == nil:
		return nil, err
	default:
		d.log.Warn("certificates can't be read, those from before are used", "error", errors.Unwrap(err))
	}
	return d.good, nil
}

func (t TLS) config(address string) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if t.ServerName != "" {
		c.ServerName = t.ServerName
	}
	if t.CA != "" {
		if c.RootCAs, err = readAuthorities(t.CA); err != nil {
			return nil, &obstacle{why: "tls.ca can't be used", mend: "make " + t.CA + " a readable file of PEM certificates", cause: err}
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, &obstacle{
				why:  "tls.cert and tls.key can't be used",
				mend: fmt.Sprintf("make %s and %s readable PEM files that belong together", t.Cert, t.Key), cause: err,
			}
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func readAuthorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", file)
	}
	return pool, nil
}

// diagnoseTLS tells apart how two ends can fail to trust each other.
func diagnoseTLS(err error) (why, mend string, ok bool) {
	var record tls.RecordHeaderError
	var signer x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var remote *net.OpError
	switch {
	case errors.As(err, &record), strings.Contains(err.Error(), saysPlainHTTP):
		return "what listens at %s does not speak TLS", "start the engine with --tlsverify, or set insecure: true in place of tls if its network is trusted", true
	case errors.As(err, &signer):
		return "the certificate of %s is signed by an authority that is not trusted here", "give the authority's certificate as the host's tls.ca", true
	case errors.As(err, &name):
		return "the certificate of %s is for another name", "set the host's tls.server_name to a name in the certificate, or issue one for this name", true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate of %s is not valid " + expiredWhen(invalid.Cert), "renew the engine's certificate, and check both clocks", true
	case errors.As(err, &invalid):
		return "the certificate of %s is not valid", "issue the engine another certificate", true
	// What the other end says of us comes as an operation of that name.
	case errors.As(err, &remote) && remote.Op == "remote error":
		return "the engine at %s refuses our certificate", "give a tls.cert and tls.key that are signed by the engine's --tlscacert, for client use, and not expired", true
	}
	return "", "", false
}

func expiredWhen(c *x509.Certificate) string {
	if c != nil && time.Now().Before(c.NotBefore) {
		return "yet (from " + c.NotBefore.UTC().Format(time.RFC3339) + ")"
	}
	if c != nil {
		return "any more (until " + c.NotAfter.UTC().Format(time.RFC3339) + ")"
	}
	return "now"
}
