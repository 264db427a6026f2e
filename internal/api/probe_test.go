package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProbeAddress(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		":8470": "http://127.0.0.1:8470", "0.0.0.0:8470": "http://127.0.0.1:8470", "[::]:8470": "http://127.0.0.1:8470",
		"127.0.0.1:1": "http://127.0.0.1:1", "localhost:1": "http://localhost:1", "10.0.0.5:1": "http://10.0.0.5:1", "[fd00::1]:1": "http://[fd00::1]:1",
	} {
		if got := (Probe{Listen: listen}).Address(); got != want {
			t.Errorf("%s: got %s, want %s", listen, got, want)
		}
	}
	if got := (Probe{Listen: ":1", Certificate: "server.pem"}).Address(); got != "https://127.0.0.1:1" {
		t.Errorf("with a certificate: %s", got)
	}
}

// otherCertificate is one of another server of the same name.
func otherCertificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"example.com"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "other.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// certificateFile writes the certificate of a server into a file.
func certificateFile(t *testing.T, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "server.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func answering(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || r.Header.Get("Authorization") != "" {
			http.Error(w, "not what a probe asks", http.StatusTeapot)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // the caller may be gone
	})
}

func TestProbeAsk(t *testing.T) {
	t.Parallel()
	const good = `{"status": "ok", "version": "1.2.3"}`
	for name, c := range map[string]struct {
		handler http.Handler
		wrong   string
	}{
		"ready":           {handler: answering(http.StatusOK, good)},
		"not ready":       {handler: answering(http.StatusServiceUnavailable, good), wrong: "503"},
		"something else":  {handler: answering(http.StatusOK, "<html>"), wrong: "does not say that it is ready"},
		"another status":  {handler: answering(http.StatusOK, `{"status": "starting"}`), wrong: "does not say that it is ready"},
		"leads elsewhere": {handler: http.RedirectHandler("/healthz", http.StatusFound), wrong: "302"},
		"says nothing":    {handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), wrong: "does not answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain, secure := httptest.NewServer(c.handler), httptest.NewTLSServer(c.handler)
			t.Cleanup(plain.Close)
			t.Cleanup(secure.Close)
			for _, p := range []Probe{{Listen: plain.Listener.Addr().String()}, {Listen: secure.Listener.Addr().String(), Certificate: certificateFile(t, secure)}} {
				limit := 10 * time.Second
				if name == "says nothing" {
					limit = 200 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				health, err := p.Ask(ctx)
				cancel()
				switch {
				case c.wrong == "" && (err != nil || health.Version != "1.2.3"):
					t.Errorf("%s: %+v, %v", p.Address(), health, err)
				case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
					t.Errorf("%s: %+v, %v", p.Address(), health, err)
				}
			}
		})
	}
}

// A server that shows another certificate than the configuration names is
// another server.
func TestProbeKnowsTheCertificate(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(answering(http.StatusOK, `{"status": "ok"}`))
	s.StartTLS()
	t.Cleanup(s.Close)
	ask := func(file string) error {
		_, err := Probe{Listen: s.Listener.Addr().String(), Certificate: file}.Ask(t.Context())
		return err
	}
	if err := ask("../../test/none.pem"); err == nil || !strings.Contains(err.Error(), "read the server's certificate") {
		t.Errorf("with a file that is not there: %v", err)
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ask(empty); err == nil || !strings.Contains(err.Error(), "has no certificate") {
		t.Errorf("with an empty file: %v", err)
	}
	if err := ask(otherCertificate(t)); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("with another certificate: %v", err)
	}
}
