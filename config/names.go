package config

import (
	"fmt"
	"regexp"
)

var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

// names are the names of one list so far, each with its entry's path.
type names map[string]string

// checkName reports a name that is missing, misspelt or taken. entry is the
// path of the entry: hosts[0].
func (r *reader) checkName(seen names, entry, name string) {
	path := entry + ".name"
	switch {
	case !r.has(path):
		r.add(path, "", "it is missing", "give the entry a name")
	case !nameRule.MatchString(name):
		r.add(path, name, "a name is 1 to 63 lower-case letters, digits, '.' or '-', and begins with a letter or a digit", "choose another name")
	default:
		r.checkUnique(seen, entry, name)
	}
}

// checkUnique reports a name that an earlier entry has.
func (r *reader) checkUnique(seen names, entry, name string) {
	if first, taken := seen[name]; taken {
		r.add(entry+".name", name, fmt.Sprintf("%s has this name already", first), "choose another name, or make one entry of the two")
		return
	}
	seen[name] = entry
}
