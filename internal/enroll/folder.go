package enroll

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// The files of an authority, and of a host.
const (
	caFile         = "ca.pem"
	caKeyFile      = "ca-key.pem"
	certFile       = "cert.pem"
	keyFile        = "key.pem"
	clientsKeyFile = "clients-key.pem"
	engineDir      = "engine"
	serverCertFile = "server-cert.pem"
	serverKeyFile  = "server-key.pem"
	hostsDir       = "hosts"
	oldDir         = "old"
)

// Folder is where an authority and the hosts that it enrolled are.
type Folder struct{ Dir string }

// Request says what to enroll.
type Request struct {
	Name  string        // the host's in the configuration
	Names Names         // what its engine is reached by
	Life  time.Duration // of the certificates
	Now   time.Time
}

func (r Request) check() error {
	if err := checkHostName(r.Name); err != nil {
		return err
	}
	if r.Life < day || r.Life > authorityLife {
		return problem.New(problem.InvalidRequest, fmt.Sprintf("enroll host %s for %d days: it can be 1 to %d", r.Name, r.Life/day, authorityLife/day), "825 days are the default")
	}
	return nil
}

// Host is where the certificates of an enrolled host are.
type Host struct {
	Name string
	Dir  string
	CA   string // who signed the engine's certificate
}

// Cert is Prewarm's certificate.
func (h Host) Cert() string { return filepath.Join(h.Dir, certFile) }

// Key is Prewarm's key.
func (h Host) Key() string { return filepath.Join(h.Dir, keyFile) }

// EngineDir is the folder of what goes to the engine's machine.
func (h Host) EngineDir() string { return filepath.Join(h.Dir, engineDir) }

// ServerCert is the engine's certificate, as it was made.
func (h Host) ServerCert() string { return filepath.Join(h.EngineDir(), serverCertFile) }

// EngineFiles are what goes there.
func EngineFiles() []string { return []string{caFile, serverCertFile, serverKeyFile} }

// Host is where a host's certificates are, or would be.
func (f Folder) Host(name string) Host {
	return Host{Name: name, Dir: filepath.Join(f.Dir, hostsDir, name), CA: filepath.Join(f.Dir, caFile)}
}

// Has tells whether a host is enrolled.
func (f Folder) Has(name string) bool {
	_, err := os.Stat(f.Host(name).Cert())
	return err == nil
}

// Enroll makes the certificates of a host that has none; nothing that is there is
// written over. The authority is made with the first host.
func (f Folder) Enroll(r Request) (Host, error) {
	h := f.Host(r.Name)
	if err := r.check(); err != nil {
		return h, err
	}
	what := "enroll host " + r.Name
	if _, err := os.Lstat(h.Dir); !errors.Is(err, fs.ErrNotExist) {
		return h, problem.New(problem.InvalidRequest, what+": "+h.Dir+" is there already",
			"to check the engine: prewarm host check "+r.Name+"; to make new certificates in place of those: add --renew")
	}
	if old := f.old(r.Name); exists(old) {
		return h, problem.New(problem.InvalidRequest, what+": a renewal was cut off: "+old+" has the last certificates", "mv "+old+" "+h.Dir+", then renew again")
	}
	engines, err := f.authority(r.Now)
	if err != nil {
		return h, err
	}
	clients, err := NewAuthority("Prewarm, clients of "+r.Name, x509.ExtKeyUsageClientAuth, r.Now)
	if err != nil {
		return h, failed(what, err)
	}
	made, err := f.prepare(r, engines, clients)
	if err != nil {
		return h, failed(what, err)
	}
	defer os.RemoveAll(made) // gone, where it took its place
	return h, failed(what, move(made, h.Dir))
}

