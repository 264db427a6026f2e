package enroll

import (
	"bytes"
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
)

func request(t *testing.T, name string, names ...string) Request {
	t.Helper()
	n, err := ParseNames(names)
	if err != nil {
		t.Fatal(err)
	}
	return Request{Name: name, Names: n, Life: 825 * day, Now: now}
}

func enrolled(t *testing.T, f Folder, name string) Host {
	t.Helper()
	h, err := f.Enroll(request(t, name, "10.0.0.11"))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// contents are the files below a folder, by their names in it.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all[path], err = os.ReadFile(filepath.Join(dir, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func certificate(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	all, err := ReadCertificates(path)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func pool(t *testing.T, path string) *x509.CertPool {
	t.Helper()
	p := x509.NewCertPool()
	p.AddCert(certificate(t, path))
	return p
}

// Keys are their owner's alone, whatever the umask, and nothing is left over.
func TestEnroll(t *testing.T) {
	t.Parallel()
	f := Folder{Dir: filepath.Join(t.TempDir(), "state", "ca")}
	if f.Has("etl-1") {
		t.Error("a host is enrolled before it is")
	}
	h := enrolled(t, f, "etl-1")
	modes := make(map[string]string)
	err := filepath.WalkDir(f.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		name, _ := filepath.Rel(f.Dir, path)
		modes[name] = info.Mode().String()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	const folder, open, secret = "drwx------", "-rw-r--r--", "-rw-------"
	if diff := cmp.Diff(map[string]string{
		".": folder, "ca.pem": open, "ca-key.pem": secret, "hosts": folder, "hosts/etl-1": folder,
		"hosts/etl-1/cert.pem": open, "hosts/etl-1/key.pem": secret, "hosts/etl-1/clients-key.pem": secret, "hosts/etl-1/engine": folder,
		"hosts/etl-1/engine/ca.pem": open, "hosts/etl-1/engine/server-cert.pem": open, "hosts/etl-1/engine/server-key.pem": secret,
	}, modes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !f.Has("etl-1") {
		t.Error("the host is not enrolled")
	}
	_, err = certificate(t, h.ServerCert()).Verify(x509.VerifyOptions{Roots: pool(t, h.CA), DNSName: "10.0.0.11", CurrentTime: now})
	if err != nil {
		t.Errorf("the engine's certificate: %v", err)
	}
}

// What opens one engine opens no other.
func TestOneHostsKeyOpensNoOther(t *testing.T) {
	t.Parallel()
	f := Folder{Dir: t.TempDir()}
	one, two := enrolled(t, f, "etl-1"), enrolled(t, f, "etl-2")
	for _, client := range []Host{one, two} {
		for _, engine := range []Host{one, two} {
			_, err := certificate(t, client.Cert()).Verify(x509.VerifyOptions{
				Roots: pool(t, filepath.Join(engine.EngineDir(), "ca.pem")), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			})
			if (err == nil) != (client == engine) {
				t.Errorf("the client of %s at %s: %v", client.Name, engine.Name, err)
			}
		}
	}
	if one.CA != two.CA {
		t.Errorf("engines are known by %s and %s", one.CA, two.CA)
	}
}

func TestNothingIsWrittenOver(t *testing.T) {
	t.Parallel()
	f := Folder{Dir: t.TempDir()}
	enrolled(t, f, "etl-1")
	before := contents(t, f.Dir)
	_, err := f.Enroll(request(t, "etl-1", "10.0.0.12"))
	if problem.CodeOf(err) != problem.InvalidRequest || !strings.Contains(problem.From(err).Mend, "--renew") {
		t.Errorf("enrolled twice: %v", err)
	}
	if diff := cmp.Diff(before, contents(t, f.Dir)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// An authority that can't be used is neither used nor replaced.
func TestAnAuthorityThatDoesNotFit(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, dir, other string){
		"another's key": func(t *testing.T, dir, other string) {
			replace(t, filepath.Join(dir, "ca-key.pem"), read(t, filepath.Join(other, "ca-key.pem")))
		},
		"no key":         func(t *testing.T, dir, _ string) { remove(t, filepath.Join(dir, "ca-key.pem")) },
		"no certificate": func(t *testing.T, dir, _ string) { remove(t, filepath.Join(dir, "ca.pem")) },
		"not an authority": func(t *testing.T, dir, _ string) {
			h := Folder{Dir: dir}.Host("etl-1")
			replace(t, filepath.Join(dir, "ca.pem"), read(t, h.ServerCert()))
			replace(t, filepath.Join(dir, "ca-key.pem"), read(t, filepath.Join(h.EngineDir(), "server-key.pem")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, other := Folder{Dir: t.TempDir()}, Folder{Dir: t.TempDir()}
			enrolled(t, f, "etl-1")
			enrolled(t, other, "etl-1")
			spoil(t, f.Dir, other.Dir)
			before := contents(t, f.Dir)
			for what, do := range map[string]func(Request) (Host, error){"enroll": f.Enroll, "renew": f.Renew} {
				host := map[string]string{"enroll": "etl-2", "renew": "etl-1"}[what]
				_, err := do(request(t, host, "10.0.0.12"))
				if problem.CodeOf(err) != problem.StateCorrupt || problem.From(err).Mend == "" {
					t.Errorf("%s: %v", what, err)
				}
			}
			if diff := cmp.Diff(before, contents(t, f.Dir)); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func replace(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// The old certificates go on to be good with the new ones, so neither side has to
// be changed at the moment at which the other is; and they are kept.
func TestRenew(t *testing.T) {
	t.Parallel()
	f := Folder{Dir: t.TempDir()}
	h := enrolled(t, f, "etl-1")
	remove(t, filepath.Join(h.EngineDir(), "server-key.pem")) // as told: nobody needs it here
	for round := range 2 {
		before := contents(t, h.Dir)
		again := request(t, "etl-1", "etl-1.internal")
		again.Now = now.Add(time.Duration(round+1) * 400 * day)
		if _, err := f.Renew(again); err != nil {
			t.Fatal(err)
		}
		after := contents(t, h.Dir)
		for file, same := range map[string]bool{
			"cert.pem": false, "key.pem": false, "engine/server-cert.pem": false, "engine/server-key.pem": false,
			"clients-key.pem": true, "engine/ca.pem": true,
		} {
			if bytes.Equal(before[file], after[file]) != same {
				t.Errorf("%s: the same as before is %v, want %v", file, !same, same)
			}
		}
		if diff := cmp.Diff(before, contents(t, filepath.Join(f.Dir, "old", "etl-1"))); diff != "" {
			t.Errorf("what was before is not kept (-want +got):\n%s", diff)
		}
	}
	server := certificate(t, h.ServerCert())
	if got := (Names{DNS: server.DNSNames, IPs: server.IPAddresses}).String(); got != "etl-1.internal, 10.0.0.11" {
		t.Errorf("it is for %s", got)
	}
	if want := now.Add(1625 * day); !server.NotAfter.Equal(want) {
		t.Errorf("it is good until %v, want %v", server.NotAfter, want)
	}
	if left, err := filepath.Glob(filepath.Join(f.Dir, "new-*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestRenewalsThatCannotBe(t *testing.T) {
	t.Parallel()
	f := Folder{Dir: t.TempDir()}
	if _, err := f.Renew(request(t, "etl-1")); problem.CodeOf(err) != problem.InvalidRequest {
		t.Errorf("renewed what is not there: %v", err)
	}
	h := enrolled(t, f, "etl-1")
	if err := f.exchange(h, filepath.Join(f.Dir, "nowhere")); err == nil {
		t.Error("nothing took its place")
	}
	if !f.Has("etl-1") {
		t.Error("a renewal that failed took the certificates away")
	}
	// As after a power cut between the two steps.
	if err := move(h.Dir, f.old("etl-1")); err != nil {
		t.Fatal(err)
	}
	_, err := f.Enroll(request(t, "etl-1"))
	if problem.CodeOf(err) != problem.InvalidRequest || !strings.Contains(problem.From(err).Mend, "mv "+f.old("etl-1")+" "+h.Dir) {
		t.Errorf("enrolled beside a renewal that was cut off: %v", err)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	f := Folder{Dir: filepath.Join(t.TempDir(), "ca")}
	for _, r := range []Request{
		{Name: "../x", Life: day}, {Name: "", Life: day}, {Name: "Etl", Life: day}, {Name: "etl-1", Life: 0}, {Name: "etl-1", Life: authorityLife + day},
	} {
		if _, err := f.Enroll(r); problem.CodeOf(err) != problem.InvalidRequest || problem.From(err).Mend == "" {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if exists(f.Dir) {
		t.Error("a refused request made something")
	}
}

// Of many at once for one host one makes the certificates.
func TestEnrollingAtOnce(t *testing.T) {
	t.Parallel()
	f := Folder{Dir: t.TempDir()}
	enrolled(t, f, "etl-0")
	var made sync.Map
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if h, err := f.Enroll(request(t, "etl-1")); err == nil {
				made.Store(i, h)
			}
		})
	}
	all.Wait()
	count := 0
	made.Range(func(any, any) bool { count++; return true })
	if count != 1 {
		t.Errorf("%d made them", count)
	}
}
