package config

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"name", "repository", "track", "hosts", "watch"}
	for word, want := range map[string]string{
		"nam":         "name",
		"NAME":        "name",
		"repo":        "",
		"repositry":   "repository",
		"repositorys": "repository",
		"host":        "hosts",
		"wtach":       "",
		"watches":     "watch",
		"keep":        "",
		"":            "",
		"é":           "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
