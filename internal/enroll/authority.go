package enroll

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"time"
)

const (
	day = 24 * time.Hour
	// authorityLife is how long an authority is good: all that it signed has to be
	// made anew when it ends.
	authorityLife = 3650 * day
	// backdated is how long a certificate is good already when it is made: the
	// clock of the other machine may be late.
	backdated = time.Hour
	// serialBits is the length of a serial number, which is drawn by chance.
	serialBits = 120
)

// Pair is a certificate and its key, in PEM.
type Pair struct{ Cert, Key []byte }

// Authority signs certificates for one side of connections: engines, or clients.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority that is good for ten years from now, for the
// certificates of one side.
func NewAuthority(name string, side x509.ExtKeyUsage, now time.Time) (*Authority, error) {
	return newAuthority(pkix.Name{CommonName: name}, nil, side, now)
}

// newAuthority makes one whose subject is name or, where it is given, raw.
func newAuthority(name pkix.Name, raw []byte, side x509.ExtKeyUsage, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := templateOf(name, now, now.Add(authorityLife))
	if err != nil {
		return nil, err
	}
	template.RawSubject = raw
	template.IsCA, template.MaxPathLenZero = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.ExtKeyUsage = []x509.ExtKeyUsage{side}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{cert: cert, key: key}, err
}

// ParseAuthority reads an authority. A key that is not its certificate's is
// refused, and so is a certificate that can't sign others.
func ParseAuthority(p Pair) (*Authority, error) {
	pair, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	switch {
	case !pair.Leaf.IsCA:
		return nil, errors.New("the certificate is not one of an authority")
	case !ok:
		return nil, errors.New("the key is not of the kind that is made here (ECDSA)")
	}
	return &Authority{cert: pair.Leaf, key: key}, nil
}

// Pair gives the authority's certificate and key.
func (a *Authority) Pair() (Pair, error) { return pairOf(a.cert.Raw, a.key) }

// Certificate is the authority's own.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Server signs a new certificate of an engine that answers at the names.
func (a *Authority) Server(name string, names Names, now time.Time, life time.Duration) (Pair, error) {
	return a.issue(name, names, x509.ExtKeyUsageServerAuth, now, life)
}

// Client signs a new certificate of a client.
func (a *Authority) Client(name string, now time.Time, life time.Duration) (Pair, error) {
	return a.issue(name, Names{}, x509.ExtKeyUsageClientAuth, now, life)
}

// issue signs a certificate for one side only: the key of an engine must not open
// another one. None is good for longer than the authority.
func (a *Authority) issue(name string, names Names, side x509.ExtKeyUsage, now time.Time, life time.Duration) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	until := now.Add(life)
	if until.After(a.cert.NotAfter) {
		until = a.cert.NotAfter
	}
	template, err := templateOf(pkix.Name{CommonName: name}, now, until)
	if err != nil {
		return Pair{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{side}
	template.DNSNames, template.IPAddresses = names.DNS, names.IPs
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return Pair{}, err
	}
	return pairOf(der, key)
}

func templateOf(name pkix.Name, now, until time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: name, BasicConstraintsValid: true,
		NotBefore: now.Add(-backdated), NotAfter: until,
	}, nil
}

func pairOf(der []byte, key *ecdsa.PrivateKey) (Pair, error) {
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}),
	}, nil
}
