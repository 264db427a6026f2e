package runner

import (
	"fmt"
	"slices"
)

// request is what a run needs of a host.
type request struct {
	hosts            []string // only these; empty: any
	labels           map[string]string
	binds            []string // paths of the host that it mounts
	platform         string
	memory, nanoCPUs int64
}

// candidate is a host on which a run's digest is warm.
type candidate struct {
	host                   string
	labels                 map[string]string
	binds                  []string // folders that it declares
	platform               string   // empty: not known
	slots, inUse           int
	memory, memoryUsed     int64 // memory 0: not known
	nanoCPUs, nanoCPUsUsed int64 // nanoCPUs 0: not known
}

// unfit says why a host can never take a run; "" where it can. declared are the
// folders that some host declares: a bind below one of them needs a host that
// does.
func (c candidate) unfit(r request, declared []string) string {
	if len(r.hosts) > 0 && !slices.Contains(r.hosts, c.host) {
		return "not among the hosts that were named"
	}
	for key, value := range r.labels {
		if c.labels[key] != value {
			return fmt.Sprintf("it lacks the label %s=%s", key, value)
		}
	}
	for _, bind := range r.binds {
		if below(bind, declared) && !below(bind, c.binds) {
			return "it does not declare " + bind
		}
	}
	switch {
	case r.platform != "" && c.platform != "" && r.platform != c.platform:
		return "its platform is " + c.platform
	case c.memory > 0 && r.memory > c.memory:
		return fmt.Sprintf("it has %d bytes of memory, and the run wants %d", c.memory, r.memory)
	case c.nanoCPUs > 0 && r.nanoCPUs > c.nanoCPUs:
		return fmt.Sprintf("it has %g CPUs, and the run wants %g", float64(c.nanoCPUs)/1e9, float64(r.nanoCPUs)/1e9)
	}
	return ""
}

// room tells whether the host could take the run now.
func (c candidate) room(r request) bool {
	return c.inUse < c.slots &&
		(c.memory == 0 || c.memoryUsed+r.memory <= c.memory) &&
		(c.nanoCPUs == 0 || c.nanoCPUsUsed+r.nanoCPUs <= c.nanoCPUs)
}

// place chooses the host of a run among those that fit: one with room, the
// least loaded for its size, the first of equals. It is pure.
func place(r request, fitting []candidate) (host string, ok bool) {
	var best candidate
	for _, c := range fitting {
		if !c.room(r) {
			continue
		}
		// c.inUse/c.slots < best.inUse/best.slots, without division.
		if !ok || c.inUse*best.slots < best.inUse*c.slots {
			best, ok = c, true
		}
	}
	return best.host, ok
}
