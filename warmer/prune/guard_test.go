package prune

import (
	"slices"
	"testing"
)

func TestProtected(t *testing.T) {
	t.Parallel()
	policy := func(patterns ...string) Policy {
		return Policy{Unmanaged: LeastRecently, Need: 1000, Protect: protecting(t, patterns...)}
	}
	const base = "registry.test/base/node"
	table{
		{"by a name of the others", policy("registry.test/base/*"), "a names=" + base + ":1\nb names=registry.test/x:1", "b least_recently_used 10; a protected"},
		{"by one of several", policy("node"), "a names=registry.test/x:1,docker.io/library/node:22", "; a protected"},
		{"also where it is ours", policy("registry.test/base/*"), "a superseded names=" + base + ":1", "; a protected"},
		{"by its digest", policy("registry.test/a@sha256:6100*"), "a superseded\nb superseded", "b superseded 10; a protected"},
		{"a digest of ours is not its tag", policy("registry.test/a"), "a superseded", "a superseded 10; "},
		{"the last digest of a tag", policy("registry.test/base/*"), "a superseded refs=" + base + ":1", "; a last_copy"},
		{"the older ones go", policy("registry.test/base/*"), "a superseded used=3h refs=" + base + ":1\nb superseded used=4h refs=" + base + ":1", "b superseded 10; a last_copy"},
		{"the current one is a copy", policy("registry.test/base/*"), "a superseded refs=" + base + ":1\nb wanted claim=current refs=" + base + ":1", "a superseded 10; b current"},
		{"the kept one, too", policy("registry.test/base/*"), "a superseded refs=" + base + ":1\nb kept refs=" + base + ":1", "a superseded 10; b last_copy"},
		{"each tag has its own", policy("registry.test/base/*"), "a superseded used=4h refs=" + base + ":1\nb superseded used=3h refs=" + base + ":1," + base + ":2", "a superseded 10; b last_copy"},
		{"one of several tags is enough", policy("registry.test/base/*:2"), "a superseded refs=" + base + ":1," + base + ":2\nb superseded refs=" + base + ":1", "b superseded 10; a last_copy"},
		{"two digests of one image are one copy", policy("registry.test/base/*"), "a superseded refs=" + base + ":1 superseded refs=" + base + ":1", "; a last_copy"},
		{
			"what the cap lets stay is a copy",
			Policy{MaxRemovals: 1, Protect: protecting(t, "registry.test/base/*")},
			"n never_current\na superseded used=4h refs=" + base + ":1\nb superseded used=3h refs=" + base + ":1", "n never_current 10; a max_removals, b max_removals",
		},
	}.run(t)
}

func TestUnmatched(t *testing.T) {
	t.Parallel()
	inv := host(t, `
		a names=docker.io/library/node:22
		b wanted claim=current refs=registry.test/base/x:1
		c superseded in=web names=registry.test/y:1`)
	p := Policy{Protect: protecting(t, "node", "registry.test/base/*", "registry.test/y:2", "registry.test/y", "nodejs", "registry.test/b@sha256:62*", "**/node:22")}
	got := Decide(p, inv).Unmatched
	if want := []string{"registry.test/y:2", "docker.io/library/nodejs"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
