package selection

import (
	"cmp"
	"fmt"
	"slices"
)

// Result is what Select made of a repository's tags.
type Result struct {
	Chosen   []string  // newest first, at most Options.Newest
	Verdicts []Verdict // one for each tag: the chosen, then by order what could be compared, then the rest by name
}

// Verdict is what became of a tag.
type Verdict struct {
	Tag    string
	Taken  bool
	Key    string // what was compared; empty where it did not come to that
	Reason string // reads on from the tag: "is older than the newest 3"
}

// candidate is a tag that can be compared.
type candidate struct {
	tag   string
	key   key
	gone  bool   // chosen last time, and no longer listed
	fault string // why it can't be taken however new it is; empty: it can
}

// Select chooses the newest of tags; before are those that it chose last time.
// The result does not depend on the order or the repetitions of either.
//
// A tag of before that is no longer listed stays a candidate, so that only a
// newer one takes its place: an older version must not come back because someone
// deleted a tag or a registry answered nonsense. With Options.Downgrade it goes,
// unless nothing that is listed could take its place.
func (s Spec) Select(tags, before []string) Result {
	if s.IsZero() {
		return Result{}
	}
	candidates, ignored := s.sift(tags, before)
	s.letGo(candidates)
	slices.SortFunc(candidates, func(a, b candidate) int {
		return cmp.Or(b.key.compare(a.key), cmp.Compare(b.tag, a.tag))
	})
	return s.take(candidates, ignored)
}

// sift parts the tags that can be compared from the others.
func (s Spec) sift(tags, before []string) (candidates []candidate, ignored []Verdict) {
	seen := make(map[string]bool, len(tags)+len(before))
	for i, list := range [][]string{tags, before} {
		for _, tag := range list {
			if seen[tag] {
				continue
			}
			seen[tag] = true
			c, why := s.judge(tag)
			if why != "" {
				ignored = append(ignored, Verdict{Tag: tag, Reason: why})
				continue
			}
			c.gone = i > 0
			candidates = append(candidates, c)
		}
	}
	slices.SortFunc(ignored, func(a, b Verdict) int { return cmp.Compare(a.Tag, b.Tag) })
	return candidates, ignored
}

// letGo drops the vanished ones under Downgrade. Where no other is left they
// stay: an empty list is more often a registry's mistake than a wish.
func (s Spec) letGo(candidates []candidate) {
	listed := func(c candidate) bool { return !c.gone && c.fault == "" }
	if !s.options.Downgrade || !slices.ContainsFunc(candidates, listed) {
		return
	}
	for i := range candidates {
		if c := &candidates[i]; c.gone {
			c.fault = "vanished from the registry, and downgrade lets it go"
		}
	}
}

// take gives the verdicts; candidates come newest first.
func (s Spec) take(candidates []candidate, ignored []Verdict) Result {
	var result Result
	var passed []Verdict
	for _, c := range candidates {
		switch v := (Verdict{Tag: c.tag, Key: c.key.text, Reason: c.fault}); {
		case c.fault != "":
			passed = append(passed, v)
		case len(result.Chosen) == s.options.Newest:
			v.Reason = "is older than " + s.newest()
			passed = append(passed, v)
		default:
			result.Chosen = append(result.Chosen, c.tag)
			v.Taken, v.Reason = true, place(len(result.Chosen), c.gone)
			result.Verdicts = append(result.Verdicts, v)
		}
	}
	result.Verdicts = slices.Concat(result.Verdicts, passed, ignored)
	return result
}

func (s Spec) newest() string {
	if s.options.Newest == 1 {
		return "the newest"
	}
	return fmt.Sprintf("the newest %d", s.options.Newest)
}

// place is the reason of the nth that is taken, counted from 1.
func place(n int, gone bool) string {
	reason := "is the newest"
	if n > 1 {
		reason = fmt.Sprintf("is number %d from the newest", n)
	}
	if gone {
		reason += "; it vanished from the registry and stays until a newer one takes its place"
	}
	return reason
}
