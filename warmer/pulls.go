package warmer

import (
	"time"

	"github.com/prewarm/prewarm/registry"
)

// seedStall is how long a seed may get nowhere before another host is started
// beside it: shorter than the engine's own patience, since a whole fleet waits.
const seedStall = 30 * time.Second

// wants are the rollouts that hosts are to hold, by urgency: those that runs
// wait for, current ones, the oldest in flight, the newest in flight, kept and held ones.
type wants [5][]want

// want is a rollout and the hosts that are to hold it.
type want struct {
	rollout *Rollout
	hosts   []string
	spare   bool // a host that gave it up for want of space does without
}

// The urgencies.
const (
	forRuns = iota
	forCurrent
	forOldest
	forNewest
	forRollback
)

// add files what a track wants. Outside of its windows nothing is pulled that
// nobody needs yet.
func (w *wants) add(t TrackState, current *Rollout, coming []Rollout, o Observed) {
	open := t.Track.Policy.Pulls.Open(o.Now)
	file := func(r *Rollout, urgency int, anytime bool) {
		if o.Needs.Pins[r.Pin] || current == nil && o.Needs.Images[t.Track.ID.Image] {
			urgency, anytime = forRuns, true
		}
		if open || anytime {
			w[urgency] = append(w[urgency], want{r, t.Track.Hosts, urgency == forRollback})
		}
	}
	if current != nil {
		file(current, forCurrent, true)
	}
	for i := range coming {
		file(&coming[i], min(forOldest+i, forNewest), coming[i].Origin == FromRollback)
	}
	for i := range t.Kept {
		file(&t.Kept[i], forRollback, false)
	}
}

// addPinned files what pin scopes hold: at any time, since a run of the scope
// can have nothing else.
func (w *wants) addPinned(pinned []Pinned, o Observed) {
	for i := range pinned {
		p, urgency := &pinned[i], forRollback
		if o.Needs.Pins[p.Rollout.Pin] {
			urgency = forRuns
		}
		w[urgency] = append(w[urgency], want{&p.Rollout, p.Hosts, false})
	}
}

// slots are the pulls that may still be started.
type slots struct {
	hosts      map[string]int
	registries map[string]int
	rules      map[string]RegistryRules
	fleet      int
	bounded    bool // fleet holds
}

func slotsOf(d Desired, o Observed) *slots {
	s := &slots{hosts: make(map[string]int, len(o.Hosts)), registries: make(map[string]int), rules: d.Registries, fleet: d.Pulls, bounded: d.Pulls > 0}
	for name, h := range o.Hosts {
		s.hosts[name] = h.FreePulls
	}
	for host, n := range o.Pulling {
		s.fleet -= n
		s.registries[host] = -n
	}
	for host, rules := range d.Registries {
		s.registries[host] += rules.Pulls
	}
	return s
}

// take takes a slot for a pull, if there is one.
func (s *slots) take(host, registryHost string) bool {
	bounded := s.rules[registryHost].Pulls > 0
	if s.hosts[host] <= 0 || s.bounded && s.fleet <= 0 || bounded && s.registries[registryHost] <= 0 {
		return false
	}
	s.hosts[host]--
	s.fleet--
	s.registries[registryHost]--
	return true
}

// pulls starts what is missing, most urgent first, within every limit.
func pulls(wanted wants, d Desired, o Observed) []Action {
	if o.Paused {
		return nil
	}
	var actions []Action
	free := slotsOf(d, o)
	started := make(map[Pull]bool)
	seeds := make(map[registry.Digest]bool) // somebody is on the way
	for _, urgency := range wanted {
		for _, w := range urgency {
			server := w.rollout.Pin.Repository().Host()
			if o.Now.Before(o.Closed[server]) {
				continue
			}
			gate := newGate(w, d.Registries[server].Seed, seeds, o)
			for _, name := range w.hosts {
				p := Pull{Host: name, Pin: w.rollout.Pin}
				h := o.Hosts[name]
				if started[p] || w.spare && h.Copies[p.Pin].GivenUp || !missing(*w.rollout, h, o.Now) || !gate.open(h.Platform) || !free.take(name, server) {
					continue
				}
				gate.started(h.Platform)
				started[p] = true
				p.Spare = w.spare
				actions = append(actions, p)
			}
		}
	}
	return actions
}

// missing tells whether a host should be asked now to keep a rollout's pin.
func missing(r Rollout, h HostView, now time.Time) bool {
	if h.Contact != Reachable || h.Paused {
		return false
	}
	if _, ok := r.Manifest.For(h.Platform); !ok {
		return false
	}
	c := h.Copies[r.Pin]
	held := c.State == Warm && c.Kept
	return !held && !c.Busy && !now.Before(c.NextTry)
}

// gate lets one host go first, for each child of an index, where hosts share a
// cache: until it is warm, or while it gets nowhere.
type gate struct {
	rollout *Rollout
	seeding bool
	warm    map[registry.Digest]bool
	seeds   map[registry.Digest]bool // of all wants: several tags can mean one digest
}

func newGate(w want, seed bool, seeds map[registry.Digest]bool, o Observed) *gate {
	g := &gate{rollout: w.rollout, seeding: seed, seeds: seeds, warm: make(map[registry.Digest]bool)}
	if !seed {
		return g
	}
	for _, name := range w.hosts {
		h := o.Hosts[name]
		child, _ := w.rollout.Manifest.For(h.Platform)
		c := h.Copies[w.rollout.Pin]
		switch {
		case c.State == Warm:
			g.warm[child.Digest] = true
		case c.Busy && h.Contact == Reachable && o.Now.Sub(c.Moved) < seedStall:
			g.seeds[child.Digest] = true
		}
	}
	return g
}

// open tells whether a host of a platform may pull now.
func (g *gate) open(p registry.Platform) bool {
	if !g.seeding {
		return true
	}
	child, _ := g.rollout.Manifest.For(p)
	return g.warm[child.Digest] || !g.seeds[child.Digest]
}

// started notes that a host of a platform pulls.
func (g *gate) started(p registry.Platform) {
	if g.seeding {
		child, _ := g.rollout.Manifest.For(p)
		g.seeds[child.Digest] = true
	}
}
