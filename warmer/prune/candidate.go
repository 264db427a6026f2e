package prune

import (
	"cmp"
	"time"
)

// class is by what images go: those of a lower one first.
type class int

const (
	neverCurrent class = iota
	dangling
	unused
	superseded // orphaned ones, too
	kept
)

// extent is how much of an image goes.
type extent int

const (
	nothing extent = iota
	ours           // our keep-tags; the others' names stay, and with them all its bytes
	whole
)

// candidate is an image that nothing forbids to remove.
type candidate struct {
	image *Image
	// pin is the dearest of those that we keep of it; nil where there is none.
	pin *Pinned
	// pins is the class of those, and all that of the whole image: the dearer of
	// its pins and the others' names.
	pins, all class
	used      time.Time
	layers    []int32
	refs      []string // the protected ones
	// routinely is what goes of it anyway, and atMost what may go where space is
	// needed.
	routinely, atMost extent

	goes   extent // what the pass lets go of it
	capped bool   // the pass lets it stay since it may remove no more
}

// classAt is the class of a removal to an extent.
func (c *candidate) classAt(e extent) class {
	if e == ours {
		return c.pins
	}
	return c.all
}

// before is the order in which two candidates of given classes go.
func (c *candidate) before(own class, d *candidate, other class) int {
	if order := cmp.Compare(own, other); order != 0 {
		return order
	}
	if own == kept {
		if order := cmp.Compare(d.pin.Rank, c.pin.Rank); order != 0 {
			return order
		}
	}
	if order := c.used.Compare(d.used); order != 0 {
		return order
	}
	return cmp.Compare(c.image.ID, d.image.ID)
}

// rule is why a removal to an extent happens.
func (c *candidate) rule(e extent) Rule {
	switch c.classAt(e) {
	case neverCurrent:
		return GoNeverCurrent
	case dangling:
		return GoDangling
	case unused:
		return GoUnused
	case kept:
		return GoKept
	}
	if c.pin.Standing == Orphaned {
		return GoOrphaned
	}
	return GoSuperseded
}

// dearest gives of an image's pins, of which none forbids to remove it, the one
// that goes last, with its class.
func dearest(pins []Pinned) (*Pinned, class) {
	var pin *Pinned
	var of class
	for i := range pins {
		p := &pins[i]
		own := classOf(p.Standing)
		switch {
		case pin == nil, own > of,
			own == kept && of == kept && p.Rank < pin.Rank,
			p.Standing == Superseded && pin.Standing == Orphaned:
			pin, of = p, own
		}
	}
	return pin, of
}

func classOf(s Standing) class {
	switch s {
	case NeverCurrent:
		return neverCurrent
	case Kept:
		return kept
	}
	return superseded
}

// classOfNames is the class of an image as the others know it.
func classOfNames(img *Image) class {
	if img.Tagged {
		return unused
	}
	return dangling
}
