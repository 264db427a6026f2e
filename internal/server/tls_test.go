package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/runner"
)

// authority signs certificates in a folder.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	last int64
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir(), last: 1}
	a.key = a.newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.write("ca", "CERTIFICATE", der)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

func (a *authority) write(name, kind string, der []byte) string {
	file := filepath.Join(a.dir, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return file
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// sign writes NAME.crt and NAME.key, for a server on loopback and for a client.
func (a *authority) sign(name, file string) (cert, key string) {
	a.t.Helper()
	own := a.newKey()
	a.last++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.last), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &own.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(own)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(file+".crt", "CERTIFICATE", der), a.write(file+".key", "EC PRIVATE KEY", secret)
}

// overTLS is a locked server with a certificate of its own authority.
func overTLS(t testing.TB, s access.Setup, clientCA string) (*locked, *authority, *server.Certificates) {
	t.Helper()
	ca := newAuthority(t, "ca")
	cert, key := ca.sign("prewarm", "server")
	certificates, err := server.LoadCertificates(server.CertificateFiles{Cert: cert, Key: key, ClientCA: clientCA})
	if err != nil {
		t.Fatal(err)
	}
	l := newLocked(t, s, func(o *server.Options) { o.Certificates = certificates })
	l.url = strings.Replace(l.url, "http://", "https://", 1)
	return l, ca, certificates
}

// client is one with files; its connections end with the test.
func tlsClient(t testing.TB, url, token string, f api.TLSFiles) *api.Client {
	t.Helper()
	c := clientOf(t, url)
	c.Token = token
	if err := c.UseTLS(f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.HTTP.CloseIdleConnections)
	return c
}

func TestTLS(t *testing.T) {
	t.Parallel()
	l, ca, _ := overTLS(t, each(), "")
	c := tlsClient(t, l.url, "read", api.TLSFiles{CA: ca.file("ca")})
	if _, err := c.Runs(t.Context()); err != nil {
		t.Error(err)
	}
	apart, leave := c.Apart()
	defer leave()
	if _, err := apart.Runs(t.Context()); err != nil {
		t.Error("apart:", err)
	}
	_, err := tlsClient(t, l.url, "read", api.TLSFiles{}).Runs(t.Context())
	if p := problem.From(err); p.Code != problem.ServerUnreachable || !strings.Contains(p.Mend, "--ca-file") {
		t.Errorf("an unknown authority: %v, %s", err, p.Mend)
	}
	_, err = clientOf(t, strings.Replace(l.url, "https://", "http://", 1)).Runs(t.Context())
	if p := problem.From(err); p.Code != problem.ServerUnreachable || !strings.Contains(p.Message, "speaks TLS") {
		t.Errorf("plain HTTP: %v", err)
	}
	plain := newLocked(t, each())
	_, err = tlsClient(t, strings.Replace(plain.url, "http://", "https://", 1), "", api.TLSFiles{}).Runs(t.Context())
	if p := problem.From(err); p.Code != problem.ServerUnreachable || !strings.Contains(p.Mend, "http://") {
		t.Errorf("TLS to plain HTTP: %v, %s", err, p.Mend)
	}
	old := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}} //nolint:gosec // what is refused is the point
	defer old.CloseIdleConnections()
	if _, err := (&api.Client{URL: l.url, HTTP: http.Client{Transport: old}}).Runs(t.Context()); err == nil {
		t.Error("TLS 1.1 was taken")
	}
}

func TestCallersByCertificate(t *testing.T) {
	t.Parallel()
	clients, strangers := newAuthority(t, "clients"), newAuthority(t, "strangers")
	known := access.Caller{Name: "airflow.example", Grant: access.Grant{Scopes: []access.Scope{access.Run}, Namespace: "etl"}}
	setup := each()
	setup.Certificates = []access.Caller{known}
	l, ca, _ := overTLS(t, setup, clients.file("ca"))
	holder := func(a *authority, name, token string) *api.Client {
		cert, key := a.sign(name, "client")
		return tlsClient(t, l.url, token, api.TLSFiles{CA: ca.file("ca"), Cert: cert, Key: key})
	}
	run, err := holder(clients, "airflow.example", "").Submit(t.Context(), api.SubmitRun{Image: "jobs"}, "")
	if err != nil || run.Namespace != "etl" {
		t.Errorf("%+v %v", run.Run, err)
	}
	if _, err := holder(clients, "airflow.example", "").Tokens(t.Context()); problem.CodeOf(err) != problem.Forbidden {
		t.Error(err)
	}
	if _, err := holder(clients, "airflow.example", "admin").Tokens(t.Context()); err != nil {
		t.Error("a token counts before a certificate:", err)
	}
	if _, err := holder(clients, "other.example", "").Runs(t.Context()); problem.CodeOf(err) != problem.Unauthenticated {
		t.Error(err)
	}
	if _, err := holder(strangers, "airflow.example", "").Runs(t.Context()); err == nil {
		t.Error("a certificate of another authority was taken")
	}
	if _, err := tlsClient(t, l.url, "read", api.TLSFiles{CA: ca.file("ca")}).Runs(t.Context()); err != nil {
		t.Error("a token without a certificate:", err)
	}
	if _, err := tlsClient(t, l.url, "", api.TLSFiles{CA: ca.file("ca")}).Runs(t.Context()); problem.CodeOf(err) != problem.Unauthenticated {
		t.Error(err)
	}
}

