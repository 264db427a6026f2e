package prune

import (
	"slices"

	"github.com/prewarm/prewarm/registry"
)

// guard knows which names the policy protects.
type guard struct {
	patterns []registry.Pattern
	matched  []bool
	// known is by which pattern a name is protected; nil: by none.
	known map[string]*registry.Pattern
}

func newGuard(patterns []registry.Pattern) *guard {
	return &guard{patterns: patterns, matched: make([]bool, len(patterns)), known: map[string]*registry.Pattern{}}
}

// of gives the first pattern that a name matches; nil: there is none.
func (g *guard) of(name string) *registry.Pattern {
	if len(g.patterns) == 0 {
		return nil
	}
	first, ok := g.known[name]
	if ok {
		return first
	}
	for i := range g.patterns {
		if !g.patterns[i].Match(name) {
			continue
		}
		g.matched[i] = true
		if first == nil {
			first = &g.patterns[i]
		}
	}
	g.known[name] = first
	return first
}

// why tells what protects an image, whatever else there is of it; empty: nothing
// does. The tags of what is ours are protected otherwise: see copies.
func (g *guard) why(img *Image) string {
	if len(g.patterns) == 0 {
		return ""
	}
	protected, by := "", (*registry.Pattern)(nil)
	found := func(name string, p *registry.Pattern) {
		if p != nil && by == nil {
			protected, by = name, p
		}
	}
	// All are asked about, so that it is known which patterns match nothing.
	for _, name := range img.Names {
		found(name, g.of(name))
	}
	for i := range img.Pins {
		name := img.Pins[i].Pin.String()
		found(name, g.ofDigest(name))
	}
	switch {
	case by == nil:
		return ""
	case protected == by.String():
		return "its name " + protected + " is protected"
	}
	return "its name " + protected + " is protected by " + by.String()
}

// ofDigest is of for a digest of ours: a pattern must name digests to mean it.
func (g *guard) ofDigest(name string) *registry.Pattern {
	var first *registry.Pattern
	for i := range g.patterns {
		if g.patterns[i].NamesDigest() && g.patterns[i].Match(name) {
			g.matched[i] = true
			if first == nil {
				first = &g.patterns[i]
			}
		}
	}
	return first
}

// refs gives the refs of an image of ours that are protected, each once.
func (g *guard) refs(img *Image) []string {
	var refs []string
	for i := range img.Pins {
		for _, ref := range img.Pins[i].Refs {
			if g.of(ref) != nil && !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

func (g *guard) unmatched() []string {
	var texts []string
	for i, p := range g.patterns {
		if !g.matched[i] {
			texts = append(texts, p.String())
		}
	}
	return texts
}

// copies counts, for each repo:tag that a pattern protects, the images with a
// digest of it that we keep, and that have not been let go.
type copies map[string]int

// release counts an image as let go, unless it is the last with one of its refs.
func (c copies) release(refs []string) bool {
	if c.last(refs) != "" {
		return false
	}
	for _, ref := range refs {
		c[ref]--
	}
	return true
}

func (c copies) add(refs []string) {
	for _, ref := range refs {
		c[ref]++
	}
}

// last gives one of the refs of which a single image is left; empty: of each
// there are more.
func (c copies) last(refs []string) string {
	for _, ref := range refs {
		if c[ref] <= 1 {
			return ref
		}
	}
	return ""
}
