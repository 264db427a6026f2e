package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// scraped gives what Prometheus gets of a running program.
func scraped(t *testing.T, r *running) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.client.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := r.client.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %v: %s", resp.StatusCode, err, body)
	}
	return string(body)
}

func TestTheProgramTellsPrometheus(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t, time.Unix(2_000_000_000, 0))
	page := scraped(t, start(t, load(t, `
hosts: [{name: a, endpoint: "unix:///nowhere/docker.sock", limits: {runs: 3}}]
registries: [{name: registry.example.com, cert_file: `+cert+`, key_file: `+key+`}]
images: [{name: jobs, repository: registry.example.com/etl/jobs, track: {tag: latest}}]
`)))
	for _, line := range []string{
		`prewarm_image_hosts_wanted{image="jobs"} 1`,
		`prewarm_image_hosts_warm{image="jobs"} 0`,
		`prewarm_host_up{host="a"} 0`,
		`prewarm_host_slots{host="a"} 3`,
		`prewarm_runs_total{image="jobs",outcome="succeeded"} 0`,
		`prewarm_pull_bytes_total{registry="registry.example.com"} 0`,
		`prewarm_runs_active{state="queued"} 0`,
		`prewarm_configuration_refused 0`,
		`prewarm_certificate_expiry_timestamp_seconds{name="registry.example.com",of="registry"} 2e+09`,
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
	if !strings.Contains(page, `version="test"`) || strings.Contains(page, `of="host"`) {
		t.Errorf("%s", page)
	}
}

// certificate writes one that ends at a time, with its key before it in the same
// file, and the key alone.
func certificate(t *testing.T, ends time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: ends}
	shown, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	folder := t.TempDir()
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for file, text := range map[string][]byte{
		cert: append(keyText, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: shown})...), key: keyText,
	} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// What leaves the configuration is told of no more, and what comes is, without a
// restart.
func TestAReloadChangesWhatIsTold(t *testing.T) {
	t.Parallel()
	const hosts = "hosts: [{name: a, endpoint: \"unix:///nowhere/docker.sock\"}]\n"
	r := startReloading(t, hosts+"images: [{name: jobs, repository: registry.example.com/etl/jobs, track: {tag: latest}}]\n")
	if page := scraped(t, r.running); !strings.Contains(page, `image="jobs"`) {
		t.Errorf("the image is not told of:\n%s", page)
	}
	r.write(hosts + "images: [{name: other, repository: other.example.com/etl/jobs, track: {tag: latest}}]\n")
	r.app.Reload()
	await(t, "the other image is told of", func() bool {
		page := scraped(t, r.running)
		return strings.Contains(page, `prewarm_runs_total{image="other",outcome="lost"} 0`) && strings.Contains(page, `prewarm_configuration_reloads_total{result="ok"} 1`)
	})
	if page := scraped(t, r.running); strings.Contains(page, `image="jobs"`) || strings.Contains(page, `registry="registry.example.com"`) {
		t.Errorf("the image that left is still told of:\n%s", page)
	}
}
