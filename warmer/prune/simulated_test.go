package prune

import (
	"cmp"
	"slices"
	"time"
)

// held is a content on the host.
type held struct {
	content        int
	job            int
	tag            string // empty: it has none, or no longer
	built          time.Time
	came, lastUsed time.Time
	busyUntil      time.Time
	layers         []Layer
}

func (h *held) inUse(now time.Time) bool { return now.Before(h.busyUntil) }

// simulated is the host of one strategy.
type simulated struct {
	load   *workload
	by     strategy
	budget int64
	now    time.Time
	used   int64
	images map[int]*held
	users  map[string]int // of layers
	past   map[int][]int  // of jobs: the contents that were current, the present one last
	result result
}

// result is what came of a strategy.
type result struct {
	runs, hits           int
	rollbacks, instantly int
	removed              int
	freed                int64
	wanted               int // removed though current
	soon                 int // removed, and needed within a day
	refused              int // pulls that did not fit
	cold                 int64
}

// settled is how long the host is let alone before anything counts.
const settled = 7 * day

func (w *workload) simulate(by strategy, budget int64) result {
	s := &simulated{load: w, by: by, budget: budget, images: map[int]*held{}, users: map[string]int{}, past: map[int][]int{}}
	night := w.begin.Add(3*hour + 17*time.Minute)
	for _, e := range w.events {
		for ; night.Before(e.at); night = night.Add(day) {
			s.now = night
			by.nightly(s)
		}
		s.now = e.at
		s.happens(e)
	}
	return s.result
}

func (s *simulated) counts() bool { return s.now.Sub(s.load.begin) >= settled }

func (s *simulated) happens(e event) {
	job := s.load.contents[e.content].job
	_, warm := s.images[e.content]
	if s.counts() {
		switch e.kind {
		case ran:
			s.result.runs++
			if warm {
				s.result.hits++
			}
		case rolledBack:
			s.result.rollbacks++
			if warm {
				s.result.instantly++
			}
		}
	}
	if e.kind == pushed || e.kind == rolledBack {
		s.past[job] = append(slices.DeleteFunc(s.past[job], func(c int) bool { return c == e.content }), e.content)
	}
	if !warm {
		s.pull(e)
	}
	h := s.images[e.content]
	if h == nil {
		return
	}
	if h.job >= 0 && !s.by.digests {
		for _, other := range s.images { // the tag moves
			if other.job == h.job {
				other.tag = ""
			}
		}
		h.tag = s.load.contents[e.content].tag
	}
	if e.lasts > 0 {
		h.lastUsed, h.busyUntil = s.now, s.now.Add(e.lasts)
	}
}

// pull brings a content to the host, if it fits.
func (s *simulated) pull(e event) {
	c := s.load.contents[e.content]
	if lacks := s.used + s.lacking(c) - s.budget; lacks > 0 {
		s.by.room(s, lacks)
	}
	bytes := s.lacking(c)
	if s.used+bytes > s.budget {
		if s.counts() {
			s.result.refused++
		}
		return
	}
	if s.counts() && (e.kind == ran || e.kind == rolledBack) {
		s.result.cold += bytes
	}
	s.used += bytes
	for _, l := range c.layers {
		s.users[l.ID]++
	}
	h := &held{content: e.content, job: c.job, tag: c.tag, built: c.built, came: s.now, lastUsed: s.now, layers: c.layers}
	if h.job >= 0 && s.by.digests {
		h.tag = ""
	}
	s.images[e.content] = h
}

func (s *simulated) lacking(c content) int64 {
	var bytes int64
	for _, l := range c.layers {
		if s.users[l.ID] == 0 {
			bytes += l.Bytes
		}
	}
	return bytes
}

func (s *simulated) remove(h *held) {
	delete(s.images, h.content)
	before := s.used
	for _, l := range h.layers {
		if s.users[l.ID]--; s.users[l.ID] == 0 {
			s.used -= l.Bytes
		}
	}
	if !s.counts() {
		return
	}
	s.result.removed++
	s.result.freed += before - s.used
	if past := s.past[h.job]; h.job >= 0 && past[len(past)-1] == h.content {
		s.result.wanted++
	}
	if s.load.neededSoon(h.content, s.now) {
		s.result.soon++
	}
}

func (s *simulated) inOrder() []*held {
	var all []*held
	for _, h := range s.images {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *held) int { return cmp.Compare(a.content, b.content) })
	return all
}
