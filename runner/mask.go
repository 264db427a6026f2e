package runner

import (
	"cmp"
	"slices"
	"strings"
)

// shortestMasked is the length in bytes from which the value of a secret
// variable is masked: shorter ones would turn half of a log into stars.
const shortestMasked = 6

// masker replaces secret values in lines.
type masker struct{ replacer *strings.Replacer }

// newMasker masks the values. One of several lines is masked line by line, as
// it would be printed. The longest goes first: a value may be part of another.
func newMasker(values []string) masker {
	var parts []string
	for _, v := range values {
		for line := range strings.Lines(v) {
			if line = strings.TrimRight(line, "\r\n"); len(line) >= shortestMasked && !slices.Contains(parts, line) {
				parts = append(parts, line)
			}
		}
	}
	if len(parts) == 0 {
		return masker{}
	}
	slices.SortStableFunc(parts, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var pairs []string
	for _, p := range parts {
		pairs = append(pairs, p, "***")
	}
	return masker{strings.NewReplacer(pairs...)}
}

func (m masker) mask(text string) string {
	if m.replacer == nil {
		return text
	}
	return m.replacer.Replace(text)
}
