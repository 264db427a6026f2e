package docker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
)

// Certificates gives those by which the engine is believed: its own, then those
// that vouch for it. There are none but for tcp with TLS.
func (h *Host) Certificates(ctx context.Context) ([]*x509.Certificate, error) {
	if h.secure == nil {
		return nil, nil
	}
	config, err := h.secure.config()
	if err != nil {
		return nil, h.unreachable("look at the certificate", err)
	}
	var chain []*x509.Certificate
	seen := config.Clone()
	seen.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.VerifiedChains) > 0 {
			chain = s.VerifiedChains[0]
		}
		return nil
	}
	err = h.ping(ctx, func(ctx context.Context) (net.Conn, error) { return h.secure.dialWith(ctx, seen) })
	if len(chain) > 0 {
		return chain, nil // whatever became of the rest
	}
	return nil, h.explain(ctx, nil, "look at the certificate", err)
}
