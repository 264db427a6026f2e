package main

import (
	"regexp"
	"slices"
	"testing"
)

// Each stands for a verb that is not there, and sends to one that is.
func TestDockerVerbs(t *testing.T) {
	t.Parallel()
	verbs, named := verbNames(newRoot()), regexp.MustCompile(`prewarm (\w+)`)
	for verb, instead := range dockerVerbs {
		if slices.Contains(verbs, verb) {
			t.Errorf("%s is a verb of ours", verb)
		}
		all := named.FindAllStringSubmatch(instead, -1)
		if len(all) == 0 {
			t.Errorf("%s: %q names no verb", verb, instead)
		}
		for _, match := range all {
			if !slices.Contains(verbs, match[1]) {
				t.Errorf("%s: there is no prewarm %s", verb, match[1])
			}
		}
	}
}
