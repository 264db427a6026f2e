package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// plainList is a list of words whose changes are told as they are; what is in
// other lists may be secret.
type plainList []string

// folders checks a list of folders of the hosts or of the server. They are
// compared with other paths, so each is written in one spelling.
func (r *reader) folders(field string, written []string) []string {
	return eachOnce(r, field, written, func(entry, text string) (string, bool) {
		return text, r.fullPath(entry, text)
	})
}

// fullPath tells whether a path is absolute and in its shortest spelling.
func (r *reader) fullPath(field, text string) bool {
	switch {
	case !path.IsAbs(text) || strings.ContainsRune(text, 0):
		r.add(field, text, "it is not an absolute path", "write it from the root on, as in /srv/data")
	case path.Clean(text) != text:
		r.add(field, text, "it is not the shortest spelling of the path", "write "+path.Clean(text))
	default:
		return true
	}
	return false
}

// eachOnce passes the entries of a list to check, which gives them in one
// spelling, and reports what stands twice. It gives what is good.
func eachOnce[T comparable](r *reader, field string, written []string, check func(entry, text string) (T, bool)) []T {
	var list []T
	seen := make(map[T]string)
	for i, text := range written {
		entry := fmt.Sprintf("%s[%d]", field, i)
		if r.spoiled[entry] {
			continue
		}
		value, ok := check(entry, text)
		if first, taken := seen[value]; ok && taken {
			r.add(entry, text, first+" says the same", "keep one of the two")
			ok = false
		}
		if ok {
			seen[value] = entry
			list = append(list, value)
		}
	}
	return list
}

// oneOf checks a list of words of which each is one of known.
func (r *reader) oneOf(field string, written, known []string, why string) []string {
	return eachOnce(r, field, written, func(entry, text string) (string, bool) {
		if slices.Contains(known, text) {
			return text, true
		}
		mend := "known: " + strings.Join(known, ", ")
		if near := nearest(text, known); near != "" {
			mend = "did you mean " + near + "?"
		}
		r.add(entry, text, why, mend)
		return "", false
	})
}
