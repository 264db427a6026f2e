package webhook

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// step is one name of a path.
type step struct {
	key  string
	each bool // it is a list, all of whose elements are walked
}

// path is where in JSON something is.
type path []step

func parsePath(s string) (path, error) {
	var p path
	for part := range strings.SplitSeq(s, ".") {
		key, each := strings.CutSuffix(part, "[]")
		if strings.ContainsAny(key, "[]{} ") || key == "" && (!each || len(p) > 0) {
			return nil, fmt.Errorf("%q is no path; write names with dots between them, and [] after that of a list: detail.image-tag, resources[].tag", s)
		}
		p = append(p, step{key, each})
	}
	return p, nil
}

func (p path) String() string {
	var parts []string
	for _, s := range p {
		if s.each {
			s.key += "[]"
		}
		parts = append(parts, s.key)
	}
	return strings.Join(parts, ".")
}

// list is the path up to the last list on it.
func (p path) list() path {
	for i, s := range slices.Backward(p) {
		if s.each {
			return p[:i+1]
		}
	}
	return nil
}

func (p path) lists() int {
	n := 0
	for _, s := range p {
		if s.each {
			n++
		}
	}
	return n
}

func (p path) startsWith(q path) bool { return len(p) >= len(q) && slices.Equal(p[:len(q)], q) }

// each calls f for each element of the path's last list, with the body and the
// elements of all lists on the way. A path without a list has the body alone.
func (p path) each(body any, f func(scope []any) error) error {
	return p.walk([]any{body}, body, f)
}

func (p path) walk(scope []any, node any, f func([]any) error) error {
	for i, s := range p {
		next, err := enter(node, s.key, s.each || i+1 < len(p))
		if err != nil {
			return err
		}
		node = next
		if !s.each || node == nil {
			continue
		}
		if o, ok := node.(opened); ok {
			node = o.inner
		}
		elements, ok := node.([]any)
		if !ok {
			return fmt.Errorf("%s: want an array", s.key)
		}
		for _, e := range elements {
			if err := p[i+1:].walk(append(slices.Clip(scope), e), e, f); err != nil {
				return err
			}
		}
		return nil
	}
	if p.lists() > 0 { // one on the way is not there, and so has no elements
		return nil
	}
	return f(scope)
}

// value is the text at the path's end, within the scope that each has found;
// empty where there is none.
func (p path) value(scope []any) (string, error) {
	rest := p[len(p.list()):]
	node := scope[p.lists()]
	for i, s := range rest {
		var err error
		if node, err = enter(node, s.key, i+1 < len(rest)); err != nil {
			return "", err
		}
	}
	switch v := node.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case opened:
		return v.text, nil
	case json.Number:
		return v.String(), nil
	}
	return "", fmt.Errorf("%s: want a string or a number", p)
}

// opened is a string with the JSON in it. It stands in the string's place, so
// that nothing is read once more for each element of a list.
type opened struct {
	text  string
	inner any
}

// enter is what an object has under a key; nil where it has nothing. No key is
// the object itself. Further tells that something within it is asked for next.
func enter(node any, key string, further bool) (any, error) {
	if key == "" {
		return node, nil
	}
	if o, ok := node.(opened); ok {
		node = o.inner
	}
	switch n := node.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		if s, ok := n[key].(string); ok && further {
			n[key] = open(s)
		}
		return n[key], nil
	}
	return nil, fmt.Errorf("%s: what should hold it is no object", key)
}

// open reads the JSON within a string, where there is any: some senders put an
// event so into an envelope of theirs.
func open(s string) opened {
	var inner any
	if read([]byte(s), &inner) == nil {
		return opened{s, inner}
	}
	if decoded, err := base64.StdEncoding.DecodeString(s); err == nil && read(decoded, &inner) == nil {
		return opened{s, inner}
	}
	return opened{s, s}
}

// text is a path, or paths within a text.
type text struct {
	source string
	words  []string // what is around the paths: always one more than there are
	paths  []path
}

func parseText(source string) (text, error) {
	t := text{source: source}
	if source == "" {
		return t, nil
	}
	if !strings.ContainsAny(source, "{}") {
		p, err := parsePath(source)
		t.words, t.paths = []string{"", ""}, []path{p}
		return t, err
	}
	for rest := source; ; {
		word, after, ok := strings.Cut(rest, "{")
		if strings.Contains(word, "}") {
			return t, errors.New("a } has no { before it")
		}
		t.words = append(t.words, word)
		if !ok {
			return t, nil
		}
		inner, after, ok := strings.Cut(after, "}")
		if !ok {
			return t, errors.New("a { has no } behind it")
		}
		p, err := parsePath(inner)
		if err != nil {
			return t, err
		}
		t.paths, rest = append(t.paths, p), after
	}
}

// read is the text with what its paths lead to; empty where one leads nowhere.
func (t text) read(scope []any) (string, error) {
	if t.source == "" {
		return "", nil
	}
	var b strings.Builder
	b.WriteString(t.words[0])
	for i, p := range t.paths {
		value, err := p.value(scope)
		if value == "" || err != nil {
			return "", err
		}
		b.WriteString(value)
		b.WriteString(t.words[i+1])
	}
	return b.String(), nil
}
