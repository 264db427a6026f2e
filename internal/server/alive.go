package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
)

// Alive tells whether the API answers at its own address, as it would a caller:
// through the listener, TLS, and all that stands before a handler.
func (s *Server) Alive(ctx context.Context, addr net.Addr) error {
	scheme := "http"
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		// An address that is every one of the machine is dialed as this machine.
		return d.DialContext(ctx, addr.Network(), addr.String())
	}}
	if s.opts.Certificates != nil {
		scheme = "https"
		// Nothing is told to who answers and nothing is believed of it, and a
		// certificate that has expired is no reason to be restarted.
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // see above
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://localhost/healthz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return fmt.Errorf("ask our own API at %s: %w", addr, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask our own API at %s: it answers %s", addr, resp.Status)
	}
	return nil
}
