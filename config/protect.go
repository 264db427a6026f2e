package config

import (
	"errors"

	"github.com/prewarm/prewarm/registry"
)

// protectPattern is for editors, and takes more than registry.ParsePattern: what
// names of images are made of, stars among it.
const protectPattern = `^[A-Za-z0-9_.:@*\[\]-]+(/[A-Za-z0-9_.:@*-]+)*$`

func (r *reader) protect(field string, written []string) []registry.Pattern {
	return eachOnce(r, field, written, func(entry, text string) (registry.Pattern, bool) {
		pattern, err := registry.ParsePattern(text)
		var refused *registry.PatternError
		if errors.As(err, &refused) {
			r.add(entry, text, refused.Why, refused.Mend)
		}
		return pattern, err == nil
	})
}

// protectList writes patterns in full, which is read as the same.
func protectList(patterns []registry.Pattern) plainList {
	var list plainList
	for _, p := range patterns {
		list = append(list, p.String())
	}
	return list
}
