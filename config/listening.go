package config

import (
	"slices"
	"strings"
)

// Listening reads the server section of a configuration alone: where serve
// listens, and with which certificate. Mistakes elsewhere are not told: a server
// that was started before they were made goes on with what it had.
func Listening(path string, environ []string) (Server, error) {
	r := newReader(path, homeOf(environ))
	over := r.readEnviron(environ)
	file := r.readDocument(path)
	doc, err := unmarshal[document](file, over, defaults())
	if err != nil {
		return Server{}, err
	}
	server := r.server(doc.Server)
	mistakes := slices.DeleteFunc(r.found, func(m Mistake) bool {
		return m.Field != "" && m.Field != "server" && !strings.HasPrefix(m.Field, "server.")
	})
	if len(mistakes) > 0 {
		return Server{}, mistakes.sorted()
	}
	return server, nil
}
