package hints

import "time"

// A delivery that tells what another one of its hook told within rememberFor is
// a repetition. At most maxRemembered events are remembered: the oldest are
// forgotten first, and cost a look each if they come again.
const (
	rememberFor   = 24 * time.Hour
	maxRemembered = 20_000
)

type told struct{ hook, id string }

// memory holds which events senders told of. The Receiver guards it.
type memory struct {
	at    map[told]time.Time
	order []told // the oldest first; some are forgotten already
}

func newMemory() *memory { return &memory{at: make(map[told]time.Time)} }

func (m *memory) knows(t told, now time.Time) bool {
	at, ok := m.at[t]
	return ok && now.Sub(at) < rememberFor
}

func (m *memory) remember(t told, at time.Time) {
	m.at[t] = at
	m.order = append(m.order, t)
	for len(m.order) > maxRemembered {
		delete(m.at, m.order[0])
		m.order = m.order[1:]
	}
}

// forget lets events be told again: what they asked for did not come about.
func (m *memory) forget(hook string, ids []string) {
	for _, id := range ids {
		delete(m.at, told{hook, id})
	}
}