func TestCertificatesAreExchangedWhileServing(t *testing.T) {
	t.Parallel()
	l, ca, certificates := overTLS(t, each(), "")
	next := newAuthority(t, "next")
	cert, key := next.sign("prewarm", "server")
	if err := certificates.Reload(server.CertificateFiles{Cert: cert, Key: ca.file("server.key")}); problem.CodeOf(err) != problem.InvalidConfig {
		t.Error("a key of another certificate:", err)
	}
	if _, err := tlsClient(t, l.url, "read", api.TLSFiles{CA: ca.file("ca")}).Runs(t.Context()); err != nil {
		t.Error("after a reload that was refused:", err)
	}
	for _, f := range []server.CertificateFiles{{Cert: "/nowhere", Key: key}, {Cert: cert, Key: key, ClientCA: "/nowhere"}, {Cert: cert, Key: key, ClientCA: key}} {
		if err := certificates.Reload(f); problem.CodeOf(err) != problem.InvalidConfig {
			t.Errorf("%+v: %v", f, err)
		}
	}
	if err := certificates.Reload(server.CertificateFiles{Cert: cert, Key: key}); err != nil {
		t.Fatal(err)
	}
	if _, err := tlsClient(t, l.url, "read", api.TLSFiles{CA: next.file("ca")}).Runs(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := tlsClient(t, l.url, "read", api.TLSFiles{CA: ca.file("ca")}).Runs(t.Context()); err == nil {
		t.Error("the certificate before is in force still")
	}
}

// A connection that is kept open is not trusted for longer than its certificate.
func TestACertificateWhoseAuthorityLeftOpensNothing(t *testing.T) {
	t.Parallel()
	clients, next := newAuthority(t, "clients"), newAuthority(t, "next")
	setup := each()
	setup.Certificates = []access.Caller{{Name: "airflow.example", Grant: access.Grant{Scopes: []access.Scope{access.Run}}}}
	l, ca, certificates := overTLS(t, setup, clients.file("ca"))
	cert, key := clients.sign("airflow.example", "client")
	c := tlsClient(t, l.url, "", api.TLSFiles{CA: ca.file("ca"), Cert: cert, Key: key})
	if _, err := c.Runs(t.Context()); err != nil {
		t.Fatal(err)
	}
	own := server.CertificateFiles{Cert: ca.file("server.crt"), Key: ca.file("server.key"), ClientCA: clients.file("ca")}
	for _, file := range []string{clients.file("ca"), next.file("ca"), ""} {
		own.ClientCA = file
		if err := certificates.Reload(own); err != nil {
			t.Fatal(err)
		}
		_, err := c.Runs(t.Context())
		if good := file == clients.file("ca"); good && err != nil || !good && problem.CodeOf(err) != problem.Unauthenticated {
			t.Errorf("with the authority %q: %v", file, err)
		}
	}
}

// The command line's own client speaks HTTP/2.
func TestALogIsFollowedOverHTTP2(t *testing.T) {
	t.Parallel()
	l, ca, _ := overTLS(t, each(), "")
	c := &api.Client{URL: l.url, Token: "run"}
	if err := c.UseTLS(api.TLSFiles{CA: ca.file("ca")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.HTTP.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.url+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Errorf("it is %s", resp.Proto)
	}
	l.runs.add(runner.Run{ID: "r", State: runner.Running, Terms: runner.Terms{Namespace: access.DefaultNamespace}})
	l.runs.print("r", "one")
	var texts []string
	err = c.Logs(t.Context(), "r", 0, true, func(line api.LogLine) error {
		texts = append(texts, line.Text)
		if len(texts) == 1 {
			l.runs.print("r", "two")
			l.runs.end("r", runner.Succeeded)
		}
		return nil
	})
	if err != nil || len(texts) != 2 {
		t.Errorf("%q %v", texts, err)
	}
}

// A token must not be read by everybody on the way.
func TestATokenIsNotSentInClear(t *testing.T) {
	t.Parallel()
	for url, sent := range map[string]bool{
		"http://192.0.2.1:1": false, "192.0.2.1:1": false, "http://prewarm.invalid": false, "http://localhost.evil.invalid": false,
		"https://127.0.0.1:1": true, "http://127.0.0.1:1": true, "http://[::1]:1": true, "http://localhost:1": true,
	} {
		_, err := (&api.Client{URL: url, Token: "pw_hunter2"}).Runs(t.Context())
		if refused := problem.CodeOf(err) == problem.InvalidRequest; refused == sent {
			t.Errorf("%s: %v", url, err)
		}
		if strings.Contains(err.Error()+problem.From(err).Mend, "hunter2") {
			t.Errorf("%s: the token is in the error", url)
		}
	}
}
