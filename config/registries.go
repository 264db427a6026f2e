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
		}
		r.credentials(entry, doc, &reg)
		list = append(list, reg)
	}
	return list
}

// registryName checks a name by making a repository of it: the parser says how
// an image reference would write this registry.
func (r *reader) registryName(seen names, entry, name string) string {
	field := entry + ".name"
	switch {
	case !r.has(field):
		r.add(field, "", "it is missing", "write the registry's host, as in registry.example.com:5000")
		return ""
	case strings.Contains(name, "://"):
		r.add(field, name, "a registry is named without a scheme", "write the host only, and plain_http: true where it has no TLS")
		return ""
	case strings.Contains(name, "/"):
		r.add(field, name, "a registry is named without a path", "write the host only: credentials and plain_http hold for all of it")
		return ""
	}
	repo, err := registry.ParseRepository(name + "/prewarm")
	if err != nil || repo.Path() != "prewarm" && repo.Path() != "library/prewarm" {
		r.add(field, name, "no image reference would mean a registry by it", "write a host with a dot or a port in its name, or localhost")
		return ""
	}
	r.checkUnique(seen, entry, repo.Host())
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
		var ok bool
		if reg.PasswordFile, ok = r.path(file, doc.PasswordFile); ok {
			reg.Password = r.secretFile(file, doc.PasswordFile, reg.PasswordFile)
		}
	}
}
