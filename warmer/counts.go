package warmer

import (
	"maps"
	"slices"
	"time"
)

// ImageCount is an image in numbers. They count hosts, not copies: a host has an
// image with several tracked tags when it has the current digest of each.
type ImageCount struct {
	Image string
	// Wanted are the hosts that are to have it, without those of a platform that
	// it has nothing for; Warm are those that do, and Unreached those of the
	// others that can't be asked now.
	Wanted, Warm, Unreached int
	// Held and Coming are digests that wait to be trusted, and those on their way
	// to the hosts.
	Held, Coming int
	// Stopped tells that somebody holds its promotions.
	Stopped bool
	// Promoted is when the current digest became so, of several tags the one that
	// was promoted longest ago; zero: a tag has none.
	Promoted time.Time
}

// ImageCounts gives every image in numbers, in the order of the configuration.
// It is cheap, and never holds others up for longer than one image takes.
func (w *Warmer) ImageCounts() []ImageCount {
	w.mu.Lock()
	entries := slices.Clone(w.entries)
	w.mu.Unlock()
	all := make([]ImageCount, 0, len(entries))
	for _, e := range entries {
		all = append(all, w.imageCount(e))
	}
	return all
}

func (w *Warmer) imageCount(e *entry) ImageCount {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := ImageCount{Image: e.Image, Stopped: !e.held.HeldAt.IsZero()}
	var current []*Rollout // nil: a tag has none
	for _, t := range e.tracks {
		for i := range t.rollouts {
			switch t.rollouts[i].Phase {
			case Held:
				n.Held++
			case Warming:
				n.Coming++
			}
		}
		if !t.leaving {
			current = append(current, t.current())
		}
	}
	n.Promoted = leastRecent(current)
	for _, name := range e.Hosts {
		w.countOn(&n, w.hosts[name], current)
	}
	return n
}

// leastRecent is when the one that was promoted longest ago was; zero where
// there is none, or one is missing.
func leastRecent(current []*Rollout) (at time.Time) {
	for i, r := range current {
		if r == nil {
			return time.Time{}
		}
		if i == 0 || r.Promoted.Before(at) {
			at = r.Promoted
		}
	}
	return at
}

// countOn counts a host to an image. The caller holds mu.
func (w *Warmer) countOn(n *ImageCount, h *host, current []*Rollout) {
	if h == nil || h.contact != Reachable {
		n.Wanted++
		n.Unreached++
		return
	}
	warm, runs := len(current) > 0, false
	for _, r := range current {
		if r == nil {
			warm, runs = false, true
			continue
		}
		if _, ok := r.Manifest.For(h.engine.Platform); !ok {
			continue
		}
		c := h.copies[r.Pin]
		runs, warm = true, warm && c != nil && c.State == Warm && !c.leaving
	}
	switch {
	case !runs && len(current) > 0:
		return // nothing of it is for this platform
	case warm:
		n.Warm++
	}
	n.Wanted++
}

// HostCount is a host in numbers.
type HostCount struct {
	Name    string
	Contact Contact
	// Pulling are the pulls of this moment, and Pulls how many there may be.
	Pulling, Pulls int
	// Paused tells that nothing is pulled there, Drained that no run is placed.
	Paused, Drained bool
	// Disk is that of the images, zero where it can't be known, and High the
	// bytes used above which images go; 0: no such mark.
	Disk Disk
	High int64
	// Images is what the images took when they were listed last, in bytes; below
	// zero: they were not yet. Budget is what they may take; 0: no bound.
	Images, Budget int64
}

// HostCounts gives every host in numbers, by name.
func (w *Warmer) HostCounts() []HostCount {
	w.mu.Lock()
	defer w.mu.Unlock()
	everywhere := w.isPaused(Pulling, "")
	all := make([]HostCount, 0, len(w.hosts))
	for _, name := range slices.Sorted(maps.Keys(w.hosts)) {
		h := w.hosts[name]
		n := HostCount{
			Name: name, Contact: h.contact, Pulling: h.busy, Pulls: h.Pulls,
			Paused: everywhere || w.isPaused(Pulling, name), Drained: w.isPaused(Placing, name),
			Disk: h.engine.Disk, Images: -1, Budget: h.Prune.Budget,
		}
		if h.Prune.Marks != nil && n.Disk.Total > 0 {
			n.High, _ = h.Prune.Marks(n.Disk.Total, false)
		}
		if h.stocked {
			n.Images = h.stockBytes
		}
		all = append(all, n)
	}
	return all
}
