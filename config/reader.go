package config

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"path/filepath"
	"strings"
)

// reader is one Load: where things stand, and what is wrong with them.
type reader struct {
	folder string // of the configuration file
	source string // being walked: the file, or an environment variable
	home   string // of Prewarm's user
	found  Mistakes
	// at is where each key with a value stands; "" is the file as a whole.
	at map[string]position
	// over are the paths that the environment sets; the file's are passed over.
	over map[string]bool
	// spoiled are the paths whose value was dropped. What follows from that is
	// not reported as well.
	spoiled map[string]bool
	// read are the files that were read, or should have been, held is what each
	// held, and contents is over all of it.
	read     []string
	held     map[string]sum
	contents hash.Hash
}

type position struct {
	file string
	line int
}

func newReader(path, home string) *reader {
	folder := filepath.Dir(path)
	// Without a working directory the folder stays relative, and so does what
	// is resolved against it: it still names the same files.
	if abs, err := filepath.Abs(folder); err == nil {
		folder = abs
	}
	return &reader{
		folder:   folder,
		source:   path,
		home:     home,
		at:       map[string]position{"": {file: path}},
		over:     make(map[string]bool),
		spoiled:  make(map[string]bool),
		held:     make(map[string]sum),
		contents: sha256.New(),
	}
}

// readFile reads a file of at most limit bytes, or says why it can't.
func (r *reader) readFile(path string, limit int64) (b []byte, why string) {
	b, why = readLimited(path, limit)
	r.read = append(r.read, path)
	r.held[path] = sha256.Sum256(b)
	// A hash never fails. The quotes part one file from the next.
	fmt.Fprintf(r.contents, "%q %q %q\n", path, b, why)
	return b, why
}

// sum is over all that was read so far.
func (r *reader) sum() sum { return sum(r.contents.Sum(nil)) }

// add reports a mistake, unless it follows from one that is reported already.
// field is a full path; it or the nearest one around it gives the position.
// Values of secrets are never passed in.
func (r *reader) add(field, value, why, mend string) {
	if r.follows(field) {
		return
	}
	pos := r.position(field)
	r.found = append(r.found, Mistake{
		File: pos.file, Line: pos.line, Field: field,
		Value: r.presentable(field, value), Why: why, Mend: mend,
	})
}

// follows tells whether path or one around it was dropped.
func (r *reader) follows(path string) bool {
	for ; path != ""; path = parent(path) {
		if r.spoiled[path] {
			return true
		}
	}
	return r.spoiled[""]
}

// position is where path stands, or the nearest one around it.
func (r *reader) position(path string) position {
	for ; path != ""; path = parent(path) {
		if pos, ok := r.at[path]; ok {
			return pos
		}
	}
	return r.at[""]
}

// spoil reports a mistake that leaves field without a value.
func (r *reader) spoil(field, why, mend string) {
	r.add(field, "", why, mend)
	r.spoiled[field] = true
}

// spoiledWithin tells whether something in path, or around it, was dropped.
func (r *reader) spoiledWithin(path string) bool {
	for p := range r.spoiled {
		if p == "" || p == path || strings.HasPrefix(p, path+".") || strings.HasPrefix(p, path+"[") {
			return true
		}
	}
	return false
}

// has tells whether the file or the environment gives path a value.
func (r *reader) has(path string) bool {
	_, ok := r.at[path]
	return ok
}

func (r *reader) presentable(field, value string) string {
	for _, list := range []string{registriesPath, tokensPath, webhooksPath} {
		if strings.HasPrefix(field, list) {
			value = firstWord(value)
		}
	}
	return shown(value)
}

// parent is the path around a path: hosts[0].name, hosts[0], hosts, "".
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// join is the path of a key in the mapping at path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
