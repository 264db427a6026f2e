package registry

import (
	"fmt"
	"regexp"
	"strings"
)

// Pattern is a pattern of names of images: a name in which * stands for any run
// of characters within a component or a tag, and ** for one across slashes.
// Without a tag it means any tag and any digest. A short name means Docker Hub,
// as for docker: base/* is docker.io/base/*; what begins with ** is of any
// registry. It is comparable and normalised; the zero Pattern matches nothing.
type Pattern struct {
	// Globs. Where tag and digest are empty, any will do.
	repository, tag, digest string
}

// PatternError is a pattern that ParsePattern refused.
type PatternError struct {
	Value string // as it was given
	Why   string
	Mend  string
}

func (e *PatternError) Error() string {
	return fmt.Sprintf("parse pattern %q: %s; %s", e.Value, e.Why, e.Mend)
}

// digestGlob is what a digest can look like in a pattern: a whole one, or one
// with stars.
var digestGlob = regexp.MustCompile(`^(sha256:([0-9a-f]{64}|[0-9a-f]*\*[0-9a-f*]*)|\*+)$`)

// ParsePattern reads a pattern as people write it; the error is a *PatternError.
func ParsePattern(text string) (Pattern, error) {
	refuse := func(why, mend string) (Pattern, error) {
		return Pattern{}, &PatternError{Value: text, Why: why, Mend: mend}
	}
	repository, tag, digest := splitName(text)
	switch {
	case strings.TrimSpace(text) == "":
		return refuse("it names nothing", "write a name, such as registry.example.com/base/*")
	case strings.Contains(text, "://"):
		return refuse("a name has no scheme", "begin with the registry: registry.example.com/base/*")
	case strings.Contains(text, "***"):
		return refuse("three stars mean nothing", "write * for a run within a component, ** for one across slashes")
	case strings.HasSuffix(text, ":"), strings.Contains(text, ":@"):
		return refuse("nothing follows its last :", "leave that out to mean any tag, or write one")
	case strings.HasSuffix(text, "@"):
		return refuse("nothing follows its last @", "leave that out to mean any tag and digest, or write a digest")
	case repository == "sha256" && len(tag) > 11 || isHex64(text):
		return refuse("that is an id, which differs from host to host", "write the image's name, or repository@sha256:…")
	case tag != "" && digest != "":
		return refuse("it has a tag and a digest, and no name on a host has both", "leave one of them out")
	}
	repo, err := ParseRepository(withoutStars(repository))
	if err != nil {
		return refuse("no image can have such a name", mendName(repository))
	}
	if tag != "" {
		if _, err := NewRef(repo, withoutStars(tag)); err != nil {
			return refuse(fmt.Sprintf("no image can have such a tag: %q", tag),
				"a tag is letters, digits, '_', '.' and '-', up to 128 of them; * stands for any run")
		}
	}
	if digest != "" && !digestGlob.MatchString(digest) {
		return refuse("no image can have such a digest", "write sha256: and 64 lower-case hex digits, or fewer with a *")
	}
	return Pattern{repository: inFull(repository), tag: oneStar(tag), digest: oneStar(digest)}, nil
}

// withoutStars is a glob with something that its stars may stand for: fit for a
// component, a port and a tag.
func withoutStars(glob string) string { return strings.ReplaceAll(oneStar(glob), "*", "1") }

// oneStar writes ** as *, which is the same where there are no slashes.
func oneStar(glob string) string { return strings.ReplaceAll(glob, "**", "*") }

func isHex64(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

func mendName(repository string) string {
	switch {
	case strings.ToLower(repository) != repository:
		return "names of images are in lower case"
	case strings.HasSuffix(repository, "/"):
		return "end it with /* for what is right below, /** for all"
	case strings.ContainsAny(repository, "?[]{}!\\^$|+() \t\r\n"):
		return "* and ** are all that stands for others, and there are no blanks"
	}
	return "write it as docker does, such as registry.example.com/base/*"
}

// inFull completes a glob of a repository as Docker completes names.
func inFull(repository string) string {
	first, rest, more := strings.Cut(repository, "/")
	switch {
	case strings.Contains(first, "**"):
		return repository
	case more && (first == "docker.io" || first == "index.docker.io"):
		return onHub(rest)
	case more && (strings.ContainsAny(first, ".:") || first == "localhost"):
		return repository
	}
	return onHub(repository)
}

func onHub(path string) string {
	if strings.Contains(path, "/") || strings.Contains(path, "**") {
		return "docker.io/" + path
	}
	return "docker.io/library/" + path
}

// splitName parts a name, or a pattern of one.
func splitName(name string) (repository, tag, digest string) {
	repository, digest, _ = strings.Cut(name, "@")
	if i := strings.LastIndexByte(repository, ':'); i > strings.LastIndexByte(repository, '/') {
		repository, tag = repository[:i], repository[i+1:]
	}
	return repository, tag, digest
}

// String gives it in full, which ParsePattern reads as the same: node:22* is
// docker.io/library/node:22*.
func (p Pattern) String() string {
	switch {
	case p.tag != "":
		return p.repository + ":" + p.tag
	case p.digest != "":
		return p.repository + "@" + p.digest
	}
	return p.repository
}

// NamesDigest tells whether it says which digests it means. One without a tag
// means any, and says nothing of them.
func (p Pattern) NamesDigest() bool { return p.digest != "" }

// Match tells whether a name matches: repository:tag or repository@digest, with
// its registry, as Ref and Pin write it.
func (p Pattern) Match(name string) bool {
	repository, tag, digest := splitName(name)
	switch {
	case p.repository == "",
		p.tag != "" && (tag == "" || !matchGlob(p.tag, tag)),
		p.digest != "" && (digest == "" || !matchGlob(p.digest, digest)):
		return false
	}
	return matchGlob(p.repository, repository)
}
