package fleet

import (
	"context"
	"crypto/x509"
	"errors"
	"net/netip"
	"path/filepath"
	"time"
)

// TLS is how a host's engine listens on the network.
type TLS int

// The ways to listen on the network.
const (
	// Plain is without TLS, on port 2375: whoever reaches it is root there.
	Plain TLS = iota
	// MutualTLS is what one should do (--tlsverify), on port 2376: both sides
	// show a certificate.
	MutualTLS
	// ServerTLS is a mistake that is made (--tls alone), on port 2376: the
	// connection is encrypted, and any client is let in.
	ServerTLS
)

// CAFile is the authority that signed the engine's certificate and the
// client's; empty for a host without TLS, as are the next two.
func (h *Host) CAFile() string { return h.certFile("ca.pem") }

// CertFile is the certificate of a client of the engine.
func (h *Host) CertFile() string { return h.certFile("cert.pem") }

// KeyFile is the key of a client of the engine.
func (h *Host) KeyFile() string { return h.certFile("key.pem") }

func (h *Host) certFile(name string) string {
	if h.CertDir == "" {
		return ""
	}
	return filepath.Join(h.CertDir, name)
}

// RenewClient writes another client certificate of the same authority, valid
// for so long; for none or less it has ended already. The engine goes on.
func (h *Host) RenewClient(life time.Duration) error {
	if h.CertDir == "" {
		return errors.New("renew certificates of " + h.Name + ": it has no TLS")
	}
	return h.authority().issue(h.CertFile(), h.KeyFile(), request{name: "client of " + h.Name, usage: x509.ExtKeyUsageClientAuth, life: life})
}

// RenewAll writes a new authority and with it new certificates of both sides,
// and restarts the engine, which stops its containers: what was made with the
// old ones is refused from then on.
func (h *Host) RenewAll(ctx context.Context) error {
	if err := h.createCertificates(); err != nil {
		return err
	}
	return errors.Join(h.Stop(), h.Start(ctx))
}

func (h *Host) authority() authority { return authority{dir: h.CertDir} }

// createCertificates makes the host's authority and both sides' certificates.
func (h *Host) createCertificates() error {
	if err := h.authority().create(); err != nil {
		return err
	}
	addr, err := netip.ParseAddr(h.Addr)
	if err != nil {
		return err
	}
	server := request{
		name:  h.Name,
		addrs: []netip.Addr{addr, netip.MustParseAddr("127.0.0.1")},
		usage: x509.ExtKeyUsageServerAuth,
		life:  certificateLife,
	}
	if err := h.authority().issue(h.certFile("server.pem"), h.certFile("server-key.pem"), server); err != nil {
		return err
	}
	return h.RenewClient(certificateLife)
}

// tlsSettings are what the kind of TLS adds to a host's daemon.json.
func (h *Host) tlsSettings() map[string]any {
	// tlsverify is never left out: an engine takes it for granted, with tls too.
	settings := map[string]any{"tls": h.tls != Plain, "tlsverify": h.tls == MutualTLS}
	if h.tls == Plain {
		delete(settings, "tlsverify") // to name it, whatever it says, turns TLS on
		return settings
	}
	settings["tlscert"], settings["tlskey"] = h.certFile("server.pem"), h.certFile("server-key.pem")
	if h.tls == MutualTLS {
		settings["tlscacert"] = h.CAFile()
	}
	return settings
}
