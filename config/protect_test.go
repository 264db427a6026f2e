package config

import (
	"regexp"
	"testing"

	"github.com/prewarm/prewarm/registry"
)

func mustPatterns(t *testing.T, texts ...string) []registry.Pattern {
	t.Helper()
	var patterns []registry.Pattern
	for _, text := range texts {
		p, err := registry.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		patterns = append(patterns, p)
	}
	return patterns
}

// The schema refuses no pattern that Load takes.
func FuzzProtectPattern(f *testing.F) {
	for _, seed := range []string{
		"debian", "debian:*", "debian@sha256:*", "etl/tools:1.*", "docker.io/library/debian:*", "docker.io/**", "registry.example.com/base/*",
		"registry:5000/node:22", "localhost/node:22", "LOCAL.example.com/a/b__c/d:v1.2_3-", "[::1]:5000/x", "*", "**", "**/base/*", "*.example.com/**",
		"registry*:5000/*", "node@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	} {
		if _, err := registry.ParsePattern(seed); err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	schema := regexp.MustCompile(protectPattern)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := registry.ParsePattern(text); err == nil && !schema.MatchString(text) {
			t.Fatalf("the schema refuses %q", text)
		}
	})
}
