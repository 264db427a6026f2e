package enroll

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"
)

// now is when the certificates of these tests are made.
var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func authority(t *testing.T, side x509.ExtKeyUsage) *Authority {
	t.Helper()
	a, err := NewAuthority("authority", side, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func leaf(t *testing.T, p Pair, err error) *x509.Certificate {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	all, err := ParseCertificates(p.Cert)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func verify(c *x509.Certificate, by *Authority, side x509.ExtKeyUsage, name string, at time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(by.Certificate())
	_, err := c.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, DNSName: name, KeyUsages: []x509.ExtKeyUsage{side}})
	return err
}

// A certificate is good for its side, its names, its time, and by its authority
// alone.
func TestChains(t *testing.T) {
	t.Parallel()
	const server, client = x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth
	engines, clients, others := authority(t, server), authority(t, client), authority(t, server)
	names, err := ParseNames([]string{"10.0.0.11", "etl-1.internal"})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := engines.Server("etl-1", names, now, 825*day)
	engine := leaf(t, pair, err)
	pair, err = clients.Client("prewarm", now, 825*day)
	ours := leaf(t, pair, err)
	crossed, err := engines.Client("prewarm", now, day) // by an authority of the other side
	wrongSide := leaf(t, crossed, err)
	for name, c := range map[string]struct {
		cert *x509.Certificate
		by   *Authority
		side x509.ExtKeyUsage
		name string
		at   time.Time
		want bool
	}{
		"an engine by its address":         {engine, engines, server, "10.0.0.11", now, true},
		"an engine by its name":            {engine, engines, server, "etl-1.internal", now, true},
		"by another name":                  {engine, engines, server, "etl-2.internal", now, false},
		"by another authority":             {engine, others, server, "10.0.0.11", now, false},
		"an engine as a client":            {engine, engines, client, "", now, false},
		"a clock that is late":             {engine, engines, server, "", now.Add(-50 * time.Minute), true},
		"on its last day":                  {engine, engines, server, "", now.Add(825*day - time.Hour), true},
		"after its end":                    {engine, engines, server, "", now.Add(825*day + time.Hour), false},
		"a client":                         {ours, clients, client, "", now, true},
		"a client as an engine":            {ours, clients, server, "", now, false},
		"a client of another authority":    {ours, engines, client, "", now, false},
		"an authority of the wrong side":   {wrongSide, engines, client, "", now, false},
		"an authority is for its own side": {engines.Certificate(), engines, server, "", now.Add(3649 * day), true},
	} {
		if err := verify(c.cert, c.by, c.side, c.name, c.at); (err == nil) != c.want {
			t.Errorf("%s: %v, want good: %v", name, err, c.want)
		}
	}
	if engine.SerialNumber.Cmp(ours.SerialNumber) == 0 || engine.IsCA || ours.IsCA {
		t.Errorf("serials %v, %v; authorities: %v, %v", engine.SerialNumber, ours.SerialNumber, engine.IsCA, ours.IsCA)
	}
}

func TestNoCertificateOutlivesItsAuthority(t *testing.T) {
	t.Parallel()
	a := authority(t, x509.ExtKeyUsageServerAuth)
	pair, err := a.Server("etl-1", Names{}, now.Add(authorityLife-day), 825*day)
	if c := leaf(t, pair, err); !c.NotAfter.Equal(a.Certificate().NotAfter) {
		t.Errorf("it is good until %v, its authority until %v", c.NotAfter, a.Certificate().NotAfter)
	}
}

func TestParseAuthority(t *testing.T) {
	t.Parallel()
	one, two := authority(t, x509.ExtKeyUsageServerAuth), authority(t, x509.ExtKeyUsageServerAuth)
	first, err := one.Pair()
	if err != nil {
		t.Fatal(err)
	}
	second, err := two.Pair()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := one.Server("etl-1", Names{}, now, day)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := ParseAuthority(first); err != nil || !a.Certificate().Equal(one.Certificate()) {
		t.Errorf("ParseAuthority of what Pair gave: %v", err)
	}
	for name, p := range map[string]Pair{
		"another's key":   {first.Cert, second.Key},
		"no authority":    engine,
		"no certificate":  {nil, first.Key},
		"half a key":      {first.Cert, first.Key[:40]},
		"not PEM at all":  {[]byte("x"), []byte("y")},
		"the other order": {first.Key, first.Cert},
	} {
		if _, err := ParseAuthority(p); err == nil || strings.Contains(err.Error(), "PRIVATE KEY-----\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
