package registry

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// authority signs certificates for 127.0.0.1 and for clients.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := certificate("authority")
	template.IsCA, template.BasicConstraintsValid = true, true
	raw := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))(t)
	return authority{cert: must(x509.ParseCertificate(raw))(t), key: key}
}

func certificate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"localhost"},
	}
}

// issue makes a certificate and its key, in PEM form.
func (a authority) issue(t testing.TB, name string) (cert, key []byte) {
	t.Helper()
	own := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	raw := must(x509.CreateCertificate(rand.Reader, certificate(name), a.cert, &own.PublicKey, a.key))(t)
	der := must(x509.MarshalPKCS8PrivateKey(own))(t)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// secureFake is a registry at localhost whose certificate the authority signed,
// and which wants one of clients where wants is set.
func secureFake(t testing.TB, a authority, wants tls.ClientAuthType) (f *fake, host string) {
	t.Helper()
	cert, key := a.issue(t, "registry")
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	f = newFake(t, func(h http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.TLS = &tls.Config{
			Certificates: []tls.Certificate{must(tls.X509KeyPair(cert, key))(t)},
			ClientAuth:   wants, ClientCAs: clients, MinVersion: tls.VersionTLS12,
		}
		s.StartTLS()
		return s
	})
	return f, "localhost:" + port(f.host())
}

func port(host string) string { return host[len("127.0.0.1:"):] }

// write puts a file in place as renewals do, by renaming.
func write(t testing.TB, path string, content []byte) {
	t.Helper()
	must(0, os.WriteFile(path+".new", content, 0o600))(t)
	must(0, os.Rename(path+".new", path))(t)
}

func TestAuthorityFromAFile(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t), newAuthority(t)
	f, host := secureFake(t, ours, tls.NoClientCert)
	f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	ca := filepath.Join(t.TempDir(), "ca.pem")
	c := testClient(t, Access{Name: host, CAFile: ca})
	ref := mustRef(t, host+"/etl/node:latest")
	for _, step := range []struct {
		name    string
		content []byte
		code    problem.Code
		says    []string
	}{
		{"no file", nil, problem.InvalidConfig, []string{"for registry " + host, ca, "no such file", "in the registries entry " + host}},
		{"no certificate", []byte("hello"), problem.InvalidConfig, []string{ca, "no certificate in PEM form"}},
		{"another authority", theirs.pem(), problem.RegistryUnavailable, []string{"certificate that does not hold", "name its file in ca_file"}},
		{"the right one", ours.pem(), "", nil},
	} {
		if step.content != nil {
			write(t, ca, step.content)
		}
		_, err := c.Resolve(t.Context(), ref)
		if step.code == "" {
			must(0, err)(t)
			continue
		}
		check(t, err, step.code, step.says...)
	}
	must(0, os.Remove(ca))(t)
	_, err := c.Resolve(t.Context(), ref)
	check(t, err, problem.InvalidConfig, "no such file")
}

func TestClientCertificate(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	f, host := secureFake(t, a, tls.RequireAndVerifyClientCert)
	f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, ca, a.pem())
	ref := mustRef(t, host+"/etl/node:latest")

	_, err := testClient(t, Access{Name: host, CAFile: ca}).Resolve(t.Context(), ref)
	check(t, err, problem.RegistryUnavailable, "wants a client certificate", "set cert_file and key_file")
	_, err = testClient(t, Access{Name: host, CAFile: ca, CertFile: cert}).Resolve(t.Context(), ref)
	check(t, err, problem.InvalidConfig, cert)

	c := testClient(t, Access{Name: host, CAFile: ca, CertFile: cert, KeyFile: key})
	certPEM, keyPEM := a.issue(t, "prewarm")
	_, otherKey := a.issue(t, "another")
	write(t, cert, certPEM)
	write(t, key, otherKey)
	_, err = c.Resolve(t.Context(), ref)
	check(t, err, problem.InvalidConfig, "does not match", key)
	write(t, key, keyPEM)
	must(c.Resolve(t.Context(), ref))(t)
}

// Where the registry redirects, neither the certificate nor the password goes.
func TestClientCertificateDoesNotFollowARedirect(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	img := testImage(t, "linux/amd64", 1)
	f, host := secureFake(t, a, tls.RequireAndVerifyClientCert)
	f.login = "basic"
	f.push(t, "etl/node", "latest", img)
	store, storeHost := secureFake(t, a, tls.RequestClientCert)
	store.push(t, "etl/node", "latest", img)
	shown := 0
	content := store.content
	store.content = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown += len(r.TLS.PeerCertificates)
		content.ServeHTTP(w, r)
	})
	f.fault = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+storeHost+r.URL.Path, http.StatusTemporaryRedirect)
	}
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM, keyPEM := a.issue(t, "prewarm")
	write(t, ca, a.pem())
	write(t, cert, certPEM)
	write(t, key, keyPEM)
	c := testClient(t, Access{Name: host, CAFile: ca, CertFile: cert, KeyFile: key, Username: testUser, Password: testPassword})
	must(c.Resolve(t.Context(), mustRef(t, host+"/etl/node:latest")))(t)
	if len(store.auth) != 1 || store.auth[0] != "" || shown != 0 {
		t.Errorf("the other host got %q and %d certificates, want one request without any", store.auth, shown)
	}
}

// A renewal writes the certificate first and its key a moment later, both in
// place: in between, calls go on with the old pair, and that is told once.
func TestHalfRenewedClientCertificate(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM, keyPEM := a.issue(t, "first")
	write(t, cert, certPEM)
	write(t, key, keyPEM)
	var log bytes.Buffer
	c := &certified{
		host: "r.example.com", access: Access{Name: "r.example.com", CertFile: cert, KeyFile: key},
		make: func() *http.Transport { return &http.Transport{} }, logger: slog.New(slog.NewTextHandler(&log, nil)),
	}
	shown := func() string {
		t.Helper()
		own, _, err := c.wires()
		must(0, err)(t)
		return must(x509.ParseCertificate(own.TLSClientConfig.Certificates[0].Certificate[0]))(t).Subject.CommonName
	}
	for _, name := range []string{"second", "third"} {
		before := shown()
		certPEM, keyPEM = a.issue(t, name)
		for _, step := range []struct {
			path    string
			content []byte
			want    string
		}{{cert, certPEM[:100], before}, {cert, certPEM, before}, {key, keyPEM[:50], before}, {key, keyPEM, name}} {
			must(0, os.WriteFile(step.path, step.content, 0o600))(t)
			for range 2 {
				if got := shown(); got != step.want {
					t.Errorf("the certificate %q is shown, want %q", got, step.want)
				}
			}
		}
	}
	if n := strings.Count(log.String(), "registry=r.example.com"); n != 2 || !strings.Contains(log.String(), cert) {
		t.Errorf("told %d times, want once for each renewal:\n%s", n, log.String())
	}
}
