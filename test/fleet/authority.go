package fleet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

const (
	// authorityLife and certificateLife are far beyond any test, so that nobody
	// is warned of an end that comes near.
	authorityLife   = 10 * 365 * 24 * time.Hour
	certificateLife = 5 * 365 * 24 * time.Hour
	// backdated is how long certificates are valid already when they are made:
	// for clocks that are a little late.
	backdated = time.Hour
)

// authority is a certificate authority in a folder. Its key is there too, so
// that whoever has the folder can renew what the authority gave.
type authority struct{ dir string }

func (a authority) certFile() string { return filepath.Join(a.dir, "ca.pem") }
func (a authority) keyFile() string  { return filepath.Join(a.dir, "ca-key.pem") }

// trusted is the environment of a program that believes this authority and no
// other. Go reads the file once, when it sees the first certificate.
func (a authority) trusted() []string { return []string{"SSL_CERT_FILE=" + a.certFile()} }

// create makes the authority; where there was one, what it gave is worth
// nothing from now on.
func (a authority) create() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("create certificate authority: %w", err)
	}
	template, err := certificateFor("Prewarm test authority", authorityLife)
	if err != nil {
		return err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("create certificate authority: %w", err)
	}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return fmt.Errorf("create certificate authority: %w", err)
	}
	return writePair(a.certFile(), a.keyFile(), der, key)
}

// request is what a certificate is to be for.
type request struct {
	name  string           // common name
	addrs []netip.Addr     // where a server is reached; none for a client
	usage x509.ExtKeyUsage // which side of a connection it is
	life  time.Duration    // from now; one that is negative has ended already
}

// issue writes a new certificate with a new key.
func (a authority) issue(certFile, keyFile string, r request) error {
	parent, parentKey, err := a.load()
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("issue certificate: %w", err)
	}
	template, err := certificateFor(r.name, r.life)
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{r.usage}
	for _, addr := range r.addrs {
		template.IPAddresses = append(template.IPAddresses, net.IP(addr.AsSlice()))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return fmt.Errorf("issue certificate: %w", err)
	}
	return writePair(certFile, keyFile, der, key)
}

func certificateFor(name string, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("choose serial number: %w", err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(min(life, 0) - backdated),
		NotAfter:     now.Add(life),
	}, nil
}

// load reads the authority's own certificate and key.
func (a authority) load() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	cert, err := readCertificate(a.certFile())
	if err != nil {
		return nil, nil, err
	}
	key, err := readKey(a.keyFile())
	return cert, key, err
}

func readCertificate(file string) (*x509.Certificate, error) {
	der, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s: %w", file, err)
	}
	return cert, nil
}

func readKey(file string) (*ecdsa.PrivateKey, error) {
	der, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParseECPrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", file, err)
	}
	return key, nil
}

func readPEM(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, errors.New("read " + file + ": it is not PEM")
	}
	return block.Bytes, nil
}

func writePair(certFile, keyFile string, der []byte, key *ecdsa.PrivateKey) error {
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return errors.Join(
		writeFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		writeFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})),
	)
}
