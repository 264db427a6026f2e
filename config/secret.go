package config

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
)

// masked is what a secret looks like.
const masked = "***"

// maxSecretFile bounds a secret file, in bytes: a token is far below, and a
// wrong path to something large is told instead of read.
const maxSecretFile = 64 << 10

// Secret is text that must not be seen. Every way to print, log or encode it
// gives "***"; only Reveal gives the text. Never make it the key of a map:
// encoding/json takes the text of such keys as it is.
type Secret string

// Reveal is the secret itself. Call it where the secret leaves for the one who
// asked for it, and nowhere else.
func (s Secret) Reveal() string { return string(s) }

// String is "***".
func (Secret) String() string { return masked }

// GoString is "***", for %#v.
func (Secret) GoString() string { return masked }

// Format writes "***" for every verb: without it %d and its like would print
// the text, as fmt asks String for some verbs only.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, masked) }

// MarshalText is "***", for YAML and whatever asks for text.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// MarshalJSON is "***" in quotes.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + masked + `"`), nil }

// LogValue is "***", for log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// secretFile reads the secret in a file, without one trailing newline, which
// editors add.
func (r *reader) secretFile(field, written string) (path string, secret Secret) {
	path, b := r.namedFile(field, written, maxSecretFile)
	text, cut := strings.CutSuffix(string(b), "\r\n")
	if !cut {
		text = strings.TrimSuffix(text, "\n")
	}
	if path != "" && text == "" {
		r.add(field, written, "the file is empty", "write the secret into it")
	}
	return path, Secret(text)
}

// heldSecret is a secret that one of two keys gives.
type heldSecret struct {
	text Secret
	file string // absolute, where a file held it
	at   string // the key it stands at; empty where it was refused
}

// secret takes a secret that is written at field, or is in the file that the
// key field_file names.
func (r *reader) secret(field string, text Secret, file string) (held heldSecret, written bool) {
	fileField := field + "_file"
	switch {
	case r.has(field) && r.has(fileField):
		r.add(fileField, "", lastKey(field)+" and "+lastKey(fileField)+" stand together", "keep one of the two")
		return heldSecret{}, true
	case r.has(field):
		return heldSecret{text: text, at: field}, true
	case !r.has(fileField):
		return heldSecret{}, r.spoiled[field] || r.spoiled[fileField]
	}
	held.file, held.text = r.secretFile(fileField, file)
	if held.text != "" {
		held.at = fileField
	}
	return held, true
}

// secretKeySize is the length of the key that seals secret values, in bytes.
const secretKeySize = 32

// secretKey reads the key in a file, of which no message tells anything.
func (r *reader) secretKey(field, written string) (path string, key Secret) {
	if !r.has(field) || r.spoiled[field] {
		return "", ""
	}
	path, ok := r.path(field, written)
	if !ok {
		return "", ""
	}
	const mend = "make one with: head -c 32 /dev/urandom | base64 > secret.key, and let Prewarm's user alone read it"
	b, ok := r.file(field, written, path, maxSecretFile, mend)
	if !ok {
		return "", ""
	}
	b, err := base64.StdEncoding.Strict().DecodeString(string(bytes.TrimSpace(b)))
	if err != nil || len(b) != secretKeySize {
		r.add(field, written, "it does not hold 32 bytes in base64", mend)
	}
	return path, Secret(b)
}
