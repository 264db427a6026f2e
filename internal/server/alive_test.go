package server_test

import (
	"net"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/server"
)

// addrOf is the address in a URL.
func addrOf(t *testing.T, url string) net.Addr {
	t.Helper()
	_, address, _ := strings.Cut(url, "://")
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// asker is a server that does not listen.
func asker(c *server.Certificates) *server.Server {
	o := serverOf(newRuns())
	o.Certificates, o.Logger = c, discard
	return server.New(o)
}

// A server that is locked answers itself without a token, and over TLS whoever
// signed its certificate.
func TestAlive(t *testing.T) {
	t.Parallel()
	plain := newLocked(t, each())
	if err := asker(nil).Alive(t.Context(), addrOf(t, plain.url)); err != nil {
		t.Error("plain:", err)
	}
	ca := newAuthority(t, "clients")
	secured, _, certificates := overTLS(t, access.Setup{}, ca.file("ca"))
	if err := asker(certificates).Alive(t.Context(), addrOf(t, secured.url)); err != nil {
		t.Error("TLS:", err)
	}
}

func TestAliveNobody(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err = asker(nil).Alive(t.Context(), addr)
	if err == nil || !strings.Contains(err.Error(), addr.String()) {
		t.Errorf("where nobody listens: %v", err)
	}
}
