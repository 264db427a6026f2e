package selection

import (
	"regexp"
	"slices"
	"strconv"
)

// references finds what Regexp.Expand would replace: $$ stands for a dollar,
// and a name without braces is as long as it can be, so $1x is the group "1x".
var references = regexp.MustCompile(`\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))`)

// checkExtract refuses what Regexp.Expand would take for empty without a word.
func (s *Spec) checkExtract() *OptionError {
	text := s.options.Extract
	if text == "" {
		return nil
	}
	refuse := func(why, mend string) *OptionError {
		return &OptionError{Field: "extract", Value: text, Why: why, Mend: mend}
	}
	if s.include == nil {
		return refuse("it is made of include's groups, and there is no include", `write one with a group, as in include: '^v(\d+)-alpine$'`)
	}
	refers := false
	for _, m := range references.FindAllStringSubmatch(text, -1) {
		name := m[1] + m[2]
		if name == "" {
			continue
		}
		refers = true
		if !s.hasGroup(name) {
			return refuse("include has no group "+strconv.Quote(name), "name one it has, and write ${1} where letters, digits or _ follow")
		}
	}
	if !refers {
		return refuse("it names no group, so that all tags would be alike", "write one, as in '$1'")
	}
	return nil
}

func (s *Spec) hasGroup(name string) bool {
	// To Expand 01 is a name, not a number.
	if n, err := strconv.Atoi(name); err == nil && strconv.Itoa(n) == name {
		return n <= s.include.NumSubexp()
	}
	return slices.Contains(s.include.SubexpNames(), name)
}

// extract is what of the tag is compared; found tells whether Include matches.
func (s *Spec) extract(tag string) (key string, found bool) {
	switch {
	case s.include == nil:
		return tag, true
	case s.options.Extract == "":
		return tag, s.include.MatchString(tag)
	}
	m := s.include.FindStringSubmatchIndex(tag)
	if m == nil {
		return "", false
	}
	return string(s.include.ExpandString(nil, s.options.Extract, tag, m)), true
}
