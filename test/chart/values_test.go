package chart

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// leaves lists the paths of all values below node that are no map, or an empty one.
func leaves(node any, path string) map[string]bool {
	fields, ok := node.(map[string]any)
	if !ok || len(fields) == 0 {
		return map[string]bool{path: true}
	}
	found := make(map[string]bool)
	for name, field := range fields {
		maps.Copy(found, leaves(field, strings.TrimPrefix(path+"."+name, ".")))
	}
	return found
}

func document(t *testing.T, path string) (d map[string]any) {
	t.Helper()
	if err := yaml.Unmarshal(read(t, path), &d); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return d
}

// examples are the values files that the chart shows.
func examples(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(chart, "examples", "*.yaml"))
	if err != nil || len(found) == 0 {
		t.Fatalf("found no examples: %v", err)
	}
	return found
}

// TestValues demands that each value is set by a unit test or an example: one
// that none sets could as well do nothing.
func TestValues(t *testing.T) {
	used := make(map[string]bool)
	for _, example := range examples(t) {
		maps.Copy(used, leaves(document(t, example), ""))
	}
	suites, err := filepath.Glob(filepath.Join(chart, "tests", "*_test.yaml"))
	if err != nil || len(suites) == 0 {
		t.Fatalf("found no unit tests: %v", err)
	}
	for _, suite := range suites {
		tests, _ := document(t, suite)["tests"].([]any)
		for _, test := range tests {
			if set, ok := test.(map[string]any)["set"].(map[string]any); ok {
				maps.Copy(used, leaves(set, ""))
			}
		}
	}
	for _, value := range slices.Sorted(maps.Keys(leaves(document(t, filepath.Join(chart, "values.yaml")), ""))) {
		isIt := func(path string) bool { return path == value || strings.HasPrefix(path, value+".") }
		if !slices.ContainsFunc(slices.Collect(maps.Keys(used)), isIt) {
			t.Errorf("%s is set by no test below charts/prewarm/tests and by no example", value)
		}
	}
}

// TestVersion: the chart is released with the program.
func TestVersion(t *testing.T) {
	c := document(t, filepath.Join(chart, "Chart.yaml"))
	if c["version"] == nil || c["version"] != c["appVersion"] {
		t.Errorf("the chart's version is %v, and that of the program in it %v", c["version"], c["appVersion"])
	}
}
