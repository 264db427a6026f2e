//go:build e2e

package fleet

import (
	"strings"
	"testing"
	"time"
)

// dockerTLS runs Docker's command line with a host's certificates.
func dockerTLS(t *testing.T, h *Host, args ...string) (string, error) {
	t.Helper()
	return docker(t, h.TCP, append([]string{
		"--tlsverify", "--tlscacert", h.CAFile(), "--tlscert", h.CertFile(), "--tlskey", h.KeyFile(),
	}, args...)...)
}

func TestEnginesWithTLS(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Each: []HostOptions{{TLS: MutualTLS}, {TLS: ServerTLS}, {}}})
	mutual, server, plain := f.Hosts[0], f.Hosts[1], f.Hosts[2]
	for _, h := range []*Host{mutual, server} {
		if _, err := dockerTLS(t, h, "version"); err != nil {
			t.Errorf("%s, with the certificates: %v", h.Name, err)
		}
		if out, err := docker(t, h.TCP, "version"); err == nil {
			t.Errorf("%s, without TLS: %s", h.Name, out)
		}
	}
	if _, err := docker(t, plain.TCP, "version"); err != nil || plain.CAFile() != "" {
		t.Errorf("the host without TLS: %v, authority %q", err, plain.CAFile())
	}
	// Without a client's certificate.
	if out, err := docker(t, mutual.TCP, "--tlsverify", "--tlscacert", mutual.CAFile(), "version"); err == nil {
		t.Errorf("%s let anybody in: %s", mutual.Name, out)
	}
	if _, err := docker(t, server.TCP, "--tlsverify", "--tlscacert", server.CAFile(), "version"); err != nil {
		t.Errorf("%s is to let anybody in: %v", server.Name, err)
	}
	// Another host's authority.
	if out, err := docker(t, server.TCP, "--tlsverify", "--tlscacert", mutual.CAFile(), "version"); err == nil {
		t.Errorf("%s is believed by another authority's word: %s", server.Name, out)
	}
}

func TestCertificatesAreRenewed(t *testing.T) {
	t.Parallel()
	h := up(t, Options{Each: []HostOptions{{TLS: MutualTLS}}}).Hosts[0]
	if err := h.RenewClient(-time.Minute); err != nil {
		t.Fatal(err)
	}
	// The engine refuses a certificate after its own part of the handshake. Where the
	// request was on its way by then, the connection's end may come before the reason.
	for try := 1; ; try++ {
		out, err := dockerTLS(t, h, "version")
		if err == nil || try == 10 {
			t.Fatalf("an expired certificate: %s, %v", out, err)
		}
		if strings.Contains(err.Error(), "certificate") {
			break
		}
	}
	if err := h.RenewClient(time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := dockerTLS(t, h, "version"); err != nil {
		t.Errorf("a renewed certificate: %v", err)
	}
	old, err := certPool(h.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.RenewAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := dockerTLS(t, h, "version"); err != nil {
		t.Errorf("everything renewed: %v", err)
	}
	if now, err := certPool(h.CAFile()); err != nil || now.Equal(old) {
		t.Errorf("the authority is the old one (%v)", err)
	}
}
