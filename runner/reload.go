package runner

import (
	"slices"
	"time"
)

// Reconfigure puts another setup into force. Runs under way go on where they
// are, also on a host that is no longer there; a host that has fewer slots than
// runs takes no more until some have ended.
func (r *Runner) Reconfigure(s Setup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.use(s)
	r.wake()
}

// use fills in what a setup leaves open and takes it. The caller holds mu, or is
// alone.
func (r *Runner) use(s Setup) {
	if s.Grace == 0 {
		s.Grace = 10 * time.Second
	}
	if s.MaxQueued == 0 {
		s.MaxQueued = 1000
	}
	if s.Unclaimed == "" {
		s.Unclaimed = UnclaimedStop
	}
	if s.KeepRuns == 0 {
		s.KeepRuns = 30 * 24 * time.Hour
	}
	if s.Logs.Cap == 0 {
		s.Logs.Cap = 1 << 30
	}
	if s.Logs.Keep == 0 {
		s.Logs.Keep = s.KeepRuns
	}
	if s.MaxResult == 0 {
		s.MaxResult = 1 << 20
	}
	before := r.hosts
	r.setup, r.hosts = s, nil
	for _, o := range s.Hosts {
		h := &host{HostOptions: o}
		if i := slices.IndexFunc(before, func(h *host) bool { return h.Name == o.Name }); i >= 0 {
			h = before[i]
			if h.Engine != o.Engine {
				h.swept = time.Time{}
			}
			// Not the name: it is read without the lock.
			h.Engine, h.Slots, h.Labels, h.Env, h.Binds = o.Engine, o.Slots, o.Labels, o.Env, o.Binds
		}
		r.hosts = append(r.hosts, h)
	}
	for _, h := range before {
		if h.inUse > 0 && !slices.Contains(r.hosts, h) {
			h.Slots = 0 // it takes no more
			r.hosts = append(r.hosts, h)
		}
	}
}

// logCap is the bound of a run's log in bytes. The caller holds mu.
func (r *Runner) logCap(run Run) int64 {
	if own := run.Spec.LogCap; own > 0 {
		return min(own, r.setup.Logs.Cap)
	}
	return r.setup.Logs.Cap
}

// now gives a run as it is.
func (r *Runner) now(l *live) Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return l.run
}
