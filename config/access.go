package config

import (
	"path/filepath"
	"regexp"
)

// HostTLS is how a tcp endpoint is secured. Paths are absolute.
type HostTLS struct {
	CA         string // empty: the system's roots
	Cert, Key  string // the client's certificate; both or none
	ServerName string // the name in the engine's certificate; empty: the endpoint's host
}

// HostSSH is how an ssh endpoint is logged in to. Paths are absolute.
type HostSSH struct {
	KeyFile    string // empty: the agent's keys
	KnownHosts string // the keys that hosts must have
}

// maxKnownHosts bounds a known_hosts file, in bytes: ten thousand hosts are a
// quarter of it.
const maxKnownHosts = 4 << 20

// hostName matches names and addresses, of IPv6 too, but for one with a zone.
var hostName = regexp.MustCompile(`^[A-Za-z0-9._:-]+$`)

func (r *reader) hostTLS(entry, scheme string, doc hostDoc) *HostTLS {
	field := entry + ".tls"
	switch {
	case doc.TLS == nil || !r.has(field):
		return nil
	case scheme != "tcp" && scheme != "":
		r.add(field, "", "only a tcp endpoint has TLS", "leave it out, or write tcp://host:2376 as the endpoint")
		return nil
	case doc.Insecure:
		r.add(entry+".insecure", "true", "tls and insecure stand together", "keep one of the two")
	}
	t := HostTLS{CA: r.caFile(field+".ca", doc.TLS.CA), ServerName: doc.TLS.ServerName}
	t.Cert, t.Key, _ = r.certFiles(field+".cert", doc.TLS.Cert, field+".key", doc.TLS.Key)
	if r.has(field+".server_name") && !hostName.MatchString(t.ServerName) {
		r.add(field+".server_name", t.ServerName, "it is not a name that a certificate could have", "write a host name or an address, without a port")
	}
	return &t
}

func (r *reader) hostSSH(entry, scheme string, doc hostDoc) *HostSSH {
	field := entry + ".ssh"
	switch {
	case scheme == "":
		return nil
	case scheme != "ssh":
		if r.has(field) {
			r.add(field, "", "only an ssh endpoint is logged in to", "leave it out, or write ssh://user@host as the endpoint")
		}
		return nil
	}
	if doc.SSH == nil {
		doc.SSH = &sshDoc{}
	}
	s := HostSSH{KnownHosts: r.knownHosts(entry, doc.SSH.KnownHosts)}
	keyPath, keyPEM := r.namedFile(field+".key_file", doc.SSH.KeyFile, maxSecretFile)
	if keyPath != "" && !holdsPrivateKey(keyPEM) {
		r.add(field+".key_file", doc.SSH.KeyFile, "no private key is in it", "name the file without .pub; its text begins with BEGIN OPENSSH PRIVATE KEY or the like")
	}
	s.KeyFile = keyPath
	return &s
}

// knownHosts checks that there is a file of known keys: without one, whoever
// answers at the address would be believed.
func (r *reader) knownHosts(entry, written string) string {
	field := entry + ".ssh.known_hosts"
	file := filepath.Join(r.home, ".ssh", "known_hosts")
	switch {
	case r.has(field):
		var ok bool
		if file, ok = r.path(field, written); !ok {
			return ""
		}
	case r.home == "":
		r.add(field, "", "there is no file of known keys, as Prewarm's user has no home folder", "write the path of one")
		return ""
	default:
		written = file
	}
	const mend = "put the host's key into it with ssh-keyscan, once its fingerprint is compared, or name another file"
	if b, ok := r.file(field, written, file, maxKnownHosts, mend); ok && len(b) == 0 {
		r.add(field, written, "it is empty", mend)
	}
	return file
}
