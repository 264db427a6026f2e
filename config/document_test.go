package config

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// viper does not see a key of the environment that has no default.
func TestDefaultsAreTheSettings(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, s := range settings() {
		keys = append(keys, s.key())
	}
	slices.Sort(keys)
	if diff := cmp.Diff(keys, slices.Sorted(maps.Keys(defaults()))); diff != "" {
		t.Errorf("defaults differ from the document's settings (-settings +defaults):\n%s", diff)
	}
}

// The same key is in two tags: one to read, one to write.
func TestTagsAgree(t *testing.T) {
	t.Parallel()
	var check func(typ reflect.Type)
	check = func(typ reflect.Type) {
		for f := range typ.Fields() {
			key, written := f.Tag.Get("mapstructure"), f.Tag.Get("yaml")
			if written != key && written != key+",omitempty" && written != key+",omitempty,flow" {
				t.Errorf("%s.%s is read as %q and written as %q", typ, f.Name, key, written)
			}
			inner := f.Type
			if inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				check(inner)
			}
		}
	}
	check(reflect.TypeFor[document]())
}
