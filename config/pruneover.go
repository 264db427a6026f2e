package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// PruneHosts is what of the policy is another one on hosts with some labels. Nil
// and empty: it was not written.
type PruneHosts struct {
	Labels      map[string]string // a host must have all of them
	Rules       RuleChanges
	Protect     []registry.Pattern // beside those of the policy
	Unmanaged   Unmanaged
	MaxRemovals *int
	DryRun      *bool
}

// RuleChanges are the rules that were written; nil: it was not.
type RuleChanges struct {
	MinAge    *time.Duration
	UnusedFor *time.Duration
	KeepMin   *int
}

// over lays what was written over a policy.
func (p PruneHosts) over(policy PrunePolicy) PrunePolicy {
	policy.Rules = p.Rules.over(policy.Rules)
	for _, pattern := range p.Protect {
		if !slices.Contains(policy.Protect, pattern) {
			policy.Protect = append(policy.Protect, pattern)
		}
	}
	if p.Unmanaged != "" {
		policy.Unmanaged = p.Unmanaged
	}
	replace(&policy.MaxRemovals, p.MaxRemovals)
	replace(&policy.DryRun, p.DryRun)
	return policy
}

func (c RuleChanges) over(rules PruneRules) PruneRules {
	replace(&rules.MinAge, c.MinAge)
	replace(&rules.UnusedFor, c.UnusedFor)
	replace(&rules.KeepMin, c.KeepMin)
	return rules
}

// replace sets what was written.
func replace[T any](value, written *T) {
	if written != nil {
		*value = *written
	}
}

const mendMaxRemovals = "write how many images a pass may remove; 0 for no bound"

func (r *reader) pruneHosts(field string, docs []pruneHostDoc, hosts []Host) []PruneHosts {
	var list []PruneHosts
	for i, doc := range docs {
		entry := fmt.Sprintf("%s[%d]", field, i)
		over := PruneHosts{
			Labels:      maps.Clone(doc.Labels),
			Rules:       r.ruleChanges(entry, doc.MinAge, doc.UnusedFor, doc.KeepMin),
			Protect:     r.protect(entry+".protect", doc.Protect),
			Unmanaged:   r.unmanaged(entry+".unmanaged", doc.Unmanaged, ""),
			MaxRemovals: r.countWritten(entry+".max_removals", doc.MaxRemovals, mendMaxRemovals),
			DryRun:      doc.DryRun,
		}
		list = append(list, over)
		if r.spoiledWithin(entry) {
			continue
		}
		r.checkPruneLabels(entry+".labels", over.Labels, hosts)
		over.Labels = nil
		if reflect.DeepEqual(over, PruneHosts{}) {
			r.add(entry, "", "it says nothing about these hosts", "write what is different there, as in min_age: 1h, or leave the entry out")
		}
	}
	return list
}

// checkPruneLabels reports an entry that is about no host, or about all.
func (r *reader) checkPruneLabels(field string, labels map[string]string, hosts []Host) {
	switch {
	case len(labels) == 0:
		r.add(field, "", "it does not say which hosts are meant", "write labels, as in {pool: etl}; what holds everywhere stands in prune itself")
	case r.selectsNone(labels, hosts):
		r.add(field, selector(labels), "no host has these labels", "labels that hosts have: "+labelsOf(hosts))
	}
}

func (r *reader) ruleChanges(entry, minAge, unusedFor string, keepMin *int) RuleChanges {
	return RuleChanges{
		MinAge:    r.durationWritten(entry+".min_age", minAge),
		UnusedFor: r.durationWritten(entry+".unused_for", unusedFor),
		KeepMin:   r.countWritten(entry+".keep_min", keepMin, mendKeepMin),
	}
}

func (r *reader) durationWritten(field, text string) *time.Duration {
	if !r.has(field) {
		return nil
	}
	return new(r.duration(field, text, 0, 0))
}

func (r *reader) countWritten(field string, written *int, mend string) *int {
	if written == nil {
		return nil
	}
	return new(r.count(field, *written, 0, mend))
}

// imagePrune takes how many superseded digests the image keeps at all.
func (r *reader) imagePrune(entry string, doc imagePruneDoc, keep int) RuleChanges {
	over := r.ruleChanges(entry+".prune", doc.MinAge, doc.UnusedFor, doc.KeepMin)
	if over.KeepMin != nil && *over.KeepMin > keep && keep >= 0 && !r.spoiled[entry+".keep"] {
		r.add(entry+".prune.keep_min", fmt.Sprint(*over.KeepMin), "it is more than the image keeps at all", fmt.Sprintf("write %d or less, or more for keep", keep))
	}
	return over
}

func (p PruneHosts) document() pruneHostDoc {
	rules := p.Rules.document()
	return pruneHostDoc{
		Labels: p.Labels, MinAge: rules.MinAge, UnusedFor: rules.UnusedFor, KeepMin: rules.KeepMin,
		Protect: protectList(p.Protect), Unmanaged: string(p.Unmanaged), MaxRemovals: p.MaxRemovals, DryRun: p.DryRun,
	}
}

func (c RuleChanges) document() imagePruneDoc {
	doc := imagePruneDoc{KeepMin: c.KeepMin}
	if c.MinAge != nil {
		doc.MinAge = durationText(*c.MinAge)
	}
	if c.UnusedFor != nil {
		doc.UnusedFor = durationText(*c.UnusedFor)
	}
	return doc
}
