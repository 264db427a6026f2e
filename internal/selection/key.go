package selection

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// key is what is compared of a tag.
type key struct {
	text    string
	version *semver.Version // of order semver, else nil
	groups  []string        // of order numeric, without leading zeros
}

func (k key) compare(o key) int {
	switch {
	case k.version != nil:
		return k.version.Compare(o.version)
	case k.groups != nil:
		return slices.CompareFunc(k.groups, o.groups, func(a, b string) int {
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
	}
	return cmp.Compare(k.text, o.text)
}

var (
	// artefact is a signature, an attestation or the like of another image.
	artefact = regexp.MustCompile(`^sha256-[0-9a-f]{64}`)
	// hasMinor keeps out what the library would read as a version: a bare
	// number, which is a date or a commit at least as often.
	hasMinor = regexp.MustCompile(`^v?[0-9]+\.[0-9]`)
	numbers  = regexp.MustCompile(`^[0-9]+([._-][0-9]+)*$`)
)

// ownPrefix begins the tags that Prewarm sets itself.
const ownPrefix = "prewarm-"

// judge makes a candidate of the tag, or tells why it is none.
func (s Spec) judge(tag string) (c candidate, why string) {
	text, included := s.extract(tag)
	switch {
	case artefact.MatchString(tag):
		return c, "is an artefact of another image, such as a signature"
	case strings.HasPrefix(tag, ownPrefix):
		return c, "is a tag that Prewarm sets itself"
	case !included:
		return c, "does not match include"
	case s.exclude != nil && s.exclude.MatchString(tag):
		return c, "matches exclude"
	case text == "":
		return c, "is left with nothing to compare by extract"
	}
	c = candidate{tag: tag, key: key{text: text}}
	switch s.options.Order {
	case orderSemver:
		return s.judgeVersion(c)
	case orderNumeric:
		return judgeNumber(c)
	}
	return c, ""
}

// isNot is the reason of a tag that the order can't compare.
func (c candidate) isNot(what string) string {
	if c.key.text == c.tag {
		return "is not " + what
	}
	return fmt.Sprintf("gives %q by extract, which is not %s", c.key.text, what)
}

func judgeNumber(c candidate) (candidate, string) {
	if !numbers.MatchString(c.key.text) {
		return c, c.isNot("made of whole numbers")
	}
	groups := strings.FieldsFunc(c.key.text, func(r rune) bool { return r < '0' || r > '9' })
	for i, group := range groups {
		groups[i] = strings.TrimLeft(group, "0")
	}
	c.key.groups = groups
	return c, ""
}

func (s Spec) judgeVersion(c candidate) (candidate, string) {
	version, err := semver.NewVersion(c.key.text)
	if err != nil || !hasMinor.MatchString(c.key.text) {
		return c, c.isNot("a version of at least MAJOR.MINOR")
	}
	c.key.version = version
	unasked := ""
	if !s.limitsPrerelease {
		unasked = s.unasked(c.tag, version.Prerelease())
	}
	switch {
	case unasked != "":
		c.fault = unasked
	case s.limits != nil && !s.limits.Check(s.limited(version)):
		c.fault = "is out of range " + s.options.Range
	}
	return c, ""
}

var (
	// prereleaseParts parts a suffix, its dash included: -rc.1-alpine is -rc, .1
	// and -alpine.
	prereleaseParts = regexp.MustCompile(`[-.][^-.]*`)
	// unfinished is a part by which a suffix is one of work that goes on, not of
	// a variant.
	unfinished = regexp.MustCompile(`(?i)^[-.](alpha|beta|rc|pre|preview|dev|snapshot|nightly|canary)[0-9]*$`)
	counts     = regexp.MustCompile(`^[-.][0-9]+$`)
)

// unasked is why Include does not ask for a tag of that prerelease; empty: it
// does, or there is none. Include asks for what it demands: for the suffix as a
// whole, and for each part of it that says unfinished, or 8.0-rc1-alpine would
// be newer than 8.0-alpine to -alpine$.
func (s Spec) unasked(tag, prerelease string) string {
	if prerelease == "" {
		return ""
	}
	suffix := "-" + prerelease
	if !s.demands(tag, suffix, "") {
		return "is a prerelease, for which neither range nor include asks"
	}
	parts := prereleaseParts.FindAllStringIndex(suffix, -1)
	for i, at := range parts {
		part := suffix[at[0]:at[1]]
		if !unfinished.MatchString(part) {
			continue
		}
		// The numbers that follow may count it, as in rc.1, or be the variant's.
		for j := i; j < len(parts) && (j == i || counts.MatchString(suffix[parts[j][0]:parts[j][1]])); j++ {
			if !s.demands(tag, suffix, without(suffix, at[0], parts[j][1])) {
				return fmt.Sprintf("is a prerelease by its %q, for which neither range nor include asks", part[1:])
			}
		}
	}
	return ""
}

// without cuts a suffix's bytes from start to end; what is left begins with a dash.
func without(suffix string, start, end int) string {
	rest := suffix[:start] + suffix[end:]
	if rest == "" {
		return ""
	}
	return "-" + rest[1:]
}

// demands tells whether Include no longer matches the tag when its suffix is
// another.
func (s Spec) demands(tag, suffix, other string) bool {
	return s.include != nil && !s.include.MatchString(strings.Replace(tag, suffix, other, 1))
}

// limited is what Range is asked about: where it names no prerelease, the
// version without one, since the library would refuse any.
func (s Spec) limited(v *semver.Version) *semver.Version {
	if s.limitsPrerelease {
		return v
	}
	return semver.New(v.Major(), v.Minor(), v.Patch(), "", "")
}
