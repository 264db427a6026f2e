package config

import (
	"regexp"
	"strconv"

	"github.com/docker/go-units"
)

const (
	mib     = 1 << 20
	gib     = 1 << 30
	maxSize = 1 << 50 // more than any machine has
)

// sizePattern is how docker writes sizes. go-units takes more, as 1e3 and 0x1p4.
const sizePattern = `^([0-9]+\.?[0-9]*|\.[0-9]+) ?([bB]|[kKmMgGtT]([iI]?[bB])?)?$`

var sizeRule = regexp.MustCompile(sizePattern)

// size reads a number of bytes of at least least; standard where none is
// written.
func (r *reader) size(field, text string, standard, least int64) int64 {
	if !r.has(field) {
		return standard
	}
	size, ok := parseSize(text)
	switch {
	case !ok:
		r.add(field, text, "it is not a size of at most "+sizeText(maxSize), "write bytes, or a number with k, m, g or t, as in 512m or 2g")
		return standard
	case size < least:
		r.add(field, text, "it is too small", "write "+sizeText(least)+" or more")
	}
	return size
}

// parseSize reads 512m or 2g, in bytes.
func parseSize(text string) (size int64, ok bool) {
	size, err := units.RAMInBytes(text)
	return size, err == nil && sizeRule.MatchString(text) && size >= 0 && size <= maxSize
}

// sizeText writes a size as size reads it, in the largest unit that makes it a
// whole number; empty for none.
func sizeText(size int64) string {
	for _, unit := range []struct {
		name  string
		bytes int64
	}{{"t", 1 << 40}, {"g", gib}, {"m", mib}, {"k", 1 << 10}} {
		if size > 0 && size%unit.bytes == 0 {
			return strconv.FormatInt(size/unit.bytes, 10) + unit.name
		}
	}
	if size == 0 {
		return ""
	}
	return strconv.FormatInt(size, 10)
}
