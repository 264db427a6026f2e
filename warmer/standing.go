package warmer

import (
	"slices"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer/prune"
)

// past is what the ledger tells of digests.
type past struct {
	leases   map[registry.Pin][]prune.Claim
	memories map[registry.Pin][]Memory
}

// standing says what a digest on a host is to the configuration, and who wants
// it now. Several images may have to do with it: all of their claims count, it
// stands as the one says that wants it most, and the most careful rules hold.
// The caller holds mu.
func (w *Warmer) standing(h *host, pin registry.Pin, p past) prune.Pinned {
	s := prune.Pinned{Pin: pin, Standing: prune.Unknown, Rules: h.Prune.Policy.Rules}
	var rules prune.Rules
	for i, said := range w.opinions(h, pin, p.memories[pin]) {
		rules = careful(rules, h.Prune.rulesOf(said.Image))
		claims, refs := slices.Concat(s.Claims, said.Claims), slices.Concat(s.Refs, said.Refs)
		if i == 0 || weight[said.Standing] > weight[s.Standing] || said.Standing == prune.Kept && s.Standing == prune.Kept && said.Rank < s.Rank {
			s = said
		}
		s.Pin, s.Claims, s.Refs, s.Rules = pin, claims, refs, rules
	}
	slices.Sort(s.Refs)
	s.Refs = slices.Compact(s.Refs)
	s.Claims = append(s.Claims, w.holders(h, pin, p.leases[pin])...)
	if len(s.Claims) > 0 {
		s.Standing = prune.Wanted
	}
	return s
}

// holders are the claims of runs and scopes, and of what is done with a digest
// on a host at this moment. The caller holds mu.
func (w *Warmer) holders(h *host, pin registry.Pin, leases []prune.Claim) []prune.Claim {
	claims := slices.Clone(leases)
	inScope := slices.ContainsFunc(leases, func(c prune.Claim) bool { return c.Rule == prune.InScope })
	for key, s := range w.sought {
		if key.Pin == pin && s.held && !inScope {
			claims = append(claims, prune.Claim{Rule: prune.InScope, Detail: "a pin scope of " + key.Image})
		}
	}
	if c := h.copies[pin]; c != nil && c.Busy {
		claims = append(claims, prune.Claim{Rule: prune.IsPulled, Detail: "the host is busy with it", Since: c.Progress.At})
	}
	return claims
}

// weight orders standings: how much they want a digest.
var weight = map[prune.Standing]int{prune.Wanted: 5, prune.Kept: 4, prune.Superseded: 3, prune.NeverCurrent: 2, prune.Orphaned: 1}

// careful are the rules that let the fewest go.
func careful(a, b prune.Rules) prune.Rules {
	return prune.Rules{MinAge: max(a.MinAge, b.MinAge), UnusedFor: max(a.UnusedFor, b.UnusedFor), Keep: max(a.Keep, b.Keep), KeepMin: max(a.KeepMin, b.KeepMin)}
}

// opinions are what the tracks and the ledger say of a digest on a host, each
// for itself. The caller holds mu.
func (w *Warmer) opinions(h *host, pin registry.Pin, memories []Memory) []prune.Pinned {
	var all []prune.Pinned
	for t := range w.tracks() {
		if t.has(pin) {
			all = append(all, t.opinion(h.Name, pin))
		}
	}
	for _, m := range memories {
		all = append(all, w.remembered(h.Name, m))
	}
	return all
}

// opinion is what a track says of one of its digests on a host.
func (t *track) opinion(host string, pin registry.Pin) prune.Pinned {
	s := prune.Pinned{Image: t.ID.Image, Standing: prune.Orphaned}
	if t.ID.Tag != "" {
		s.Refs = []string{t.Repository.String() + ":" + t.ID.Tag}
	}
	if !slices.Contains(t.Hosts, host) {
		return s
	}
	kept := t.kept()
	rank := slices.IndexFunc(kept, func(r Rollout) bool { return r.Pin == pin })
	for _, r := range t.rollouts {
		if r.Pin != pin {
			continue
		}
		said := prune.Pinned{Standing: prune.NeverCurrent, Rank: len(kept), Since: r.Ended}
		switch {
		case r.Phase == Current:
			s.Claims = append(s.Claims, prune.Claim{Rule: prune.IsCurrent, Detail: t.ID.String(), Since: r.Promoted})
			s.Standing, s.Since = prune.Wanted, r.Promoted
			continue
		case r.Open():
			s.Claims = append(s.Claims, prune.Claim{Rule: prune.IsComing, Detail: t.ID.String(), Since: r.Seen})
			s.Standing, s.Since = prune.Wanted, r.Seen
			continue
		case rank >= 0:
			said.Standing, said.Rank = prune.Kept, rank
		case !r.Promoted.IsZero():
			said.Standing = prune.Superseded
		}
		if weight[said.Standing] >= weight[s.Standing] {
			s.Standing, s.Rank, s.Since = said.Standing, said.Rank, said.Since
		}
	}
	return s
}

// remembered is what the ledger says of a digest on a host. The caller holds mu.
func (w *Warmer) remembered(host string, m Memory) prune.Pinned {
	s := prune.Pinned{Image: m.Track.Image, Since: m.Ended, Rank: maxSuperseded}
	switch e := w.entryOf(m.Track.Image); {
	case e == nil || !slices.Contains(e.Hosts, host):
		s.Standing = prune.Orphaned
	case m.Promoted.IsZero():
		s.Standing = prune.NeverCurrent
	default:
		s.Standing = prune.Superseded
	}
	return s
}
