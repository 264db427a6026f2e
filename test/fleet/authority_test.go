package fleet

import (
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// issued makes a certificate of an authority and reads it.
func issued(t *testing.T, a authority, r request) *x509.Certificate {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := a.issue(certFile, keyFile, r); err != nil {
		t.Fatal(err)
	}
	cert, err := readCertificate(certFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := readKey(keyFile)
	if err != nil || !key.PublicKey.Equal(cert.PublicKey) {
		t.Errorf("the key is another one (%v)", err)
	}
	if st, err := os.Stat(keyFile); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key: %v, %v", st.Mode(), err)
	}
	return cert
}

func anAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{dir: filepath.Join(t.TempDir(), "tls")}
	if err := a.create(); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCertificatesAreGoodForWhatTheyWereIssued(t *testing.T) {
	t.Parallel()
	a := anAuthority(t)
	pool, err := certPool(a.certFile())
	if err != nil {
		t.Fatal(err)
	}
	server := request{
		name: "etl-1", addrs: []netip.Addr{netip.MustParseAddr("10.3.4.11")}, usage: x509.ExtKeyUsageServerAuth, life: time.Hour,
	}
	expired := server
	expired.life = -time.Minute
	other, err := certPool(anAuthority(t).certFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		r     request
		roots *x509.CertPool
		host  string
		usage x509.ExtKeyUsage
		good  bool
	}{
		{"as issued", server, pool, "10.3.4.11", x509.ExtKeyUsageServerAuth, true},
		{"another host", server, pool, "10.3.4.12", x509.ExtKeyUsageServerAuth, false},
		{"the other side", server, pool, "10.3.4.11", x509.ExtKeyUsageClientAuth, false},
		{"another authority", server, other, "10.3.4.11", x509.ExtKeyUsageServerAuth, false},
		{"expired", expired, pool, "10.3.4.11", x509.ExtKeyUsageServerAuth, false},
	} {
		_, err := issued(t, a, tc.r).Verify(x509.VerifyOptions{Roots: tc.roots, DNSName: tc.host, KeyUsages: []x509.ExtKeyUsage{tc.usage}})
		if (err == nil) != tc.good {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestANewAuthorityIsAnother(t *testing.T) {
	t.Parallel()
	a := anAuthority(t)
	cert := issued(t, a, request{name: "x", usage: x509.ExtKeyUsageClientAuth, life: time.Hour})
	if err := a.create(); err != nil {
		t.Fatal(err)
	}
	pool, err := certPool(a.certFile())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
		t.Error("a certificate of the old one is believed")
	}
}

func TestBrokenPEMIsTold(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.pem")
	if err := os.WriteFile(file, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readCertificate(file); err == nil {
		t.Error("it was read as a certificate")
	}
	if _, err := readKey(file); err == nil {
		t.Error("it was read as a key")
	}
	if _, err := certPool(file); err == nil {
		t.Error("it was read as an authority")
	}
}
