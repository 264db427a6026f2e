//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/enroll"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// door is a server that the network reaches: with TLS, and for callers it knows.
type door struct {
	*bench
	ca, client *enroll.Authority
	addr       netip.Addr
}

func (d *door) path(name string) string { return filepath.Join(d.dir, name) }

func (d *door) write(name, text string) string {
	d.t.Helper()
	replace(d.t, d.path(name), text)
	return d.path(name)
}

// pair writes a certificate and its key, in one step each.
func (d *door) pair(name string, p enroll.Pair, err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	d.write(name+"-key.pem", string(p.Key))
	d.write(name+".pem", string(p.Cert))
}

// shown gives the serial number of the certificate that the server shows now.
func (d *door) shown() string {
	pool := x509.NewCertPool()
	pool.AddCert(d.ca.Certificate())
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: pool}}
	ctx, cancel := context.WithTimeout(d.t.Context(), 5*time.Second)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", d.address)
	if err != nil {
		return ""
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{bench: &bench{t: t, dir: t.TempDir(), log: &logBuffer{}}}
	host, _, err := net.SplitHostPort(shared.Registry.Addr) // of the bridge, which the hosts reach
	if err != nil {
		t.Fatal(err)
	}
	d.addr = netip.MustParseAddr(host)
	if d.address, err = prewarmtest.FreeAddressOn(host); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if d.ca, err = enroll.NewAuthority("servers", x509.ExtKeyUsageServerAuth, now); err == nil {
		d.client, err = enroll.NewAuthority("callers", x509.ExtKeyUsageClientAuth, now)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]*enroll.Authority{"ca": d.ca, "callers": d.client} {
		p, err := a.Pair()
		d.pair(name, p, err)
	}
	d.renew()
	p, err := d.client.Client("deployer", now, time.Hour)
	d.pair("deployer", p, err)
	setup := prewarmtest.SetupOf(shared, "", "")
	setup.Images = []string{image(t), fmt.Sprintf("{name: other, repository: %s/%s-other}", shared.Registry.Addr, repo(t))}
	setup.Server = fmt.Sprintf("tls: {cert: %s, key: %s, client_ca: %s}", d.path("server.pem"), d.path("server-key.pem"), d.path("callers.pem"))
	setup.Further = fmt.Sprintf(`auth:
  tokens:
    - {name: ops, token_file: %s, scopes: [admin]}
    - {name: etl, token_file: %s, scopes: [run], namespace: etl, images: [jobs], meta: {team: etl}}
    - {name: ml, token_file: %s, scopes: [run], namespace: ml}
  certificates: [{name: deployer, scopes: [warm]}]
`, d.write("ops", "token-of-ops-0123456789\n"), d.write("etl", "token-of-etl-0123456789\n"), d.write("ml", "token-of-ml-0123456789\n"))
	d.set(setup)
	s, err := prewarmtest.Start(binary, d.configFile(), d.address, d.log)
	if err != nil {
		t.Fatal(err)
	}
	d.Server = s
	s.URL = "https://" + d.address
	t.Cleanup(func() {
		end := s.Kill
		if t.Failed() {
			end = s.Dump
		}
		_ = end()
		if t.Failed() {
			t.Logf("the server's log:\n%s", d.log)
		}
	})
	await(t, "the server listens", func() bool { return d.shown() != "" })
	return d
}

// renew gives the server another certificate.
func (d *door) renew() {
	d.t.Helper()
	p, err := d.ca.Server("prewarm", enroll.Names{IPs: []net.IP{d.addr.AsSlice()}}, time.Now(), time.Hour)
	d.pair("server", p, err)
}

// as runs a command line as the holder of a token.
func (d *door) as(token string, args ...string) result {
	d.t.Helper()
	return d.cli(append(args[:1:1], append([]string{"--ca-file", d.path("ca.pem"), "--token-file", d.path(token)}, args[1:]...)...)...)
}

// expect wants what a command line printed to say something, and its code.
func expect(t *testing.T, what string, r result, code int, says string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.stdout+r.stderr, says) {
		t.Errorf("%s: %s, want code %d and %q", what, r, code, says)
	}
}

