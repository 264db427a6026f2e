package config

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// The page for users is part of the promise: its examples load, and it names
// every key and variable.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(examples) < 2 {
		t.Errorf("%d examples in the page", len(examples))
	}
	for _, example := range examples {
		mustLoad(t, write(t, example[1]))
	}
	for _, s := range settings() {
		if !strings.Contains(string(page), "`"+s.variable()+"`") {
			t.Errorf("the page does not name %s", s.variable())
		}
		for _, key := range leaves(s.typ, s.path) {
			if !strings.Contains(string(page), "`"+key+"`") {
				t.Errorf("the page does not describe %s of %s", key, s.path)
			}
		}
	}
}

// leaves are the keys to be described for a setting: server.listen, and within
// a list limits.pulls.
func leaves(typ reflect.Type, path string) []string {
	if typ.Kind() == reflect.Slice {
		return leaves(typ.Elem(), "")
	}
	if typ.Kind() != reflect.Struct {
		return []string{path}
	}
	var keys []string
	for _, f := range fieldsOf(typ) {
		keys = append(keys, leaves(f.typ, join(path, f.key))...)
	}
	return keys
}
