package config

import (
	"regexp"
	"strings"
)

// aliasRule: what a caller's configuration could say is printable ASCII, and a
// blank in it is a slip.
var aliasRule = regexp.MustCompile(aliasPattern)

// aliases checks the other addresses of a host's engine. They are compared with
// what callers write, and never dialled: so they are kept as they are written.
// An address must lead to one engine, so seen holds those of the whole fleet.
func (r *reader) aliases(entry string, written []string, seen names) []string {
	return eachOnce(r, entry+".aliases", written, func(field, text string) (string, bool) {
		first, taken := seen[text]
		switch {
		case !aliasRule.MatchString(text):
			r.add(field, text, "an alias is an address as callers write it, without blanks", "write it as in tcp://etl-1.internal:2376")
		case hasPassword(text):
			r.add(field, "", "there is a password in it, and whoever may read can read the aliases of hosts", "leave the password out")
		case taken && first == entry:
			r.add(field, text, "it is the endpoint of this host", "leave it out: an endpoint needs no alias")
		case taken:
			r.add(field, text, first+" is this engine already, and an address leads to one", "keep it in one of the two")
		default:
			seen[text] = field
			return text, true
		}
		return "", false
	})
}

// hasPassword tells whether an address has user:password@ in it.
func hasPassword(address string) bool {
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		rest = address
	}
	user, _, ok := strings.Cut(rest, "@")
	return ok && strings.Contains(user, ":") && !strings.Contains(user, "/")
}
