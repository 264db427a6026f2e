package prune

import (
	"slices"
	"time"
)

// stay is why an image stays.
type stay struct {
	image *Image
	rule  Rule
	why   string
}

// forbids gives the strongest of the rules that are weighed against nothing and
// that forbid to remove an image; nil: none does. What protects its names is
// known before.
func (p *pass) forbids(img *Image, protected string) *stay {
	because := func(rule Rule, why string) *stay { return &stay{img, rule, why} }
	if c := strongest(img.Pins); c != nil {
		return because(c.Rule, p.whyClaimed(*c))
	}
	if len(img.Containers) > 0 {
		return because(InUse, whyInUse(img.Containers))
	}
	for _, pin := range img.Pins {
		if why := unknown(pin.Standing); why != "" {
			return because(IsUnknown, why)
		}
	}
	if protected != "" {
		return because(IsProtected, protected)
	}
	if img.Stuck != "" {
		return because(IsStuck, "could not be removed lately, and is tried again tomorrow: "+img.Stuck)
	}
	if len(img.Pins) == 0 {
		if why := whyUnmanaged(img, p.policy.Unmanaged); why != "" {
			return because(IsUnmanaged, why)
		}
	}
	rules := p.policy.rulesOf(img)
	if rest := rules.MinAge - p.age(img); rest > 0 {
		return because(IsYoung, p.whyYoung(img, rest))
	}
	if rest := rules.UnusedFor - p.unused(img); rest > 0 {
		return because(IsUsed, p.whyUsed(img, rest))
	}
	for i := range img.Pins {
		pin := &img.Pins[i]
		if pin.Standing == Kept && pin.Rank < p.policy.rulesFor(pin).KeepMin {
			return because(IsKept, p.whyKept(pin)+", and stays even where space is needed")
		}
	}
	if p.policy.OnlyImage != "" && !isOnly(img.Pins, p.policy.OnlyImage) {
		return because(OtherImage, "this pass is about "+p.policy.OnlyImage+" alone")
	}
	return nil
}

// strength is the order of the reasons to stay.
var strength = map[Rule]int{
	IsCurrent: 1, IsComing: 2, InScope: 3, IsLeased: 4, IsPulled: 5, InUse: 6, IsUnknown: 7, IsProtected: 8, IsLastCopy: 9,
	IsStuck: 10, IsUnmanaged: 11, IsYoung: 12, IsUsed: 13, IsKept: 14, NoNeed: 15, Capped: 16, OtherImage: 17,
}

// strongest gives the strongest claim on any of the pins; nil: there is none.
func strongest(pins []Pinned) *Claim {
	var found *Claim
	for i := range pins {
		for j := range pins[i].Claims {
			if c := &pins[i].Claims[j]; found == nil || strength[c.Rule] < strength[found.Rule] {
				found = c
			}
		}
	}
	return found
}

// isOnly tells whether all pins are those of one image of the configuration.
func isOnly(pins []Pinned, image string) bool {
	return len(pins) > 0 && !slices.ContainsFunc(pins, func(p Pinned) bool { return p.Image != image })
}

// rulesFor are the rules of a pin.
func (p Policy) rulesFor(pin *Pinned) Rules {
	if pin.Image == "" {
		return p.Rules
	}
	return pin.Rules
}

// rulesOf are the rules of age and use of an image: the most careful of those of
// its pins.
func (p Policy) rulesOf(img *Image) Rules {
	if len(img.Pins) == 0 {
		return p.Rules
	}
	var careful Rules
	for i := range img.Pins {
		r := p.rulesFor(&img.Pins[i])
		careful.MinAge = max(careful.MinAge, r.MinAge)
		careful.UnusedFor = max(careful.UnusedFor, r.UnusedFor)
	}
	return careful
}

// namesGo tells whether the others' names of an image go, once nothing else
// forbids it: anyway, or where space is needed.
func (p *pass) namesGo(img *Image) (routinely, atAll bool) {
	switch {
	case len(img.Names) == 0 && len(img.Pins) > 0:
		return true, true
	case p.policy.OnlyImage != "",
		whyUnmanaged(img, p.policy.Unmanaged) != "",
		p.age(img) < p.policy.Rules.MinAge,
		p.unused(img) < p.policy.Rules.UnusedFor:
		return false, false
	}
	return !img.Tagged || p.policy.Rules.UnusedFor > 0, true
}

// age is how long an image is known to be on the host. Where nobody knows, it
// came now.
func (p *pass) age(img *Image) time.Duration {
	if img.Seen.IsZero() {
		return 0
	}
	return max(0, p.inv.Now.Sub(img.Seen))
}

// unused is how long nobody has used an image. One that came after its last use
// was pulled again, by somebody who is going to use it.
func (p *pass) unused(img *Image) time.Duration {
	return max(0, p.inv.Now.Sub(p.lastUse(img)))
}

func (p *pass) lastUse(img *Image) time.Time {
	switch {
	case img.Used.After(img.Seen):
		return img.Used
	case img.Seen.IsZero():
		return p.inv.Now
	}
	return img.Seen
}
