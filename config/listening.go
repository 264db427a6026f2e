package config

import (
	"slices"
	"strings"
)

// Listening reads the server section of a configuration alone: where serve
// listens, and with which certificate. Mistakes elsewhere are not told: a server
// that was started before they were made goes on with what it had. Nor is a key
// that can't be read, for who asks whether a server is well need not have it.
func Listening(path string, environ []string) (Server, error) {
	r, doc, err := readSections(path, environ)
	if err != nil {
		return Server{}, err
	}
	server := r.server(doc.Server)
	unknown := server.TLS != nil && server.TLS.Cert == ""
	return server, r.mistakes(func(field string) bool { return unknown || aboutListening(field) })
}

// StateFolder reads where a configuration has the state, alone. Mistakes elsewhere
// are not told: files that it names may be those that a restore brings back.
func StateFolder(path string, environ []string) (string, error) {
	r, doc, err := readSections(path, environ)
	if err != nil {
		return "", err
	}
	state := r.state(doc.State)
	return state.Path, r.mistakes(func(field string) bool { return field == "" || field == "state" || field == "state.path" })
}

// readSections reads a configuration without looking at what stands in it.
func readSections(path string, environ []string) (*reader, document, error) {
	r := newReader(path, homeOf(environ))
	over := r.readEnviron(environ)
	doc, err := unmarshal[document](r.readDocument(path), over, defaults())
	return r, doc, err
}

// mistakes gives those of the fields that matter, as an error.
func (r *reader) mistakes(matter func(field string) bool) error {
	found := slices.DeleteFunc(r.found, func(m Mistake) bool { return !matter(m.Field) })
	if len(found) == 0 {
		return nil
	}
	return found.sorted()
}

// aboutListening tells whether a mistake leaves open where a server listens.
func aboutListening(field string) bool {
	switch field {
	case "", "server":
		return true
	case "server.tls.key", "server.tls.client_ca":
		return false
	}
	return strings.HasPrefix(field, "server.")
}