// Renew makes new certificates of a host that has some, signed by the same
// authorities: the engine takes Prewarm's new one at once, and Prewarm takes the
// engine's old one as long as it lasts. The names that the old one has stay. What
// was there goes to the folder old.
func (f Folder) Renew(r Request) (Host, error) {
	h := f.Host(r.Name)
	if err := r.check(); err != nil {
		return h, err
	}
	what := "renew the certificates of host " + r.Name
	if !exists(h.Dir) {
		return h, problem.New(problem.InvalidRequest, what+": there is no "+h.Dir, "leave --renew out to make its first ones, or say by --dir where they are")
	}
	engines, err := load(what, filepath.Join(f.Dir, caFile), filepath.Join(f.Dir, caKeyFile))
	if err != nil {
		return h, err
	}
	clients, err := load(what, filepath.Join(h.EngineDir(), caFile), filepath.Join(h.Dir, clientsKeyFile))
	if err != nil {
		return h, err
	}
	if r.Names, err = r.Names.with(h.ServerCert()); err != nil {
		return h, failed(what, err)
	}
	made, err := f.prepare(r, engines, clients)
	if err != nil {
		return h, failed(what, err)
	}
	defer os.RemoveAll(made)
	return h, failed(what, f.exchange(h, made))
}

// with adds the names of a certificate that is there.
func (n Names) with(file string) (Names, error) {
	certs, err := ReadCertificates(file)
	if err != nil {
		return n, err
	}
	return ParseNames(append(n.list(), Names{DNS: certs[0].DNSNames, IPs: certs[0].IPAddresses}.list()...))
}

// exchange puts the new folder of a host in the place of the one in use.
func (f Folder) exchange(h Host, made string) error {
	old := f.old(h.Name)
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := move(h.Dir, old); err != nil {
		return err
	}
	if err := move(made, h.Dir); err != nil {
		return errors.Join(err, move(old, h.Dir))
	}
	return nil
}

func (f Folder) old(name string) string { return filepath.Join(f.Dir, oldDir, name) }

// prepare writes a host's folder under another name.
func (f Folder) prepare(r Request, engines, clients *Authority) (dir string, err error) {
	server, err := engines.Server(r.Name, r.Names, r.Now, r.Life)
	if err != nil {
		return "", err
	}
	client, err := clients.Client("prewarm for "+r.Name, r.Now, r.Life)
	if err != nil {
		return "", err
	}
	trusted, err := clients.Pair()
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp(f.Dir, "new-"); err != nil {
		return "", err
	}
	h := Host{Dir: dir}
	err = os.Mkdir(h.EngineDir(), 0o700)
	for _, file := range []struct {
		path string
		b    []byte
		mode fs.FileMode
	}{
		{h.Cert(), client.Cert, openMode},
		{h.Key(), client.Key, keyMode},
		{filepath.Join(dir, clientsKeyFile), trusted.Key, keyMode},
		{filepath.Join(h.EngineDir(), caFile), trusted.Cert, openMode},
		{h.ServerCert(), server.Cert, openMode},
		{filepath.Join(h.EngineDir(), serverKeyFile), server.Key, keyMode},
	} {
		if err == nil {
			err = writeNew(file.path, file.b, file.mode)
		}
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// authority reads the folder's authority, or makes it. Its key comes first: one
// without a certificate has signed nothing.
func (f Folder) authority(now time.Time) (*Authority, error) {
	const what = "make the authority of the engines"
	cert, key := filepath.Join(f.Dir, caFile), filepath.Join(f.Dir, caKeyFile)
	if exists(cert) || exists(key) {
		return load("use the authority of the engines", cert, key)
	}
	made, err := NewAuthority("Prewarm, engines", x509.ExtKeyUsageServerAuth, now)
	if err != nil {
		return nil, failed(what, err)
	}
	pair, err := made.Pair()
	if err == nil {
		err = os.MkdirAll(f.Dir, 0o700)
	}
	if err == nil {
		err = writeNew(key, pair.Key, keyMode)
	}
	if err == nil {
		err = writeNew(cert, pair.Cert, openMode)
	}
	return made, failed(what, err)
}

// load reads an authority from its files.
func load(what, cert, key string) (*Authority, error) {
	var p Pair
	var err error
	if p.Cert, err = os.ReadFile(cert); err == nil {
		p.Key, err = os.ReadFile(key)
	}
	var a *Authority
	if err == nil {
		a, err = ParseAuthority(p)
	}
	if err != nil {
		return nil, problem.Wrap(problem.StateCorrupt, err, fmt.Sprintf("%s: %s and %s are not an authority that can be used", what, cert, key),
			"bring back both files from a backup; or choose another folder by --dir, and enroll its hosts there")
	}
	return a, nil
}

// failed tells what could not be made; of no error it makes none.
func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return problem.Wrap(problem.InvalidRequest, err, what, "choose a folder by --dir that you can write to, or run this as the user that prewarm serve runs as")
}
