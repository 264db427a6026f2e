package prune

import (
	"fmt"
	"strings"
	"time"
)

const minute = "2006-01-02 15:04"

// since is " since …", or nothing where nobody knows.
func (p *pass) since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " since " + t.In(p.inv.Now.Location()).Format(minute)
}

// claims say what a claim is, with whose it is and without.
var claims = map[Rule]struct{ of, alone string }{
	IsCurrent: {"current of ", "current"},
	IsComing:  {"on its way to be current of ", "on its way to be current"},
	InScope:   {"held by the pin scope ", "held by a pin scope"},
	IsLeased:  {"leased by ", "leased"},
	IsPulled:  {"the host is busy with it: ", "the host is busy with it"},
}

func (p *pass) whyClaimed(c Claim) string {
	words, ok := claims[c.Rule]
	if !ok {
		words.of, words.alone = "claimed by ", "claimed"
	}
	if c.Detail == "" {
		return words.alone + p.since(c.Since)
	}
	return words.of + c.Detail + p.since(c.Since)
}

// named is how many containers a sentence names.
const named = 3

func whyInUse(containers []string) string {
	if len(containers) == 1 {
		return "in use by container " + containers[0]
	}
	if more := len(containers) - named; more > 0 {
		return fmt.Sprintf("in use by containers %s and %d more", strings.Join(containers[:named], ", "), more)
	}
	return "in use by containers " + strings.Join(containers, ", ")
}

// unknown tells why a standing alone lets an image stay; empty: it does not.
func unknown(s Standing) string {
	switch s {
	case Kept, Superseded, NeverCurrent, Orphaned:
		return ""
	case Wanted:
		return "wanted, though nothing says by whom"
	}
	return "has a keep-tag that nobody here remembers: another installation's, it seems"
}

// whyUnmanaged tells why an image keeps the others' names; empty: it need not.
func whyUnmanaged(img *Image, u Unmanaged) string {
	switch {
	case u == LeastRecently, u == DanglingOnly && !img.Tagged:
		return ""
	case u == DanglingOnly:
		return "not ours, and only images without a tag go then"
	}
	return "not ours, and prune.unmanaged keeps it"
}

func (p *pass) whyYoung(img *Image, rest time.Duration) string {
	if img.Seen.IsZero() {
		return "nobody knows since when it is on the host: min_age keeps it for " + spanUp(rest)
	}
	return "on the host" + p.since(img.Seen) + ": min_age keeps it for " + spanUp(rest) + " more"
}

func (p *pass) whyUsed(img *Image, rest time.Duration) string {
	return p.lastUsed(img) + ": unused_for keeps it for " + spanUp(rest) + " more"
}

func (p *pass) whyKept(pin *Pinned) string {
	why := "kept for a rollback"
	if pin.Image != "" {
		why += " of " + pin.Image
	}
	if pin.Since.IsZero() {
		return why
	}
	return why + ", superseded" + p.since(pin.Since)
}

// lastUsed tells when an image was used last.
func (p *pass) lastUsed(img *Image) string {
	ago := span(p.unused(img)) + " ago"
	if img.Used.After(img.Seen) {
		return "last used " + ago
	}
	return "not used since it was first seen " + ago
}

// whyGoes tells why a candidate goes, as far as it does.
func (p *pass) whyGoes(c *candidate) string {
	why := p.whyRule(c) + ", " + p.lastUsed(c.image)
	if c.goes == ours {
		return why + "; the others' names of it stay"
	}
	return why
}

func (p *pass) whyRule(c *candidate) string {
	switch c.rule(c.goes) {
	case GoNeverCurrent:
		if c.pin.Image == "" {
			return "never was current"
		}
		return "never was current of " + c.pin.Image
	case GoDangling:
		return "not wanted by us, and has no tag"
	case GoUnused:
		return "not wanted by us"
	case GoOrphaned:
		return "no longer in the configuration" + p.since(c.pin.Since)
	case GoKept:
		return p.whyKept(c.pin) + ", and space is needed"
	}
	switch keep := p.policy.rulesFor(c.pin).Keep; keep {
	case 0:
		return "superseded beyond those that are kept"
	case 1:
		return "superseded beyond the one that is kept"
	default:
		return fmt.Sprintf("superseded beyond the %d that are kept", keep)
	}
}

// stays gives why a candidate stays after all.
func (p *pass) stays(c *candidate) stay {
	if ref := p.copies.last(c.refs); ref != "" {
		return stay{c.image, IsLastCopy, "the last digest of " + ref + " on the host, which " + p.guard.of(ref).String() + " protects"}
	}
	switch {
	case c.capped, c.routinely != nothing: // only for the cap does any of the latter stay
		return stay{c.image, Capped, fmt.Sprintf("may go, and is left to the next pass: this one removes no more than %d", p.policy.MaxRemovals)}
	case c.pins == kept && c.pin != nil:
		return stay{c.image, IsKept, p.whyKept(c.pin) + p.unless()}
	}
	return stay{c.image, NoNeed, p.lastUsed(c.image) + ", may go where space is needed" + p.unless()}
}

// unless tells, where space is needed, why something stays all the same.
func (p *pass) unless() string {
	switch {
	case p.policy.Need <= 0:
		return ""
	case p.layers.freed >= p.policy.Need:
		return "; enough becomes free without it"
	case p.policy.AllOrNothing:
		return "; space is needed, and all that may go would free too little"
	}
	return "; space is needed, and its removal would free none"
}

// span writes a duration in its largest unit of which there are two at least.
func span(d time.Duration) string {
	n, unit := d/time.Minute, "minute"
	switch {
	case d >= 48*time.Hour:
		n, unit = d/(24*time.Hour), "day"
	case d >= 2*time.Hour:
		n, unit = d/time.Hour, "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

// spanUp is span of what is still to come: rounded up.
func spanUp(d time.Duration) string {
	switch {
	case d > 47*time.Hour:
		d += 24*time.Hour - 1
	case d > 119*time.Minute:
		d += time.Hour - 1
	default:
		d += time.Minute - 1
	}
	return span(d)
}
