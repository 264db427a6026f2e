package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/internal/problem"
)

// selfSigned writes a certificate of loopback, and its key.
func selfSigned(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "prewarm"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTokensAndTLSOfTheConfiguration(t *testing.T) {
	t.Parallel()
	c := load(t, "")
	cert, key := selfSigned(t, t.TempDir())
	c.Server.TLS = &config.ServerTLS{Cert: cert, Key: key}
	c.Auth.Tokens = []config.Token{{Name: "ci", Value: "hunter2-hunter2-hunter2", Grant: config.Grant{Scopes: []string{"run"}, Namespace: "etl"}}}
	r := start(t, c)
	await(t, "the address is logged", func() bool { return strings.Contains(r.log.String(), "address=https://127.0.0.1:") })
	client := &api.Client{URL: "https://" + r.addr, Token: "hunter2-hunter2-hunter2"}
	if err := client.UseTLS(api.TLSFiles{CA: cert}); err != nil {
		t.Fatal(err)
	}
	defer client.HTTP.CloseIdleConnections()
	if _, err := client.Runs(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := client.Tokens(t.Context()); problem.CodeOf(err) != problem.Forbidden {
		t.Error(err)
	}
	client.Token = ""
	if _, err := client.Runs(t.Context()); problem.CodeOf(err) != problem.Unauthenticated {
		t.Error(err)
	}
	if strings.Contains(r.log.String(), "hunter2") {
		t.Error("the token is in the log")
	}
}

func TestTokensOutliveTheServer(t *testing.T) {
	t.Parallel()
	c := load(t, "")
	r := start(t, c)
	made, err := r.client.CreateToken(t.Context(), api.TokenRequest{Name: "root", Scopes: []string{"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	r.client.Token = made.Secret
	if _, err := r.client.Runs(t.Context()); err != nil {
		t.Error(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, c)
	if _, err := r.client.Runs(t.Context()); problem.CodeOf(err) != problem.Unauthenticated {
		t.Error("the door is open again:", err)
	}
	r.client.Token = made.Secret
	all, err := r.client.Tokens(t.Context())
	if err != nil || len(all.Tokens) != 1 || all.Tokens[0].UsedAt == nil {
		t.Errorf("%+v %v", all, err)
	}
	calls, err := r.client.Calls(t.Context(), api.CallFilter{})
	if err != nil || len(calls.Calls) != 1 || calls.Calls[0].Operation != "create-token" || calls.Calls[0].Status != 201 {
		t.Errorf("%+v %v", calls, err)
	}
}

// A slip in the configuration opens no door.
func TestTheLastTokenTakenOutLetsInNobody(t *testing.T) {
	t.Parallel()
	r := startReloading(t, "auth: {tokens: [{name: root, token: hunter2-hunter2-hunter2, scopes: [admin]}]}\n")
	r.write("")
	await(t, "it is said", func() bool { return strings.Contains(r.log.String(), "nobody can come in") })
	for _, token := range []string{"", "hunter2-hunter2-hunter2"} {
		r.client.Token = token
		if _, err := r.client.Runs(t.Context()); problem.CodeOf(err) != problem.Unauthenticated {
			t.Errorf("with %q: %v", token, err)
		}
	}
	r.app.Reload()
	await(t, "it was read again", func() bool { return strings.Contains(r.log.String(), "nothing changed") })
	if n := strings.Count(r.log.String(), "nobody can come in"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
}

// What docs/security.md warns of: the configuration is taken as a whole, or not.
func TestARefusedConfigurationLeavesTheTokens(t *testing.T) {
	t.Parallel()
	r := startReloading(t, "auth: {tokens: [{name: root, token: hunter2-hunter2-hunter2, scopes: [admin]}, {name: gone, token: hunter3-hunter3-hunter3, scopes: [admin]}]}\n")
	one := "auth: {tokens: [{name: root, token: hunter2-hunter2-hunter2, scopes: [admin]}]}\n"
	r.write(one + "hosts: nonsense\n")
	await(t, "it was refused", func() bool { return strings.Contains(r.log.String(), "changed configuration refused") })
	r.client.Token = "hunter3-hunter3-hunter3"
	if told, err := r.client.Configuration(t.Context()); err != nil || told.RefusedAt == nil {
		t.Errorf("%+v %v", told, err)
	}
	r.write(one)
	await(t, "the token opens nothing", func() bool {
		_, err := r.client.Runs(t.Context())
		return problem.CodeOf(err) == problem.Unauthenticated
	})
}

func TestMissingCertificatesAreRefused(t *testing.T) {
	t.Parallel()
	c := load(t, "")
	c.Server.TLS = &config.ServerTLS{Cert: "/nowhere.pem", Key: "/nowhere.key"}
	o, _ := options(c)
	if _, err := app.New(t.Context(), o); problem.CodeOf(err) != problem.InvalidConfig || !strings.Contains(problem.From(err).Mend, "server.tls") {
		t.Error(err)
	}
}
