//go:build chart

package chart

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/enroll"
)

// existing are the Secrets and ConfigMaps that the examples say are there
// already, with keys that are real: the program reads them.
func existing(t *testing.T) map[string]map[string][]byte {
	t.Helper()
	now := time.Now()
	authority, err := enroll.NewAuthority("chart test", x509.ExtKeyUsageServerAuth, now)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := authority.Pair()
	if err != nil {
		t.Fatal(err)
	}
	server, err := authority.Server("prewarm.etl.svc", enroll.Names{DNS: []string{"prewarm.etl.svc"}}, now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	clients, err := enroll.NewAuthority("chart test, clients", x509.ExtKeyUsageClientAuth, now)
	if err != nil {
		t.Fatal(err)
	}
	client, err := clients.Client("prewarm", now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	key, known := sshKey(t)
	return map[string]map[string][]byte{
		"Secret etl-1":         {"ca.pem": ca.Cert, "cert.pem": client.Cert, "key.pem": client.Key},
		"Secret etl-ssh":       {"id_ed25519": key, "known_hosts": known},
		"Secret prewarm-hooks": {"ci": []byte("what-ci-and-prewarm-know-alone")},
		"Secret prewarm-tls":   {"tls.crt": server.Cert, "tls.key": server.Key, "ca.crt": ca.Cert},
		"Secret prewarm-tokens": {
			"admin": []byte("a-token-of-the-administrator"), "airflow": []byte("a-token-of-airflow-itself"),
		},
		"ConfigMap prewarm-config": {"prewarm.yaml": read(t, "testdata/prewarm-config.yaml")},
	}
}

// sshKey makes a private key, and a line of known_hosts for the host of the
// examples, which has the same key.
func sshKey(t *testing.T) (private, known []byte) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var wire []byte
	for _, part := range [][]byte{[]byte("ssh-ed25519"), public} {
		wire = append(binary.BigEndian.AppendUint32(wire, uint32(len(part))), part...)
	}
	line := "10.0.0.12 ssh-ed25519 " + base64.StdEncoding.EncodeToString(wire) + "\n"
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), []byte(line)
}
