package docker

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The calls that the documentation lists are those that the tests hold us to.
func TestTheDocumentedCallsAreAllCalls(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/engines.md")
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile("testdata/calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	var told, made []string
	for _, call := range regexp.MustCompile("`((?:GET|HEAD|POST|PUT|DELETE) /[^`]*)`").FindAllStringSubmatch(string(doc), -1) {
		if !slices.Contains(told, call[1]) {
			told = append(told, call[1])
		}
	}
	for line := range strings.Lines(string(list)) {
		if words := strings.Fields(line); len(words) >= 2 && words[0] != "#" {
			made = append(made, words[0]+" "+words[1])
		}
	}
	slices.Sort(told)
	slices.Sort(made)
	if !slices.Equal(told, made) {
		t.Errorf("documented %q\nmade       %q", told, made)
	}
}
