package prune

import (
	"cmp"
	"slices"
)

// Decide says of each image of a host whether it goes and why. Equal arguments
// give equal decisions, in whatever order the images stand.
func Decide(policy Policy, inv Inventory) Decision {
	p := &pass{policy: policy, inv: inv, guard: newGuard(policy.Protect), layers: newLayers(len(inv.Images)), copies: copies{}}
	for i := range inv.Images {
		p.judge(&inv.Images[i])
	}
	p.choose()
	return p.decision()
}

// pass is a decision in the making.
type pass struct {
	policy Policy
	inv    Inventory
	guard  *guard
	layers layers
	copies copies
	// staying are the images that some rule forbids to remove, and candidates
	// all others.
	staying    []stay
	candidates []*candidate
}

// judge finds out what the rules say of one image.
func (p *pass) judge(img *Image) {
	held := p.layers.add(img.Layers)
	refs := p.guard.refs(img)
	p.copies.add(refs)
	if s := p.forbids(img, p.guard.why(img)); s != nil {
		p.staying = append(p.staying, *s)
		return
	}
	c := &candidate{image: img, used: p.lastUse(img), layers: held, refs: refs}
	if len(img.Pins) == 0 {
		p.weighForeign(c)
	} else {
		p.weighOurs(c)
	}
	p.candidates = append(p.candidates, c)
}

// weighForeign finds out how an image that is not ours may go.
func (p *pass) weighForeign(c *candidate) {
	c.all, c.atMost = classOfNames(c.image), whole
	if anyway, _ := p.namesGo(c.image); anyway {
		c.routinely = whole
	}
}

// weighOurs finds out how an image of ours may go. Where the others' names of it
// stay, our keep-tags go all the same: we want it no more.
func (p *pass) weighOurs(c *candidate) {
	c.pin, c.pins = dearest(c.image.Pins)
	c.all = c.pins
	if len(c.image.Names) > 0 {
		c.all = max(c.pins, classOfNames(c.image))
	}
	anyway, atAll := p.namesGo(c.image)
	c.atMost = ours
	if atAll {
		c.atMost = whole
	}
	switch {
	case c.pins == kept:
	case anyway:
		c.routinely = whole
	default:
		c.routinely = ours
	}
}

// choose lets go what goes anyway, and of the rest what is needed.
func (p *pass) choose() {
	p.goRoutinely()
	p.goForNeed()
	if !p.cut() || p.layers.freed >= p.policy.Need {
		return
	}
	if !p.policy.AllOrNothing {
		p.spare(p.layers.freed)
		return
	}
	for _, c := range p.candidates {
		p.leave(c, nothing)
		c.capped = false
	}
	p.goRoutinely()
	p.cut()
}

func (p *pass) goRoutinely() {
	for _, c := range p.inOrder(func(c *candidate) extent { return c.routinely }) {
		p.take(c, c.routinely)
	}
}

// goForNeed goes down the order until enough is freed, and then spares what was
// not needed for it.
func (p *pass) goForNeed() {
	if p.layers.freed >= p.policy.Need {
		return
	}
	for _, c := range p.inOrder(func(c *candidate) extent {
		if c.routinely == whole || c.atMost != whole {
			return nothing // it can free no more than it does anyway
		}
		return whole
	}) {
		if p.take(c, whole); p.layers.freed >= p.policy.Need {
			break
		}
	}
	switch {
	case p.layers.freed >= p.policy.Need:
		p.spare(p.policy.Need)
	case p.policy.AllOrNothing:
		p.spare(0)
	default:
		p.spare(p.layers.freed)
	}
}

// spare gives back, the dearest first, whatever goes for Need and without which
// enough is freed. Once over them is enough: what could not be given back before
// another was can't be after it either.
func (p *pass) spare(enough int64) {
	for _, c := range slices.Backward(p.inOrder(func(c *candidate) extent {
		if c.goes == c.routinely {
			return nothing
		}
		return c.goes
	})) {
		if p.layers.freed-p.layers.loss(c.layers) >= enough {
			p.leave(c, c.routinely)
		}
	}
}

// cut lets stay what is beyond MaxRemovals, the last in the order; it tells
// whether there was any.
func (p *pass) cut() bool {
	if p.policy.MaxRemovals <= 0 {
		return false
	}
	going := p.going()
	if len(going) <= p.policy.MaxRemovals {
		return false
	}
	for _, c := range going[p.policy.MaxRemovals:] {
		p.leave(c, nothing)
		c.capped = true
	}
	return true
}

// take lets a candidate go, unless it is the last copy of something.
func (p *pass) take(c *candidate, to extent) {
	if c.goes == nothing && !p.copies.release(c.refs) {
		return
	}
	if to == whole && c.goes != whole {
		p.layers.remove(c.layers)
	}
	c.goes = to
}

// leave lets no more of a candidate go than to an extent.
func (p *pass) leave(c *candidate, to extent) {
	if c.goes == whole && to != whole {
		p.layers.restore(c.layers)
	}
	if c.goes != nothing && to == nothing {
		p.copies.add(c.refs)
	}
	c.goes = to
}

func (p *pass) going() []*candidate {
	return p.inOrder(func(c *candidate) extent { return c.goes })
}

// inOrder gives the candidates that go to some extent, in the order in which
// they go.
func (p *pass) inOrder(to func(*candidate) extent) []*candidate {
	var some []*candidate
	for _, c := range p.candidates {
		if to(c) != nothing {
			some = append(some, c)
		}
	}
	slices.SortFunc(some, func(a, b *candidate) int { return a.before(a.classAt(to(a)), b, b.classAt(to(b))) })
	return some
}

func (p *pass) decision() Decision {
	d := Decision{Verdicts: make([]Verdict, 0, len(p.inv.Images)), Frees: p.layers.freed, Unmatched: p.guard.unmatched()}
	d.Short = max(0, p.policy.Need-d.Frees)
	for _, c := range p.candidates {
		if c.goes == nothing {
			p.staying = append(p.staying, p.stays(c))
		}
	}
	going := p.going()
	for _, c := range going {
		if c.goes == whole {
			p.layers.restore(c.layers)
		}
	}
	for _, c := range going {
		d.Verdicts = append(d.Verdicts, p.goes(c))
	}
	slices.SortFunc(p.staying, func(a, b stay) int {
		if order := cmp.Compare(strength[a.rule], strength[b.rule]); order != 0 {
			return order
		}
		return cmp.Compare(a.image.ID, b.image.ID)
	})
	for _, s := range p.staying {
		d.Verdicts = append(d.Verdicts, Verdict{Image: *s.image, Rule: s.rule, Why: s.why})
	}
	return d
}

// goes is the verdict on a candidate that goes once those before it are gone.
func (p *pass) goes(c *candidate) Verdict {
	v := Verdict{Image: *c.image, Goes: true, Rule: c.rule(c.goes), Why: p.whyGoes(c)}
	for i := range c.image.Pins {
		if pin := c.image.Pins[i].Pin; !slices.Contains(v.Drops, pin) {
			v.Drops = append(v.Drops, pin)
		}
	}
	if c.goes == whole {
		v.Names = c.image.Names
		v.Frees = p.layers.remove(c.layers)
	}
	return v
}
