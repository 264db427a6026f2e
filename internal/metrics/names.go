package metrics

import "sync"

// Names are those of the configuration that become labels.
type Names struct {
	Images, Hosts []string
	Registries    []string // the hosts of all repositories, as registry.Repository has them
}

// names keeps labels to the names of the configuration in force.
type names struct {
	families []*family

	mu    sync.RWMutex // held to read while something is counted
	known map[string]map[string]bool
}

// newNames begins the families that have no name among their labels.
func newNames(families []*family) *names {
	n := &names{families: families, known: make(map[string]map[string]bool)}
	for _, f := range families {
		if f.vec != nil && f.by == byNothing {
			f.begin("")
		}
	}
	return n
}

// Use takes over the names of a configuration. The series of names that left it
// end; those of new ones begin at 0.
func (m *Metrics) Use(n Names) {
	m.names.use(map[string][]string{byImage: n.Images, byHost: n.Hosts, byRegistry: n.Registries})
	m.events.avoided.keep(n.Hosts)
	m.events.lags.keep(n.Hosts)
}

func (n *names) use(wanted map[string][]string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for label, all := range wanted {
		before := n.known[label]
		now := setOf(all)
		n.known[label] = now
		for _, f := range n.families {
			if f.vec == nil || f.by != label {
				continue
			}
			for name := range before {
				if !now[name] {
					f.end(name)
				}
			}
			for name := range now {
				if !before[name] {
					f.begin(name)
				}
			}
		}
	}
}

// count runs fn where the configuration has the name. While it runs the name
// stays.
func (n *names) count(label, name string, fn func()) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.known[label][name] {
		fn()
	}
}

// has tells whether the configuration has the name. Of labels that Use was told
// nothing of, the source of the name is the configuration itself.
func (n *names) has(label, name string) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	known, bounded := n.known[label]
	return !bounded || known[name]
}

func setOf(all []string) map[string]bool {
	set := make(map[string]bool, len(all))
	for _, name := range all {
		set[name] = true
	}
	return set
}
