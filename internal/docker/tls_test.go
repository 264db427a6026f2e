package docker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// authority signs certificates for tests.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key = a.newKey()
	a.cert = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, a.key)
	a.file = a.write("ca.pem", "CERTIFICATE", a.cert.Raw)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

// sign makes a certificate; the first one signs itself.
func (a *authority) sign(c *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	parent := a.cert
	if parent == nil {
		parent = c
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(raw)
	if err != nil {
		a.t.Fatal(err)
	}
	return signed
}

// pair makes a certificate for a name, and its key.
func (a *authority) pair(name string, notAfter time.Time) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	k := a.newKey()
	return a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: notAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, k), k
}

// issue writes a certificate for a name, and its key.
func (a *authority) issue(name string, notAfter time.Time) (cert, key string) {
	a.t.Helper()
	c, k := a.pair(name, notAfter)
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(name+"-cert.pem", "CERTIFICATE", c.Raw), a.write(name+"-key.pem", "PRIVATE KEY", raw)
}

func (a *authority) write(name, kind string, raw []byte) string {
	a.t.Helper()
	file := filepath.Join(a.dir, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return file
}

// listenTLS has the engine serve on a port with a certificate for name, which it
// gives; verified, it wants a client's.
func (e *engine) listenTLS(a *authority, name string, notAfter time.Time, verified bool) (address string) {
	e.t.Helper()
	cert, key := a.pair(name, notAfter)
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
	if verified {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		c.ClientCAs.AddCert(a.cert)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", c)
	if err != nil {
		e.t.Fatal(err)
	}
	return e.listen(listener)
}

// listen has the engine serve on another listener, too.
func (e *engine) listen(listener net.Listener) (address string) {
	server := &http.Server{Handler: http.HandlerFunc(e.serve), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func() { _ = server.Serve(listener) }() // ends with its close
	e.t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}

func (e *engine) tlsHost(address string, files TLS) *Host {
	e.t.Helper()
	return e.host(func(o *Options) { o.Endpoint, o.TLS = "tcp://"+address, &files })
}

func TestTLS(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour)
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, key := ours.issue("client", soon)
	wrongCert, wrongKey := theirs.issue("client", soon)
	oldCert, oldKey := ours.issue("expired", time.Now().Add(-time.Hour))
	const named = "etl-1.test"
	good := TLS{CA: ours.file, Cert: cert, Key: key, ServerName: named}
	for _, c := range []struct {
		name     string
		files    TLS
		notAfter time.Time
		why      string // empty: it works
	}{
		{"all is well", good, soon, ""},
		{"another authority", TLS{CA: theirs.file, Cert: cert, Key: key, ServerName: named}, soon, "signed by an authority that is not trusted here"},
		{"the system's authorities", TLS{Cert: cert, Key: key, ServerName: named}, soon, "signed by an authority that is not trusted here"},
		{"another name", TLS{CA: ours.file, Cert: cert, Key: key}, soon, "is for another name"},
		{"the engine's has expired", good, time.Now().Add(-time.Hour), "is not valid any more (until "},
		{"no client certificate", TLS{CA: ours.file, ServerName: named}, soon, "refuses our certificate"},
		{"a foreign client certificate", TLS{CA: ours.file, Cert: wrongCert, Key: wrongKey, ServerName: named}, soon, "refuses our certificate"},
		{"the client's has expired", TLS{CA: ours.file, Cert: oldCert, Key: oldKey, ServerName: named}, soon, "refuses our certificate"},
		{"no such file", TLS{CA: "none.pem"}, soon, "tls.ca can't be used"},
		{"no certificate in the file", TLS{CA: key}, soon, "tls.ca can't be used"},
		{"a key of another certificate", TLS{CA: ours.file, Cert: cert, Key: wrongKey}, soon, "tls.cert and tls.key can't be used"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			h := e.tlsHost(e.listenTLS(ours, named, c.notAfter, true), c.files)
			_, err := h.connect(t.Context())
			if c.why == "" {
				if err != nil {
					t.Fatalf("connect: %v", err)
				}
				return
			}
			wantObstacle(t, err, c.why)
		})
	}
}

// wantObstacle checks that a host could not be reached, for a reason that comes
// with a mend.
func wantObstacle(t *testing.T, err error, why string) {
	t.Helper()
	wantCode(t, "connect", err, problem.HostUnreachable)
	if err == nil {
		return
	}
	if p := problem.From(err); !strings.Contains(err.Error(), why) || p.Mend == "" || strings.Contains(p.Message, "%") {
		t.Errorf("got %q, mend %q; want %q and a mend", err, p.Mend, why)
	}
}

func TestOnlyOneEndSpeaksTLS(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	a := newAuthority(t)
	bare, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.tlsHost(e.listen(bare), TLS{CA: a.file}).connect(t.Context())
	wantObstacle(t, err, "does not speak TLS")
	address := e.listenTLS(a, "etl-1.test", time.Now().Add(time.Hour), false)
	h := e.host(func(o *Options) { o.Endpoint, o.Insecure = "tcp://"+address, true })
	_, err = h.connect(t.Context())
	wantObstacle(t, err, "speaks TLS")
}

// TestCertificatesAreReadAnew: they are renewed, and are being written at one
// moment.
func TestCertificatesAreReadAnew(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /_ping", pong("1.41"))
	a := newAuthority(t)
	soon := time.Now().Add(time.Hour)
	cert, key := a.issue("client", time.Now().Add(-time.Hour))
	h := e.tlsHost(e.listenTLS(a, "etl-1.test", soon, true), TLS{CA: a.file, Cert: cert, Key: key, ServerName: "etl-1.test"})
	wantObstacle(t, h.Confirm(t.Context()), "refuses our certificate")
	a.issue("client", soon) // into the same files
	if err := h.Confirm(t.Context()); err != nil {
		t.Errorf("Confirm after the renewal: %v", err)
	}
	if err := os.WriteFile(cert, []byte("half a cert"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.Confirm(t.Context()); err != nil {
		t.Errorf("Confirm while a file is being written: %v", err)
	}
}

func TestAnswersAnyone(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /_ping", pong("1.41"))
	a := newAuthority(t)
	cert, key := a.issue("client", time.Now().Add(time.Hour))
	for _, verified := range []bool{true, false} {
		address := e.listenTLS(a, "etl-1.test", time.Now().Add(time.Hour), verified)
		h := e.tlsHost(address, TLS{CA: a.file, Cert: cert, Key: key, ServerName: "etl-1.test"})
		for range 20 { // the refusal must not be lost in the connection's end
			if got, err := h.AnswersAnyone(t.Context()); err != nil || got == verified {
				t.Fatalf("AnswersAnyone = %v, %v of an engine that verifies: %v", got, err, verified)
			}
		}
	}
	if got, err := e.host().AnswersAnyone(t.Context()); got || err != nil {
		t.Errorf("AnswersAnyone = %v, %v of a unix socket; want false", got, err)
	}
	plain := e.host(func(o *Options) { o.Endpoint, o.Insecure = "tcp://127.0.0.1:1", true })
	if got, err := plain.AnswersAnyone(t.Context()); !got || err != nil {
		t.Errorf("AnswersAnyone = %v, %v of plain tcp; want true", got, err)
	}
	away := e.tlsHost("127.0.0.1:1", TLS{})
	_, err := away.AnswersAnyone(t.Context())
	wantCode(t, "AnswersAnyone of nobody", err, problem.HostUnreachable)
}

// What an engine shows is told even where it does not let us in.
func TestCertificates(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /_ping", pong("1.41"))
	a, ends := newAuthority(t), time.Now().Add(time.Hour)
	cert, key := a.issue("client", ends)
	address := e.listenTLS(a, "etl-1.test", ends, true)
	for name, files := range map[string]TLS{
		"let in":  {CA: a.file, Cert: cert, Key: key, ServerName: "etl-1.test"},
		"refused": {CA: a.file, ServerName: "etl-1.test"},
	} {
		got, err := e.tlsHost(address, files).Certificates(t.Context())
		if err != nil || len(got) != 2 || !got[0].NotAfter.Equal(ends.UTC().Truncate(time.Second)) || !got[1].Equal(a.cert) {
			t.Errorf("%s: %d certificates, %v", name, len(got), err)
		}
	}
	_, err := e.tlsHost(address, TLS{CA: newAuthority(t).file, ServerName: "etl-1.test"}).Certificates(t.Context())
	wantObstacle(t, err, "not trusted here")
	if got, err := e.host().Certificates(t.Context()); got != nil || err != nil {
		t.Errorf("of a unix socket: %v, %v", got, err)
	}
}
