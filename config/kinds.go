package config

import (
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// kindNames are YAML's kinds of nodes, in words for messages.
var kindNames = map[yaml.Kind]string{
	yaml.MappingNode:  "a mapping (key: value)",
	yaml.SequenceNode: "a list",
	yaml.ScalarNode:   "a single value",
}

// kindOf is the kind of node that a type of the document is written as.
func kindOf(t reflect.Type) yaml.Kind {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return yaml.MappingNode
	case reflect.Slice:
		return yaml.SequenceNode
	default:
		return yaml.ScalarNode
	}
}

// mendKind says how a value of a type is written.
func mendKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct:
		return "write its keys: " + strings.Join(keysOf(fieldsOf(t)), ", ")
	case reflect.Map:
		words := wordsOf(t)
		return "write keys with their values, as in {" + words.example + "}"
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Struct {
			return "write a list of plain values, as in [first, second]"
		}
		return "write a list of entries that each begin with '- " + fieldsOf(t.Elem())[0].key + ":'"
	default:
		return "write one value"
	}
}

// typeOf is the type of a known key, or nil.
func typeOf(fields []field, key string) reflect.Type {
	for _, f := range fields {
		if f.key == key {
			return f.typ
		}
	}
	return nil
}

func keysOf(fields []field) []string {
	var keys []string
	for _, f := range fields {
		keys = append(keys, f.key)
	}
	return keys
}

// holdsSecret tells whether a mapping has a secret among its keys: messages
// about it then repeat less of what was written.
func holdsSecret(fields []field) bool {
	for _, f := range fields {
		if f.typ == reflect.TypeFor[Secret]() {
			return true
		}
	}
	return false
}
