package config

import (
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/schedule"
	"github.com/prewarm/prewarm/registry"
)

// Prune says when images go from the hosts, and which may.
type Prune struct {
	// Schedule says when passes are made; zero: never by themselves.
	Schedule schedule.Spec
	Windows  schedule.Windows // when passes by the schedule may begin; empty: always
	// Policy is that of hosts of which Hosts says nothing else: PruneFor merges
	// the two.
	Policy PrunePolicy
	Hosts  []PruneHosts
}

// PrunePolicy is what may go from a host.
type PrunePolicy struct {
	Rules       PruneRules
	Protect     []registry.Pattern // names of images that stay
	Unmanaged   Unmanaged
	MaxRemovals int  // of a pass; 0: no bound
	DryRun      bool // passes say what would go, and remove nothing
}

// PruneRules say when an image may go.
type PruneRules struct {
	MinAge    time.Duration // it stays that long after it was first seen on the host
	UnusedFor time.Duration // nobody has used it for that long; 0: it does not matter
	KeepMin   int           // superseded digests of each tag that stay where space is needed, too
}

// Unmanaged says what becomes of images that are not ours.
type Unmanaged string

// The ways.
const (
	UnmanagedKeep     Unmanaged = "keep"     // they stay
	UnmanagedDangling Unmanaged = "dangling" // those without any tag go
	UnmanagedLRU      Unmanaged = "lru"      // those go that were used least recently
)

const (
	defaultPruneSchedule = "17 3 * * *" // at night, and not when everybody's timers fire
	scheduleOff          = "off"
)

// defaultPrune: a day is what a bad push is noticed in, one digest is enough to
// go back to, and what others put on a host is theirs.
func defaultPrune() Prune {
	spec, _ := schedule.Parse(defaultPruneSchedule) // a test sees that it is one
	return Prune{
		Schedule: spec,
		Policy:   PrunePolicy{Rules: PruneRules{MinAge: 24 * time.Hour, KeepMin: 1}, Unmanaged: UnmanagedKeep},
	}
}

// PruneFor is the policy of a host.
func (c *Config) PruneFor(h Host) PrunePolicy {
	policy := c.Prune.Policy
	policy.Protect = slices.Clone(policy.Protect)
	for _, p := range c.Prune.Hosts {
		if selects(p.Labels, h) {
			policy = p.over(policy)
		}
	}
	return policy
}

// For is what holds for the digests of an image on a host with the policy.
func (p PrunePolicy) For(i Image) PruneRules {
	rules := i.Prune.over(p.Rules)
	rules.KeepMin = min(rules.KeepMin, i.Keep) // those beyond are not kept at all
	return rules
}

const mendKeepMin = "write how many earlier digests of a tag stay even where space is needed; 0 for none"

func (r *reader) prune(doc pruneDoc, hosts []Host) Prune {
	const field = "prune"
	standard := defaultPrune()
	rules := standard.Policy.Rules
	prune := Prune{
		Schedule: r.pruneSchedule(field+".schedule", doc.Schedule, standard.Schedule),
		Windows:  r.windows(field+".windows", doc.Windows),
		Policy: PrunePolicy{
			Rules: PruneRules{
				MinAge:    r.duration(field+".min_age", doc.MinAge, rules.MinAge, 0),
				UnusedFor: r.duration(field+".unused_for", doc.UnusedFor, rules.UnusedFor, 0),
				KeepMin:   r.count(field+".keep_min", doc.KeepMin, rules.KeepMin, mendKeepMin),
			},
			Protect:     r.protect(field+".protect", doc.Protect),
			Unmanaged:   r.unmanaged(field+".unmanaged", doc.Unmanaged, standard.Policy.Unmanaged),
			MaxRemovals: r.count(field+".max_removals", doc.MaxRemovals, 0, mendMaxRemovals),
			DryRun:      doc.DryRun,
		},
		Hosts: r.pruneHosts(field+".hosts", doc.Hosts, hosts),
	}
	if !r.spoiledWithin(field+".windows") && !meet(prune.Schedule, prune.Windows) {
		r.add(field+".windows", "", "they are never open when the schedule ("+prune.Schedule.String()+") fires, so that nothing would ever be pruned by itself",
			"write a schedule that falls into them, or leave them out")
	}
	return prune
}

func (r *reader) pruneSchedule(field, text string, standard schedule.Spec) schedule.Spec {
	switch {
	case !r.has(field):
		return standard
	case text == scheduleOff:
		return schedule.Spec{}
	case !strings.ContainsAny(text, " @="):
		r.add(field, text, "it is not a schedule", "write "+scheduleOff+" for never, or a line as in '"+defaultPruneSchedule+"'")
		return standard
	}
	return r.schedule(field, text)
}

// mostOpenings bounds the search of meet: daily windows for four years.
const mostOpenings = 1500

// meet tells whether a schedule fires while windows are open. An interval may,
// for it begins at any time. The day to begin at is fixed, so that the answer is
// the same at any time.
func meet(spec schedule.Spec, windows schedule.Windows) bool {
	if spec.IsZero() || strings.HasPrefix(spec.String(), "@every") {
		return true
	}
	t := time.Date(2000, 1, 1, 0, 0, 0, 0, time.Local)
	for range mostOpenings {
		firing := spec.Next(t)
		if windows.Open(firing) {
			return true
		}
		opening := windows.Next(firing)
		if opening.IsZero() {
			return false
		}
		t = opening.Add(-1)
	}
	return false
}

func (r *reader) unmanaged(field, text string, standard Unmanaged) Unmanaged {
	switch way := Unmanaged(text); {
	case !r.has(field):
		return standard
	case way == UnmanagedKeep, way == UnmanagedDangling, way == UnmanagedLRU:
		return way
	}
	r.add(field, text, "there is no such way", "write keep, dangling for those without any tag, or lru for those that were used least recently")
	return standard
}

func (p Prune) document() pruneDoc {
	doc := pruneDoc{
		Schedule: p.Schedule.String(), Windows: windowDocs(p.Windows),
		MinAge: durationText(p.Policy.Rules.MinAge), KeepMin: p.Policy.Rules.KeepMin, Protect: protectList(p.Policy.Protect),
		Unmanaged: string(p.Policy.Unmanaged), MaxRemovals: p.Policy.MaxRemovals, DryRun: p.Policy.DryRun,
	}
	if p.Schedule.IsZero() {
		doc.Schedule = scheduleOff
	}
	if p.Policy.Rules.UnusedFor > 0 {
		doc.UnusedFor = durationText(p.Policy.Rules.UnusedFor)
	}
	for _, h := range p.Hosts {
		doc.Hosts = append(doc.Hosts, h.document())
	}
	return doc
}
