// Package selection chooses the tags of a repository that are worth keeping
// warm. It knows nothing of registries: tags in, tags out, with a reason for
// each.
//
// New is the only way to make a Spec that selects, so its expressions have been
// checked. Select never fails: a tag that can't be compared is passed over, and
// its verdict says why.
//
// # Which tags are candidates
//
// Include must match and Exclude must not. Both are RE2 and unanchored: 1.2
// matches 11.2.0 too, so write ^1\.2\. where you mean it. Whatever they say,
// artefacts of other images (sha256-<64 hex>, with any suffix) and the tags that
// Prewarm sets itself (prewarm-…) are never candidates.
//
// What is compared is the tag, or what Extract makes of Include's first match.
//
// # What is newer
//
//   - semver: by precedence. At least MAJOR.MINOR is needed, since a bare number
//     is as well a date or a commit; a leading v is allowed, and so are leading
//     zeros, as in 2024.01.05.
//   - numeric: whole numbers of any length, in groups parted by a dot, a dash or
//     an underscore, compared group by group: 2024.1.9 < 2024.1.10-1. The longer
//     of two is newer where the shorter is its beginning.
//   - alpha: byte by byte.
//
// Of tags that compare equal the one with the greater name is newer. Each counts
// as one of the newest.
//
// # Prereleases
//
// To semver 1.4.0-alpine is a prerelease of 1.4.0, as is 1.4.0-rc.1. One is a
// candidate only where it was asked for:
//
//   - Range names a prerelease, as >=1.4.0-0 does; it is then compared as it is;
//   - or Include matches the tag with its suffix and not without it, as
//     ^\d+\.\d+\.\d+-alpine$ does. The suffix is then a variant to the user, and
//     Range is asked about the version without it: 2.0.0-alpine is not <2. A part
//     of it that says unfinished (alpha, beta, rc, pre, preview, dev, snapshot,
//     nightly, canary, with or without a number) must be demanded for itself:
//     -alpine$ does not ask for 8.0-rc1-alpine, and -rc\d+-alpine$ does.
//
// An Include that allows a suffix but does not demand one asks for nothing: the
// commonest, ^\d+\.\d+, must not put a release candidate into production.
package selection

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Options is a selection as the configuration writes it.
type Options struct {
	Include, Exclude string // regular expressions; empty: all, none
	Extract          string // what of a tag is compared: a template over Include's groups ($1, ${name}); empty: the tag
	Order            string // semver (default), numeric or alpha
	Range            string // semver only: a constraint such as ">=1.2 <2"
	Newest           int    // how many tags are kept; default 1
	Downgrade        bool   // go back to an older tag when a chosen one vanished
}

// The values of Options.Order.
const (
	orderSemver  = "semver"
	orderNumeric = "numeric"
	orderAlpha   = "alpha"
)

// OptionError is an option that New refused.
type OptionError struct {
	Field string // include, exclude, extract, order, range or newest
	Value string // as it was given
	Why   string
	Mend  string
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("select tags by %s %q: %s; %s", e.Field, e.Value, e.Why, e.Mend)
}

// Spec is a selection that was checked. It is a value; the zero Spec selects
// nothing. Specs are compared with Equal.
type Spec struct {
	_                [0]func()
	options          Options // defaults filled in
	include, exclude *regexp.Regexp
	limits           *semver.Constraints
	limitsPrerelease bool // Range names a prerelease
}

// Options are the options that New was given, defaults filled in: two Specs with
// equal ones select the same.
func (s Spec) Options() Options { return s.options }

// IsZero tells whether s is the zero Spec, which selects nothing.
func (s Spec) IsZero() bool { return s.options == Options{} }

// Equal tells whether two specs select the same.
func (s Spec) Equal(o Spec) bool { return s.options == o.options }

// New checks a selection; the error is an *OptionError.
func New(o Options) (Spec, error) {
	if o.Order == "" {
		o.Order = orderSemver
	}
	if o.Newest == 0 {
		o.Newest = 1
	}
	spec := Spec{options: o}
	for _, check := range []func() *OptionError{spec.compile, spec.checkExtract, spec.checkOrder, spec.checkRange, spec.checkNewest} {
		if refusal := check(); refusal != nil {
			return Spec{}, refusal
		}
	}
	return spec, nil
}

func (s *Spec) compile() *OptionError {
	for _, e := range []struct {
		field, text string
		to          **regexp.Regexp
	}{
		{"include", s.options.Include, &s.include},
		{"exclude", s.options.Exclude, &s.exclude},
	} {
		if e.text == "" {
			continue
		}
		compiled, err := regexp.Compile(e.text)
		if err != nil {
			why := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
			return &OptionError{Field: e.field, Value: e.text, Why: "it is no regular expression: " + why, Mend: `write one in RE2 syntax, as in '^v?\d+\.\d+\.\d+$'`}
		}
		*e.to = compiled
	}
	return nil
}

func (s *Spec) checkOrder() *OptionError {
	switch s.options.Order {
	case orderSemver, orderNumeric, orderAlpha:
		return nil
	}
	return &OptionError{Field: "order", Value: s.options.Order, Why: "there is no such order", Mend: "write semver, numeric or alpha"}
}

// namesPrerelease finds one in a range: a dash straight after a version. The
// dash between two versions has blanks around it.
var namesPrerelease = regexp.MustCompile(`[0-9xX*]-[0-9A-Za-z]`)

func (s *Spec) checkRange() *OptionError {
	text := s.options.Range
	switch {
	case text == "":
		return nil
	case s.options.Order != orderSemver:
		return &OptionError{Field: "range", Value: text, Why: "a range is one of versions, and the order is " + s.options.Order, Mend: "leave it out, or write order: semver"}
	}
	limits, err := semver.NewConstraint(text)
	if err != nil {
		return &OptionError{Field: "range", Value: text, Why: "it is not understood", Mend: "write comparisons as in '>=1.2 <2', '~1.4' or '^1.4 || ^2'"}
	}
	s.limits, s.limitsPrerelease = limits, namesPrerelease.MatchString(text)
	return nil
}

func (s *Spec) checkNewest() *OptionError {
	if s.options.Newest > 0 {
		return nil
	}
	return &OptionError{Field: "newest", Value: fmt.Sprint(s.options.Newest), Why: "at least one tag is to be chosen", Mend: "write 1 or more"}
}