func TestTheDoor(t *testing.T) {
	t.Parallel()
	digest := push(t, repo(t)+":latest", fleet.ProgramImage("door"))
	push(t, repo(t)+"-other:latest", fleet.ProgramImage("door-other"))
	d := newDoor(t)
	await(t, "both are live", func() bool {
		r := d.as("ops", "status")
		return strings.Count(r.stdout, "warm") >= 6 && strings.Contains(r.stdout, digest[:19])
	})
	expect(t, "nobody", d.cli("ps", "--ca-file", d.path("ca.pem")), 1, "token")
	expect(t, "who does not know the authority", d.cli("ps", "--token-file", d.path("ops")), 1, "certificate")
	resp, err := http.Get("http://" + d.address + "/v1/runs")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP was answered %s", resp.Status)
	}
	d.namespaces()
	d.grants()
	d.renewals()
}

// namespaces are apart: a run, its log and its key are nothing to others.
func (d *door) namespaces() {
	t := d.t
	t.Helper()
	expect(t, "a run of etl", d.as("etl", "run", "jobs", "--key", "k", "--status-file", d.path("status"), "--", "version"), 0, "door\n")
	listed := d.as("etl", "ps", "-a", "-o", "json")
	id := decode[struct {
		Runs []struct{ ID, Namespace string }
	}](t, listed.stdout).Runs[0]
	if id.Namespace != "etl" {
		t.Errorf("it is in the namespace %q", id.Namespace)
	}
	for _, verb := range []string{"inspect", "logs", "wait", "cancel"} {
		if r := d.as("ml", verb, id.ID); r.code == 0 || !strings.Contains(r.stderr, "no run") {
			t.Errorf("%s from another namespace: %s", verb, r)
		}
	}
	if r := d.as("ml", "ps", "-a", "-o", "json"); strings.Contains(r.stdout, id.ID) {
		t.Errorf("another namespace lists it: %s", r)
	}
	expect(t, "an admin", d.as("ops", "inspect", id.ID), 0, id.ID)
}

// grants bound what a caller may do.
func (d *door) grants() {
	t := d.t
	t.Helper()
	expect(t, "an image that is not theirs", d.as("etl", "run", "other", "--", "version"), 125, "other")
	expect(t, "other meta than theirs", d.as("etl", "run", "jobs", "--meta", "team=ml", "--", "version"), 125, "team")
	expect(t, "a scope that they lack", d.as("etl", "hold", "jobs"), 1, "warm")
	r := d.cli("hold", "jobs", "--ca-file", d.path("ca.pem"), "--cert-file", d.path("deployer.pem"), "--key-file", d.path("deployer-key.pem"))
	expect(t, "a certificate's holder", r, 0, "")
	r = d.cli("unhold", "jobs", "--ca-file", d.path("ca.pem"), "--cert-file", d.path("deployer.pem"), "--key-file", d.path("deployer-key.pem"))
	expect(t, "a certificate's holder", r, 0, "")
	audit := d.as("ops", "audit")
	for _, want := range []string{"hold-image", "deployer", "submit-run", "etl", "403"} {
		if !strings.Contains(audit.stdout, want) {
			t.Errorf("the audit log lacks %s:\n%s", want, audit.stdout)
		}
	}
}

// renewals of a certificate and of a token need no restart.
func (d *door) renewals() {
	t := d.t
	t.Helper()
	before := d.shown()
	d.renew()
	await(t, "the renewed certificate is shown", func() bool { now := d.shown(); return now != "" && now != before })
	old := d.write("etl-old", "token-of-etl-0123456789\n")
	d.write("etl", "token-of-etl-second-0123\n")
	await(t, "the new token is let in", func() bool { return d.as("etl", "ps").code == 0 })
	expect(t, "the old token", d.as(filepath.Base(old), "ps"), 1, "token")
	made := d.as("ops", "token", "create", "visitor", "--scope", "read", "--expires", "1h", "-o", "json")
	visitor := decode[struct{ Token string }](t, made.stdout).Token
	if err := os.WriteFile(d.path("visitor"), []byte(visitor), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, "a token that was made", d.as("visitor", "status"), 0, "jobs")
	expect(t, "a token that was made", d.as("visitor", "run", "jobs", "--", "version"), 125, "run")
	expect(t, "its end", d.as("ops", "token", "revoke", "visitor"), 0, "")
	expect(t, "a token that was revoked", d.as("visitor", "status"), 1, "token")
}
