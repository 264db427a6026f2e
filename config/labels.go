package config

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

var labelKey = regexp.MustCompile(`^[a-z0-9][a-z0-9._/-]{0,62}$`)

// labels walks a mapping of free keys: a host's labels or an image's selector.
// viper lower-cases every key of every mapping, so that pool and Pool would
// silently be one; upper case is refused here, where the text still is as
// written.
func (r *reader) labels(n *yaml.Node, path string) any {
	values := make(map[string]any)
	r.eachKey(n, path, func(key string, value *yaml.Node, pos position) {
		child := join(path, shown(key))
		value = follow(value)
		r.at[child] = pos
		switch {
		case key != strings.ToLower(key):
			r.spoil(child, "a label has no upper-case letters", "write "+shown(strings.ToLower(key)))
		case !labelKey.MatchString(key):
			r.spoil(child, "a label is 1 to 63 letters, digits, '.', '_', '-' or '/', and begins with a letter or a digit", "choose another name")
		case value.Kind != yaml.ScalarNode || tagged(value):
			r.spoil(child, "the value of a label is a single value", "write a plain value, as in pool: etl")
		case isNull(value) || value.Value == "":
			r.spoil(child, "the label has no value", "write a value, as in pool: etl")
		default:
			values[key] = value.Value
		}
	})
	return values
}
