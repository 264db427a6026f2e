package config

import (
	"fmt"
	"strings"

	"github.com/prewarm/prewarm/registry"
)

// registriesPath is the list that holds secrets.
const registriesPath = "registries"

// Registry is how to reach one registry. A registry without an entry is reached
// by HTTPS, with the credentials of the Docker config file if it has any.
type Registry struct {
	// Name is the registry's host, with its port if one is written, as
	// registry.Repository has it: docker.io, registry.example.com:5000.
	Name     string
	Username string
	// Password is what the file in PasswordFile held, if one is named.
	Password     Secret
	PasswordFile string // absolute, or empty
	PlainHTTP    bool
	CAFile       string  // absolute, or empty: roots beside the system's
	CertFile     string  // absolute, or empty: a client certificate
	KeyFile      string  // absolute, or empty: its key
	Rate         float64 // requests in a second; 0: the registry client's default
	Pulls        int     // pulls at once from it, on the whole fleet; 0: no limit
	// Mirror is where hosts pull from in its place: host[:port], and a path's
	// beginning where the mirror has one. Empty: none.
	Mirror string
	// Seed tells that the hosts share one cache before the registry, so that
	// one of them is to pull first. A Mirror is such a cache.
	Seed bool
}

func (r *reader) registries(docs []registryDoc) []Registry {
	var list []Registry
	seen := make(names)
	for i, doc := range docs {
		entry := fmt.Sprintf("%s[%d]", registriesPath, i)
		reg := Registry{
			Name:      r.registryName(seen, entry, doc.Name),
			Username:  doc.Username,
			PlainHTTP: doc.PlainHTTP,
			Rate:      r.rate(entry+".rate", doc.Rate),
			Seed:      doc.Seed || r.has(entry+".mirror"),
		}
		r.limit(entry+".pulls", doc.Pulls, &reg.Pulls, "leave it out for no limit")
		reg.Mirror = r.mirror(entry+".mirror", doc.Mirror, reg.Name)
		r.credentials(entry, doc, &reg)
		r.certificates(entry, doc, &reg)
		list = append(list, reg)
	}
	return list
}

func (r *reader) registryName(seen names, entry, name string) string {
	field := entry + ".name"
	if !r.has(field) {
		r.add(field, "", "it is missing", "write the registry's host, as in registry.example.com:5000")
		return ""
	}
	host := r.registryHost(field, name)
	if host != "" {
		r.checkUnique(seen, entry, host)
	}
	return host
}

// registryHost checks a name by making a repository of it: the parser says how
// an image reference would write this registry. What is refused is empty.
func (r *reader) registryHost(field, name string) string {
	switch {
	case strings.Contains(name, "://"):
		r.add(field, name, "a registry is named without a scheme", "write the host only, and plain_http: true where it has no TLS")
		return ""
	case strings.Contains(name, "/"):
		r.add(field, name, "a registry is named without a path", "write the host only: it stands for all that the registry has")
		return ""
	}
	repo, err := registry.ParseRepository(name + "/prewarm")
	if err != nil || repo.Path() != "prewarm" && repo.Path() != "library/prewarm" {
		r.add(field, name, "no image reference would mean a registry by it", "write a host with a dot or a port in its name, or localhost")
		return ""
	}
	return repo.Host()
}

// credentials checks that a user and one source of the password stand together.
func (r *reader) credentials(entry string, doc registryDoc, reg *Registry) {
	username, password, file := entry+".username", entry+".password", entry+".password_file"
	both := r.has(password) && r.has(file)
	either := r.has(password) || r.has(file) || r.spoiled[password] || r.spoiled[file]
	switch {
	case both:
		r.add(file, "", "password and password_file stand together", "keep one of the two")
	case r.has(username) && !either:
		r.add(username, "", "a username without a password", "add password_file or password, or leave username out")
	case either && !r.has(username):
		r.add(entry, "", "a password without a username", "add username")
	}
	if r.has(username) && doc.Username == "" {
		r.add(username, "", "the username is empty", "write it, or leave username and password out")
	}
	if r.has(password) && doc.Password == "" {
		r.add(password, "", "the password is empty", "write it, or leave username and password out")
	}
	reg.Password = doc.Password
	if r.has(file) && !r.spoiled[file] {
		reg.PasswordFile, reg.Password = r.secretFile(file, doc.PasswordFile)
	}
}

// mirror checks the beginning of the names that the mirror has for images.
func (r *reader) mirror(field, text, name string) string {
	const example = "write it as in cache.internal:5000 or cache.internal/proxy"
	if !r.has(field) {
		return ""
	}
	text = strings.TrimSuffix(text, "/")
	host, prefix, _ := strings.Cut(text, "/")
	repo, err := registry.ParseRepository(text + "/prewarm")
	switch {
	case strings.Contains(text, "://"):
		r.add(field, text, "a mirror is named without a scheme", "write the host only; plain HTTP is a matter of each engine's insecure-registries")
	case err != nil || repo.Host() != strings.ToLower(host) || repo.Path() != strings.TrimPrefix(prefix+"/prewarm", "/"):
		r.add(field, text, "no image reference would mean a registry by it", example)
	case text == name:
		r.add(field, text, "it is the registry itself", "leave it out, or write seed: true if the hosts share a cache before it")
	}
	return text
}

// certificates checks the files that the registry's TLS needs.
func (r *reader) certificates(entry string, doc registryDoc, reg *Registry) {
	ca, cert, key := entry+".ca_file", entry+".cert_file", entry+".key_file"
	if doc.PlainHTTP {
		for _, field := range []string{ca, cert, key} {
			if r.has(field) {
				r.add(field, "", "plain HTTP has no certificates", "leave it or plain_http out")
				return
			}
		}
	}
	reg.CAFile = r.caFile(ca, doc.CAFile)
	reg.CertFile, reg.KeyFile, _ = r.certFiles(cert, doc.CertFile, key, doc.KeyFile)
}
