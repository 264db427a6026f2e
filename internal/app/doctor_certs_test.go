package app

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/enroll"
	"github.com/prewarm/prewarm/internal/problem"
)

// shown is an engine that shows these certificates, or none because of err.
type shown struct {
	certs []*x509.Certificate
	err   error
}

func (s shown) Certificates(context.Context) ([]*x509.Certificate, error) { return s.certs, s.err }

// told are findings, each in a line.
func told(findings []Finding) []string {
	var all []string
	for _, f := range findings {
		text := string(f.Level) + " " + f.Check + ": " + f.What
		if f.Mend != "" {
			text += " -> " + f.Mend
		}
		all = append(all, text)
	}
	return all
}

// made is a host whose certificates were made at a time for a year.
func made(t *testing.T, at time.Time) (config.Host, []*x509.Certificate) {
	t.Helper()
	e, err := enroll.Folder{Dir: filepath.Join(t.TempDir(), "ca")}.Enroll(enroll.Request{Name: "etl-1", Life: 365 * 24 * time.Hour, Now: at})
	if err != nil {
		t.Fatal(err)
	}
	certs, err := enroll.ReadCertificates(e.ServerCert())
	if err != nil {
		t.Fatal(err)
	}
	return config.Host{Name: "etl-1", Endpoint: "tcp://h:2376", TLS: &config.HostTLS{CA: e.CA, Cert: e.Cert(), Key: e.Key()}}, certs
}

func TestHostCertificates(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h, engine := made(t, at)
	dir := filepath.Dir(h.TLS.CA)
	renew := " -> prewarm host enroll etl-1 --endpoint tcp://h:2376 --dir " + dir + " --renew"
	bring := renew + "; then bring its engine folder to the host, and restart the engine"
	const day = 24 * time.Hour
	expired := x509.CertificateInvalidError{Cert: engine[0], Reason: x509.Expired}
	authority := "ok its authority: " + h.TLS.CA + " is good until 2035-12-30"
	for name, c := range map[string]struct {
		patient shown
		now     time.Time
		want    []string
	}{
		"good": {shown{certs: engine}, at.Add(300 * day), []string{
			"ok our certificate: " + h.TLS.Cert + " is good until 2027-01-01", "ok its certificate: the engine's is good until 2027-01-01", authority,
		}},
		"thirty days before": {shown{certs: engine}, at.Add(335 * day), []string{
			"ok our certificate: " + h.TLS.Cert + " is good until 2027-01-01", "ok its certificate: the engine's is good until 2027-01-01", authority,
		}},
		"less than thirty": {shown{certs: engine}, at.Add(335*day + time.Hour), []string{
			"warn our certificate: " + h.TLS.Cert + " ends on 2027-01-01, in 29 days" + renew, "warn its certificate: the engine's ends on 2027-01-01, in 29 days" + bring, authority,
		}},
		"over": {shown{err: problem.Wrap(problem.HostUnreachable, expired, "look", "")}, at.Add(366 * day), []string{
			"fail our certificate: " + h.TLS.Cert + " ended on 2027-01-01" + renew, "fail its certificate: the engine's ended on 2027-01-01" + bring, authority,
		}},
		"out of reach": {shown{err: problem.New(problem.HostUnreachable, "nobody there", "")}, at.Add(day), []string{"ok our certificate: " + h.TLS.Cert + " is good until 2027-01-01"}},
		"a clock that is late": {shown{}, at.Add(-day), []string{
			"fail our certificate: " + h.TLS.Cert + " is not good before 2025-12-31T23:00:00Z -> set this machine's clock, or have it issued again",
		}},
	} {
		c2 := &chart{}
		c2.hostCertificates(t.Context(), c.patient, h, c.now)
		if diff := cmp.Diff(c.want, told(c2.findings)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Certificates that were made elsewhere are renewed where they were made.
func TestOthersCertificates(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h, _ := made(t, at)
	h.Name = "other"
	c := &chart{}
	c.hostCertificates(t.Context(), shown{}, h, at.Add(360*24*time.Hour))
	if got := strings.Join(told(c.findings), "\n"); !strings.Contains(got, "warn our certificate") || strings.Contains(got, "--renew") {
		t.Error(got)
	}
	c = &chart{}
	c.hostCertificates(t.Context(), shown{}, config.Host{Endpoint: "tcp://h:2375", Insecure: true}, at)
	h.TLS.Cert = filepath.Join(t.TempDir(), "none.pem")
	c.hostCertificates(t.Context(), shown{}, h, at)
	if len(c.findings) != 1 || c.findings[0].Level != Failure || c.findings[0].Mend == "" {
		t.Errorf("a file that is gone: %+v", c.findings)
	}
}

// Of a bundle of authorities one may have ended without harm; all of them may
// not.
func TestFilesOfAuthorities(t *testing.T) {
	t.Parallel()
	start := time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)
	old, _ := made(t, start)
	young, _ := made(t, start.Add(4000*24*time.Hour))
	both := filepath.Join(t.TempDir(), "both.pem")
	var text []byte
	for _, file := range []string{young.TLS.CA, old.TLS.CA} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, b...)
	}
	if err := os.WriteFile(both, text, 0o600); err != nil {
		t.Fatal(err)
	}
	now := start.Add(4100 * 24 * time.Hour)
	for file, want := range map[string]Level{old.TLS.CA: Failure, young.TLS.CA: Good, both: Warning} {
		c := &chart{}
		c.registryCertificates(config.Registry{CAFile: file}, now)
		if len(c.findings) != 1 || c.findings[0].Level != want || c.findings[0].Level != Good && c.findings[0].Mend == "" {
			t.Errorf("%s: %+v, want %s", file, c.findings, want)
		}
	}
	c := &chart{}
	c.registryCertificates(config.Registry{CertFile: old.TLS.Cert, CAFile: both}, now)
	if len(c.findings) != 2 || c.findings[0].Level != Failure {
		t.Errorf("a client certificate that ended: %+v", c.findings)
	}
}

func TestServerCertificates(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h, _ := made(t, at)
	if f := examineServer(&config.Config{}, at); f != nil {
		t.Errorf("without TLS: %+v", f)
	}
	c := &config.Config{Server: config.Server{TLS: &config.ServerTLS{Cert: h.TLS.Cert, ClientCA: h.TLS.CA}}}
	var got []string
	for _, f := range examineServer(c, at.Add(350*24*time.Hour)) {
		got = append(got, string(f.Level)+" "+f.About+" "+f.Check)
	}
	if diff := cmp.Diff([]string{"warn server certificate", "ok server client authorities"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
