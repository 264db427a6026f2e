package main

import "testing"

func TestEachVerbStandsInAChapter(t *testing.T) {
	t.Parallel()
	verbs := make(map[string]bool)
	for _, verb := range newRoot().Commands() {
		verbs[verb.Name()] = true
		if verb.GroupID == "" {
			t.Errorf("%s is in none of the chapters", verb.Name())
		}
	}
	for _, c := range chapters {
		for _, verb := range c.verbs {
			if !verbs[verb] {
				t.Errorf("the chapter %q names %s, which is no verb", c.title, verb)
			}
		}
	}
}
