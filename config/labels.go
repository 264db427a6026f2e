package config

import (
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

var labelKey = regexp.MustCompile(`^[a-z0-9][a-z0-9._/-]{0,62}$`)

// labelWords are how messages speak of a mapping of free keys.
type labelWords struct{ one, example string }

func wordsOf(t reflect.Type) labelWords {
	if t == reflect.TypeFor[metaDoc]() {
		return labelWords{"a key of meta", "customer: acme"}
	}
	return labelWords{"a label", "pool: etl"}
}

// labels walks a mapping of free keys: a host's labels, an image's selector or
// the meta of runs. viper lower-cases every key of every mapping, so that pool and Pool would
// silently be one; upper case is refused here, where the text still is as
// written.
func (r *reader) labels(n *yaml.Node, path string, words labelWords) any {
	values := make(map[string]any)
	r.eachKey(n, path, func(key string, value *yaml.Node, pos position) {
		child := join(path, shown(key))
		value = follow(value)
		r.at[child] = pos
		switch {
		case key != strings.ToLower(key):
			r.spoil(child, words.one+" has no upper-case letters", "write "+shown(strings.ToLower(key)))
		case !labelKey.MatchString(key):
			r.spoil(child, words.one+" is 1 to 63 letters, digits, '.', '_', '-' or '/', and begins with a letter or a digit", "choose another name")
		case value.Kind != yaml.ScalarNode || tagged(value):
			r.spoil(child, "the value of "+words.one+" is a single value", "write a plain value, as in "+words.example)
		case isNull(value) || value.Value == "":
			r.spoil(child, "it has no value", "write one, as in "+words.example)
		default:
			values[key] = value.Value
		}
	})
	return values
}
