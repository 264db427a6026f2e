package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// walk turns a node into plain values for viper, as the type of the document
// at path says, and reports what does not fit. It is nil where nothing is left.
// The depth is the type's, not the text's: an alias within itself ends.
func (r *reader) walk(n *yaml.Node, t reflect.Type, path string) any {
	n = follow(n)
	want := kindOf(t)
	switch {
	case tagged(n):
		r.spoil(path, "a YAML tag (!…) is not understood", "put a value that begins with ! in quotes")
		return nil
	case n.Kind != want:
		r.spoil(path, fmt.Sprintf("it must be %s, and is %s", kindNames[want], kindNames[n.Kind]), mendKind(t))
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return r.mapping(n, t, path)
	case reflect.Map:
		return r.labels(n, path, wordsOf(t))
	case reflect.Slice:
		return r.list(n, t.Elem(), path)
	default:
		return r.scalar(n, t, path)
	}
}

// mapping walks a mapping of known keys.
func (r *reader) mapping(n *yaml.Node, t reflect.Type, path string) any {
	fields := fieldsOf(t)
	values := make(map[string]any)
	r.eachKey(n, path, func(key string, value *yaml.Node, pos position) {
		child := join(path, key)
		typ := typeOf(fields, key)
		switch {
		case typ == nil:
			r.unknown(fields, path, key, pos, isNull(value))
		case r.over[child] || isNull(value):
		default:
			r.at[child] = pos
			if v := r.walk(value, typ, child); v != nil {
				values[key] = v
			}
		}
	})
	return values
}

// list walks a list. An entry that is dropped leaves an empty one, so that the
// paths of the others stay right.
func (r *reader) list(n *yaml.Node, elem reflect.Type, path string) any {
	values := []any{}
	for i, item := range n.Content {
		child := path + "[" + strconv.Itoa(i) + "]"
		r.at[child] = position{r.source, item.Line}
		var v any
		if isNull(item) {
			r.spoil(child, "the entry is empty", "fill it in, or remove its '-'")
		} else {
			v = r.walk(item, elem, child)
		}
		switch {
		case v != nil:
		case elem.Kind() == reflect.Struct:
			v = map[string]any{}
		default:
			v = ""
		}
		values = append(values, v)
	}
	return values
}

// scalar reads by the text, not by YAML's idea of its type: an unquoted tag
// 1.10 would else become the number 1.1.
func (r *reader) scalar(n *yaml.Node, t reflect.Type, path string) any {
	switch t.Kind() {
	case reflect.Int:
		i, err := strconv.Atoi(n.Value)
		if err == nil {
			return i
		}
		r.add(path, n.Value, "it is not a whole number", "write digits only")
	case reflect.Bool:
		switch strings.ToLower(n.Value) {
		case "true":
			return true
		case "false":
			return false
		}
		r.add(path, n.Value, "it is neither true nor false", "write true or false")
	default:
		return n.Value
	}
	r.spoiled[path] = true
	return nil
}

// eachKey passes the keys of a mapping to do, and reports what YAML allows in
// keys and we don't.
func (r *reader) eachKey(n *yaml.Node, path string, do func(key string, value *yaml.Node, pos position)) {
	lines := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		node, value := follow(n.Content[i]), n.Content[i+1]
		pos := position{r.source, n.Content[i].Line}
		first, twice := lines[node.Value]
		switch {
		case node.Kind != yaml.ScalarNode || tagged(node):
			r.addAt(pos, path, "a key is not plain text", "write the key as one plain word")
		case node.ShortTag() == "!!merge":
			r.addAt(pos, path, "merge keys (<<) are not understood", "write the keys out")
			r.spoiled[path] = true
		case twice:
			r.addAt(pos, join(path, shown(node.Value)), fmt.Sprintf("the key stands in line %d already", first), "keep one of the two")
		default:
			lines[node.Value] = pos.line
			do(node.Value, value, pos)
		}
	}
}

// addAt reports a mistake at a position of its own.
func (r *reader) addAt(pos position, field, why, mend string) {
	r.found = append(r.found, Mistake{File: pos.file, Line: pos.line, Field: field, Why: why, Mend: mend})
}

// unknown reports a key that the mapping at path does not know.
func (r *reader) unknown(fields []field, path, key string, pos position, empty bool) {
	known := keysOf(fields)
	mend := "known here: " + strings.Join(known, ", ")
	if near := nearest(key, known); near != "" {
		mend = fmt.Sprintf("did you mean %s?", near)
		r.spoiled[join(path, near)] = true
	}
	shownKey := shown(key)
	if holdsSecret(fields) {
		shownKey = firstWord(shownKey)
		if empty {
			// "{password, hunter2}": a comma for a colon makes a key of it.
			r.addAt(pos, path, "a key is unknown and has no value", mend)
			return
		}
	}
	r.addAt(pos, join(path, shownKey), "unknown key", mend)
	r.spoiled[join(path, key)] = true
}

// follow is the node that an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// isNull tells whether a value is written as nothing, ~ or null: it is then
// taken as left out.
func isNull(n *yaml.Node) bool {
	n = follow(n)
	return n.Kind == yaml.ScalarNode && !tagged(n) && n.ShortTag() == "!!null"
}

// tagged tells whether a node carries a tag that would change its meaning.
func tagged(n *yaml.Node) bool {
	return n.Style&yaml.TaggedStyle != 0 && n.ShortTag() != "!!str"
}
