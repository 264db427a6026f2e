package main

import (
	"strings"
	"unicode"
)

// plain makes a stranger's text fit for one line of a terminal: what an image
// says of itself must not move the cursor.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool { return !unicode.IsPrint(r) }), " ")
}
