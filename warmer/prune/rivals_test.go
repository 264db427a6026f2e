package prune

import (
	"fmt"
	"slices"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// strategy is a way to keep a host's disk within its budget.
type strategy struct {
	name string
	// digests tells that our images are pulled by digest, and have no tag.
	digests bool
	// nightly is what its cron does.
	nightly func(*simulated)
	// room is what it does when a pull lacks so many bytes.
	room func(*simulated, int64)
}

// The marks of those that have some, in percent of the budget.
const high, low = 90, 75

// overHigh is by how much the disk is over its low mark, once it is over the
// high one.
func (s *simulated) overHigh() int64 {
	if s.used*100 < s.budget*high {
		return 0
	}
	return s.used - s.budget*low/100
}

// rivals are what people use.
func rivals() []strategy {
	var all []strategy
	for _, hours := range []int{24, 168, 720} {
		until := time.Duration(hours) * hour
		all = append(all, strategy{
			name:    fmt.Sprintf("docker image prune -a, until=%dh", hours),
			nightly: func(s *simulated) { s.pruneAll(until) },
			room:    func(s *simulated, _ int64) { s.pruneAll(until) },
		})
	}
	return append(all,
		strategy{
			name:    "docker image prune -a, the longest until that is enough",
			nightly: func(s *simulated) { s.pruneAllFor(s.overHigh()) },
			room:    func(s *simulated, lacks int64) { s.pruneAllFor(lacks) },
		},
		strategy{
			name:    "docker image prune, pulled by tag",
			nightly: func(s *simulated) { s.pruneDangling() },
			room:    func(s *simulated, _ int64) { s.pruneDangling() },
		},
		strategy{
			name: "docker image prune, pulled by digest", digests: true,
			nightly: func(s *simulated) { s.pruneDangling() },
			room:    func(s *simulated, _ int64) { s.pruneDangling() },
		},
		strategy{
			name:    "least recently used, by the engine's events",
			nightly: func(s *simulated) { s.pruneUnused(s.overHigh()) },
			room:    func(s *simulated, lacks int64) { s.pruneUnused(lacks) },
		},
	)
}

// pruneAll is docker image prune -a --filter until=…, as the classic store has
// it: what was built before, and has no container.
func (s *simulated) pruneAll(until time.Duration) {
	for _, h := range s.inOrder() {
		if s.now.Sub(h.built) > until && !h.inUse(s.now) {
			s.remove(h)
		}
	}
}

// pruneAllFor is an administrator who knows which until is enough.
func (s *simulated) pruneAllFor(lacks int64) {
	enough := s.used - lacks
	for _, until := range []time.Duration{60 * day, 30 * day, 21 * day, 14 * day, 10 * day, 7 * day, 5 * day, 3 * day, 2 * day, day, 12 * hour, 6 * hour, 0} {
		if s.used <= enough {
			return
		}
		s.pruneAll(until)
	}
}

// pruneDangling is docker image prune as the classic store has it: what has no
// tag, and no container.
func (s *simulated) pruneDangling() {
	for _, h := range s.inOrder() {
		if h.tag == "" && !h.inUse(s.now) {
			s.remove(h)
		}
	}
}

// pruneUnused removes what was used least recently, until enough is free. What
// nobody has used was used when it came.
func (s *simulated) pruneUnused(lacks int64) {
	enough := s.used - lacks
	all := s.inOrder()
	slices.SortStableFunc(all, func(a, b *held) int { return a.lastUsed.Compare(b.lastUsed) })
	for _, h := range all {
		if s.used <= enough {
			return
		}
		if !h.inUse(s.now) {
			s.remove(h)
		}
	}
}

// prewarm is Decide, with two digests kept for a rollback.
func prewarm(minAge time.Duration, unmanaged Unmanaged) strategy {
	policy := Policy{Rules: Rules{MinAge: minAge, Keep: 2, KeepMin: 1}, Unmanaged: unmanaged}
	return strategy{
		name: fmt.Sprintf("prewarm, unmanaged: %s, min_age: %gh", unmanaged, minAge.Hours()), digests: true,
		nightly: func(s *simulated) {
			p := policy
			p.Need = s.overHigh()
			s.decide(p)
		},
		room: func(s *simulated, lacks int64) {
			p := policy
			p.Need, p.AllOrNothing = lacks, true
			s.decide(p)
		},
	}
}

func (s *simulated) decide(p Policy) {
	inv, byID := Inventory{Now: s.now}, map[string]*held{}
	for _, h := range s.inOrder() {
		img := Image{ID: fmt.Sprintf("%06d", h.content), Layers: h.layers, Seen: h.came, Used: h.lastUsed}
		if h.inUse(s.now) {
			img.Containers = []string{"run"}
		}
		switch {
		case h.job >= 0:
			img.Pins = []Pinned{s.standing(h, p.Rules)}
		case h.tag != "":
			img.Names, img.Tagged = []string{h.tag}, true
		}
		inv.Images, byID[img.ID] = append(inv.Images, img), h
	}
	for _, v := range Decide(p, inv).Verdicts {
		if isWhole(v) {
			s.remove(byID[v.Image.ID])
		}
	}
}

// standing is what Prewarm knows of a digest.
func (s *simulated) standing(h *held, rules Rules) Pinned {
	past := s.past[h.job] // newest last
	pin := Pinned{Pin: registry.NewPin(registry.Repository{}, registry.Digest(fmt.Sprint(h.content))), Image: "job", Rules: rules}
	rank := len(past) - 1 - slices.Index(past, h.content)
	switch {
	case !slices.Contains(past, h.content):
		pin.Standing = NeverCurrent
	case rank == 0:
		pin.Standing, pin.Claims = Wanted, []Claim{{Rule: IsCurrent}}
	case rank <= rules.Keep:
		pin.Standing, pin.Rank = Kept, rank-1
	default:
		pin.Standing, pin.Rank = Superseded, rank-1
	}
	return pin
}
