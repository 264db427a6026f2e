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
	switch {
	case version.Prerelease() != "" && !s.limitsPrerelease && !s.demands(c.tag, version.Prerelease()):
		c.fault = "is a prerelease, for which neither range nor include asks"
	case s.limits != nil && !s.limits.Check(s.limited(version)):
		c.fault = "is out of range " + s.options.Range
	}
	return c, ""
}

// demands tells whether Include matches the tag by its suffix only.
func (s Spec) demands(tag, prerelease string) bool {
	return s.include != nil && !s.include.MatchString(strings.Replace(tag, "-"+prerelease, "", 1))
}

// limited is what Range is asked about: where it names no prerelease, the
// version without one, since the library would refuse any.
func (s Spec) limited(v *semver.Version) *semver.Version {
	if s.limitsPrerelease {
		return v
	}
	return semver.New(v.Major(), v.Minor(), v.Patch(), "", "")
}
