package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// maxPEMFile bounds a file of certificates, in bytes: a system's whole bundle is
// a quarter of it.
const maxPEMFile = 1 << 20

// path makes a path absolute: relative ones count from the folder of the
// configuration file. It is not ok when the path was refused.
func (r *reader) path(field, path string) (abs string, ok bool) {
	switch {
	case path == "":
		r.add(field, "", "the path is empty", "write one, or leave the key out")
	case strings.HasPrefix(path, "~"):
		r.add(field, path, "~ is a shell's word for a home folder and is not replaced here", "write the path in full")
	case strings.ContainsRune(path, 0):
		r.add(field, path, "a path can't hold a NUL character", "write another path")
	case filepath.IsAbs(path):
		return filepath.Clean(path), true
	default:
		return filepath.Join(r.folder, path), true
	}
	return "", false
}

// homeOf is the home folder of Prewarm's user, or "".
func homeOf(environ []string) string {
	home := ""
	for _, entry := range environ {
		if text, ok := strings.CutPrefix(entry, "HOME="); ok {
			home = text
		}
	}
	if !filepath.IsAbs(home) {
		if u, err := user.Current(); err == nil {
			home = u.HomeDir
		}
	}
	return home
}

const mendFile = "name a file that Prewarm's user can read; a relative path counts from the configuration file's folder"

// file reads a file that a key names. A pipe or a device is refused: it could
// block or never end. It is not ok when the file was refused.
func (r *reader) file(field, written, path string, limit int64, mend string) (b []byte, ok bool) {
	if info, err := os.Stat(path); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		r.read = append(r.read, path)
		r.add(field, written, "it is not a regular file", mend)
		return nil, false
	}
	b, why := r.readFile(path, limit)
	if why != "" {
		r.add(field, written, why, mend)
	}
	return b, why == ""
}

// namedFile reads the file that a key names, if it is written. The path is
// absolute, and empty when the file was refused.
func (r *reader) namedFile(field, written string, limit int64) (path string, b []byte) {
	if !r.has(field) || r.spoiled[field] {
		return "", nil
	}
	path, ok := r.path(field, written)
	if ok {
		b, ok = r.file(field, written, path, limit, mendFile)
	}
	if !ok {
		return "", nil
	}
	return path, b
}

// caFile checks a file of root certificates.
func (r *reader) caFile(field, written string) string {
	path, b := r.namedFile(field, written, maxPEMFile)
	if path != "" && !x509.NewCertPool().AppendCertsFromPEM(b) {
		r.add(field, written, "no certificate is in it", "name a PEM file, with BEGIN CERTIFICATE in it")
	}
	return path
}

// certFiles checks a certificate and its key, which go together. No message
// tells what is in the key's file. The leaf is nil where they were refused.
func (r *reader) certFiles(certField, certWritten, keyField, keyWritten string) (cert, key string, leaf *x509.Certificate) {
	switch {
	case r.spoiled[certField] || r.spoiled[keyField]:
		return "", "", nil
	case r.has(certField) && !r.has(keyField):
		r.add(certField, "", "a certificate without its key", "add "+lastKey(keyField)+", or leave "+lastKey(certField)+" out")
	case r.has(keyField) && !r.has(certField):
		r.add(keyField, "", "a key without its certificate", "add "+lastKey(certField)+", or leave "+lastKey(keyField)+" out")
	}
	cert, certPEM := r.namedFile(certField, certWritten, maxPEMFile)
	key, keyPEM := r.namedFile(keyField, keyWritten, maxPEMFile)
	switch {
	case cert == "" || key == "":
	case !x509.NewCertPool().AppendCertsFromPEM(certPEM):
		r.add(certField, certWritten, "no certificate is in it", "name a PEM file, with BEGIN CERTIFICATE in it")
	case !holdsPrivateKey(keyPEM):
		r.add(keyField, keyWritten, "no private key is in it", "name a PEM file, with BEGIN PRIVATE KEY in it")
	default:
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			r.add(keyField, keyWritten, "it is not the key of "+certWritten+", or is encrypted", "name the certificate and the key that were made together, without a passphrase")
		}
		leaf = pair.Leaf
	}
	return cert, key, leaf
}

// holdsPrivateKey tells whether some block of a PEM file is a private key.
func holdsPrivateKey(b []byte) bool {
	for block, rest := pem.Decode(bytes.TrimSpace(b)); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return true
		}
	}
	return false
}

// lastKey is the key at the end of a path.
func lastKey(path string) string { return path[strings.LastIndex(path, ".")+1:] }
