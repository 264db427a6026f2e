package registry

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const hex64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestPatternMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pattern, matches, not string }{
		{"node", "docker.io/library/node:22 docker.io/library/node@sha256:" + hex64, "docker.io/library/nodejs:22 docker.io/etl/node:22 registry.test/node:22"},
		{"node:22", "docker.io/library/node:22", "docker.io/library/node:22-slim docker.io/library/node@sha256:" + hex64},
		{"node:22*", "docker.io/library/node:22 docker.io/library/node:22-slim", "docker.io/library/node:20 docker.io/library/node@sha256:" + hex64},
		{"node:*", "docker.io/library/node:22", "docker.io/library/node@sha256:" + hex64},
		{"docker.io/node", "docker.io/library/node:22", "docker.io/node:22"},
		{"index.docker.io/etl/node", "docker.io/etl/node:22", "docker.io/library/node:22"},
		{"etl/*", "docker.io/etl/node:22 docker.io/etl/x:1", "docker.io/etl/a/b:1 docker.io/library/etl:1 registry.test/etl/x:1"},
		{"*", "docker.io/library/node:22", "docker.io/etl/node:22 registry.test/node:22"},
		{"docker.io/**", "docker.io/library/node:22 docker.io/a/b/c:1", "registry.test/a:1"},
		{"registry.test/base/*", "registry.test/base/node:1 registry.test/base/node@sha256:" + hex64, "registry.test/base/a/b:1 registry.test/base:1 registry.test/x/base/node:1"},
		{"registry.test/base/**", "registry.test/base/node:1 registry.test/base/a/b:1", "registry.test/base:1 registry.test/based/x:1"},
		{"registry.test/base-*/x", "registry.test/base-a/x:1 registry.test/base-/x:1", "registry.test/base-a/b/x:1 registry.test/base-a/y:1"},
		{"registry.test/**/x", "registry.test/a/x:1 registry.test/a/b/x:1", "registry.test/a/xx:1 registry.test/x:1"},
		{"**/node:22", "docker.io/library/node:22 registry.test/node:22", "docker.io/library/node:20"},
		{"**", "docker.io/library/node:22 registry.test/a/b@sha256:" + hex64, ""},
		{"*.test/x", "registry.test/x:1", "registry.example/x:1 a.b.test/y:1"},
		{"*.test:5000/x", "registry.test:5000/x:1", "registry.test/x:5000 registry.test:5001/x:1"},
		{"registry.test:5000/x", "registry.test:5000/x:1", "registry.test/x:5000"},
		{"localhost/x", "localhost/x:1", "docker.io/localhost/x:1"},
		{"[::1]:5000/*", "[::1]:5000/x:1", "docker.io/library/x:1"},
		{"node@sha256:" + hex64, "docker.io/library/node@sha256:" + hex64, "docker.io/library/node:22 docker.io/library/node@sha256:" + strings.Repeat("0", 64)},
		{"node@sha256:0123*", "docker.io/library/node@sha256:" + hex64, "docker.io/library/node:22"},
		{"node@*", "docker.io/library/node@sha256:" + hex64, "docker.io/library/node:22"},
		{"registry.test/a*b*c/d*", "registry.test/abcbc/d:1 registry.test/axbxc/def:1", "registry.test/abcbd/d:1"},
	} {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		for name := range strings.FieldsSeq(c.matches) {
			if !p.Match(name) {
				t.Errorf("%q does not match %s", c.pattern, name)
			}
		}
		for name := range strings.FieldsSeq(c.not) {
			if p.Match(name) {
				t.Errorf("%q matches %s", c.pattern, name)
			}
		}
	}
	if (Pattern{}).Match("docker.io/library/node:22") || (Pattern{}).Match("") {
		t.Error("the zero pattern matches something")
	}
}

// What is written in several ways is one pattern, and String writes it in full.
func TestPatternInFull(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"debian":                      "docker.io/library/debian",
		"debian:*":                    "docker.io/library/debian:*",
		"debian:**":                   "docker.io/library/debian:*",
		"debian:12**-slim":            "docker.io/library/debian:12*-slim",
		"debian@**":                   "docker.io/library/debian@*",
		"debian@sha256:0**1":          "docker.io/library/debian@sha256:0*1",
		"etl/*":                       "docker.io/etl/*",
		"*/golden":                    "docker.io/*/golden",
		"docker.io/debian:12":         "docker.io/library/debian:12",
		"index.docker.io/debian:*":    "docker.io/library/debian:*",
		"docker.io/library/debian":    "docker.io/library/debian",
		"docker.io/*":                 "docker.io/library/*",
		"docker.io/**":                "docker.io/**",
		"registry.example.com/base/*": "registry.example.com/base/*",
		"registry:5000/node:22":       "registry:5000/node:22",
		"localhost/node":              "localhost/node",
		"*.example.com/**":            "*.example.com/**",
		"**/golden:*":                 "**/golden:*",
		"**":                          "**",
	} {
		p, err := ParsePattern(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if p.String() != want {
			t.Errorf("%q is %s, want %s", text, p, want)
		}
		if again, err := ParsePattern(want); err != nil || again != p {
			t.Errorf("%q is %#v, and in full %#v, %v", text, p, again, err)
		}
		if p.NamesDigest() != strings.Contains(text, "@") {
			t.Errorf("%q names digests: %t", text, p.NamesDigest())
		}
	}
}

func TestParsePatternRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               `parse pattern "": it names nothing; write a name, such as registry.example.com/base/*`,
		"  ":                             `parse pattern "  ": it names nothing; write a name, such as registry.example.com/base/*`,
		"https://registry.test/x":        `parse pattern "https://registry.test/x": a name has no scheme; begin with the registry: registry.example.com/base/*`,
		"a***b":                          `parse pattern "a***b": three stars mean nothing; write * for a run within a component, ** for one across slashes`,
		"node:":                          `parse pattern "node:": nothing follows its last :; leave that out to mean any tag, or write one`,
		"node:@sha256:" + hex64:          `parse pattern "node:@sha256:` + hex64 + `": nothing follows its last :; leave that out to mean any tag, or write one`,
		"node@":                          `parse pattern "node@": nothing follows its last @; leave that out to mean any tag and digest, or write a digest`,
		hex64:                            `parse pattern "` + hex64 + `": that is an id, which differs from host to host; write the image's name, or repository@sha256:…`,
		"sha256:" + hex64:                `parse pattern "sha256:` + hex64 + `": that is an id, which differs from host to host; write the image's name, or repository@sha256:…`,
		"node:22@sha256:" + hex64:        `parse pattern "node:22@sha256:` + hex64 + `": it has a tag and a digest, and no name on a host has both; leave one of them out`,
		"Node*":                          `parse pattern "Node*": no image can have such a name; names of images are in lower case`,
		"registry.test/":                 `parse pattern "registry.test/": no image can have such a name; end it with /* for what is right below, /** for all`,
		"node-2[02]":                     `parse pattern "node-2[02]": no image can have such a name; * and ** are all that stands for others, and there are no blanks`,
		"^node$":                         `parse pattern "^node$": no image can have such a name; * and ** are all that stands for others, and there are no blanks`,
		"a//b":                           `parse pattern "a//b": no image can have such a name; write it as docker does, such as registry.example.com/base/*`,
		":22":                            `parse pattern ":22": no image can have such a name; write it as docker does, such as registry.example.com/base/*`,
		"node:2?":                        `parse pattern "node:2?": no image can have such a tag: "2?"; a tag is letters, digits, '_', '.' and '-', up to 128 of them; * stands for any run`,
		"node@sha256:abc":                `parse pattern "node@sha256:abc": no image can have such a digest; write sha256: and 64 lower-case hex digits, or fewer with a *`,
		"node@sha256:xyz*":               `parse pattern "node@sha256:xyz*": no image can have such a digest; write sha256: and 64 lower-case hex digits, or fewer with a *`,
		"node@" + strings.ToUpper("abc"): `parse pattern "node@ABC": no image can have such a digest; write sha256: and 64 lower-case hex digits, or fewer with a *`,
	} {
		p, err := ParsePattern(text)
		var refused *PatternError
		switch {
		case err == nil:
			t.Errorf("%q is taken", text)
		case err.Error() != want:
			t.Errorf("%q\ngot  %s\nwant %s", text, err, want)
		case !errors.As(err, &refused) || refused.Value != text:
			t.Errorf("%q: %#v, want a *PatternError of it", text, err)
		case p != Pattern{}:
			t.Errorf("%q is refused, and gives %+v", text, p)
		}
	}
}

// A glob matches what the regular expression does that says the same.
func TestGlobMatchesAsItsExpression(t *testing.T) {
	t.Parallel()
	expression := strings.NewReplacer("**", ".*", "*", "[^/]*", ".", `\.`)
	rapid.Check(t, func(t *rapid.T) {
		glob := rapid.StringMatching(`([ab/.]|\*|\*\*/|a\*b){0,12}`).Draw(t, "glob")
		glob = regexp.MustCompile(`\*{3,}`).ReplaceAllString(glob, "**")
		text := rapid.StringMatching(`[ab/.]{0,16}`).Draw(t, "text")
		want := regexp.MustCompile(`^` + expression.Replace(glob) + `$`).MatchString(text)
		if got := matchGlob(glob, text); got != want {
			t.Fatalf("%q matches %q: %t, want %t", glob, text, got, want)
		}
	})
}

// Whatever ParsePattern takes is read as the same where it is written in full,
// and a name without stars means what it means elsewhere.
func FuzzParsePattern(f *testing.F) {
	for _, seed := range []string{
		"", "node", "node:22*", "etl/*", "**", "*/**/x", "registry.test:5000/**/x:1.*", "[::1]:5000/x", "node@sha256:" + hex64, "node@*", "a***", "sha256:" + hex64,
		"docker.io/", "index.docker.io/node", "Node", "*:*", "*@*", "localhost", ":", "@", "/", "x:1@sha256:*", "docker.io/**:1", "node:@*", "x:1.**",
	} {
		f.Add(seed, "docker.io/library/node:22")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		p, err := ParsePattern(text)
		if err != nil {
			var refused *PatternError
			if p != (Pattern{}) || !errors.As(err, &refused) || refused.Why == "" || refused.Mend == "" {
				t.Fatalf("%q gives %+v and %v", text, p, err)
			}
			return
		}
		if again, err := ParsePattern(p.String()); err != nil || again != p {
			t.Fatalf("%q is %#v, and in full %q, which is %#v, %v", text, p, p, again, err)
		}
		p.Match(name)
		if strings.Contains(text, "*") {
			return
		}
		canonical := ""
		if ref, err := ParseRef(text); err == nil {
			canonical = ref.String()
		} else if pin, err := ParsePin(text); err == nil {
			canonical = pin.String()
		}
		if canonical == "" || !p.Match(canonical) {
			t.Fatalf("%q does not match %q, which it means", text, canonical)
		}
	})
}
