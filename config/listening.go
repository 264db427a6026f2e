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
	r := newReader(path, homeOf(environ))
	over := r.readEnviron(environ)
	file := r.readDocument(path)
	doc, err := unmarshal[document](file, over, defaults())
	if err != nil {
		return Server{}, err
	}
	server := r.server(doc.Server)
	unknown := server.TLS != nil && server.TLS.Cert == ""
	mistakes := slices.DeleteFunc(r.found, func(m Mistake) bool { return !unknown && !aboutListening(m.Field) })
	if len(mistakes) > 0 {
		return Server{}, mistakes.sorted()
	}
	return server, nil
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
