package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/prewarm/prewarm/internal/problem"
)

// certified is the wire to a registry whose certificates are in files. They are
// read when the first request comes, and again when they have changed: whoever
// renews them restarts nothing. A certificate and its key are seldom replaced
// in one instant: until the new ones fit, requests go on with the old.
type certified struct {
	host   string
	access Access
	make   func() *http.Transport
	logger *slog.Logger

	mu      sync.Mutex
	read    map[string]os.FileInfo // the files as they were
	own     *http.Transport        // nil: not read yet
	foreign *http.Transport        // without the client certificate
	told    bool                   // that the new files are of no use yet
}

var _ http.RoundTripper = (*certified)(nil)

// RoundTrip sends a request. The client certificate, like a password, goes to
// the registry alone: not to where it redirects, nor to its token server.
func (c *certified) RoundTrip(req *http.Request) (*http.Response, error) {
	own, foreign, err := c.wires()
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(req.URL.Host, c.host) {
		return own.RoundTrip(req)
	}
	return foreign.RoundTrip(req)
}

// CloseIdleConnections is http.Transport's.
func (c *certified) CloseIdleConnections() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own != nil {
		c.own.CloseIdleConnections()
		c.foreign.CloseIdleConnections()
	}
}

// wires gives the transports of the files as they are now.
func (c *certified) wires() (own, foreign *http.Transport, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	files, changed, err := c.look()
	if err != nil {
		return nil, nil, err
	}
	if c.own != nil && !changed {
		return c.own, c.foreign, nil
	}
	own, foreign, err = c.load()
	switch {
	case err != nil && c.own == nil:
		return nil, nil, err
	case err != nil:
		if !c.told {
			c.told = true
			c.logger.Warn("a registry's certificate files have changed and are of no use yet; the old ones stay in use",
				"registry", c.access.Name, "reason", err)
		}
		return c.own, c.foreign, nil
	case c.own != nil: // requests under way end on the old ones
		c.own.CloseIdleConnections()
		c.foreign.CloseIdleConnections()
	}
	c.own, c.foreign, c.read, c.told = own, foreign, files, false
	return own, foreign, nil
}

// load makes transports of the files.
func (c *certified) load() (own, foreign *http.Transport, err error) {
	roots, err := c.roots()
	if err != nil {
		return nil, nil, err
	}
	pair, err := c.certificates()
	if err != nil {
		return nil, nil, err
	}
	own, foreign = c.make(), c.make()
	own.TLSClientConfig = &tls.Config{RootCAs: roots, Certificates: pair, MinVersion: tls.VersionTLS12}
	foreign.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return own, foreign, nil
}

// look finds out whether a file has changed, or was replaced.
func (c *certified) look() (files map[string]os.FileInfo, changed bool, err error) {
	files = make(map[string]os.FileInfo, 3)
	for _, path := range []string{c.access.CAFile, c.access.CertFile, c.access.KeyFile} {
		if path == "" {
			continue
		}
		now, err := os.Stat(path)
		if err != nil {
			return nil, false, c.unreadable(path, err)
		}
		files[path] = now
		before := c.read[path]
		changed = changed || before == nil || !os.SameFile(before, now) ||
			!before.ModTime().Equal(now.ModTime()) || before.Size() != now.Size()
	}
	return files, changed, nil
}

// roots are the system's and those of the file.
func (c *certified) roots() (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without roots of its own
	}
	path := c.access.CAFile
	if path == "" {
		return pool, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, c.unreadable(path, err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, c.unreadable(path, errors.New("it holds no certificate in PEM form"))
	}
	return pool, nil
}

func (c *certified) certificates() ([]tls.Certificate, error) {
	cert, key := c.access.CertFile, c.access.KeyFile
	switch {
	case cert == "" && key == "":
		return nil, nil
	case cert == "" || key == "":
		return nil, c.unreadable(cert+key, errors.New("a client certificate and its key are given together, and one is missing"))
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, c.unreadable(cert+" and "+key, err)
	}
	return []tls.Certificate{pair}, nil
}

func (c *certified) unreadable(path string, err error) *problem.Error {
	return problem.Wrap(problem.InvalidConfig, err,
		fmt.Sprintf("read the certificates for registry %s from %s", c.access.Name, path),
		fmt.Sprintf("in the registries entry %s: correct the path or the file, and let the user that runs prewarm read it", c.access.Name))
}
