package runner_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// memory is a store. What it gives away is a copy, as from a database.
type memory struct {
	mu       sync.Mutex
	runs     map[string]runner.Run
	sealed   map[string][]byte
	scopes   map[string]runner.Scope
	joined   map[string]string // runs by the word of a call that joined them
	latest   map[string]string // the other way round: the last one
	told     []notice.Event
	err      error // of every write
	restored time.Time
	waited   []string // in the backup that it was restored from
}

func newMemory() *memory {
	return &memory{runs: map[string]runner.Run{}, sealed: map[string][]byte{}, scopes: map[string]runner.Scope{}, joined: map[string]string{}, latest: map[string]string{}}
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memory) write(change func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	return change()
}

func (m *memory) InsertRun(_ context.Context, r runner.Run, sealed []byte, scope *runner.Scope) error {
	return m.write(func() error {
		for _, other := range m.runs {
			if r.Idempotency != "" && other.Idempotency == r.Idempotency {
				return errors.New("two runs of one call")
			}
		}
		m.put(r)
		if sealed != nil {
			m.sealed[r.ID] = sealed
		}
		if scope == nil {
			return nil
		}
		s := *scope
		if old, there := m.scopes[s.Name]; there {
			s.Keep, s.Created = old.Keep, old.Created
		}
		s.Pins = slices.Clone(m.scopes[s.Name].Pins)
		for _, p := range scope.Pins {
			if !slices.ContainsFunc(s.Pins, func(old runner.ScopePin) bool { return old.Track == p.Track }) {
				s.Pins = append(s.Pins, p)
			}
		}
		m.scopes[s.Name] = s
		return nil
	})
}

// put stores what a database would: not what is known of runs under way only.
func (m *memory) put(r runner.Run) {
	r.Waiting, r.Unreachable, r.Unattended = "", time.Time{}, time.Time{}
	m.runs[r.ID] = r
}

func (m *memory) UpdateRun(_ context.Context, r runner.Run, notices ...notice.Event) error {
	return m.write(func() error {
		m.told = append(m.told, notices...)
		if m.put(r); r.ContainerID != "" || r.State.Ended() {
			delete(m.sealed, r.ID)
		}
		return nil
	})
}

// notices gives what was told of a run, in order.
func (m *memory) notices(run string) []notice.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []notice.Event
	for _, e := range m.told {
		if e.Run.ID == run {
			all = append(all, e)
		}
	}
	return all
}

func (m *memory) Run(_ context.Context, id string) (runner.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.runs[id]
	if !ok {
		return r, problem.New(problem.RunNotFound, "no run "+id, "")
	}
	return r, nil
}

// which gives the runs that a test chooses, newest first.
func (m *memory) which(takes func(runner.Run) bool) []runner.Run {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []runner.Run
	for _, r := range m.runs {
		if takes(r) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b runner.Run) int { return cmp.Compare(b.ID, a.ID) })
	return all
}

func (m *memory) Runs(_ context.Context, f runner.Filter) ([]runner.Run, error) {
	return m.which(func(r runner.Run) bool {
		return (len(f.States) == 0 || slices.Contains(f.States, r.State)) &&
			(f.Scope == "" || r.Terms.Scope == f.Scope) && (f.Namespace == "" || r.Terms.Namespace == f.Namespace)
	}), nil
}

func (m *memory) RecordJoin(_ context.Context, _, word, run string) error {
	return m.write(func() error {
		m.joined[word], m.latest[run] = run, word
		return nil
	})
}

func (m *memory) LatestCall(ctx context.Context, run string) (string, error) {
	m.mu.Lock()
	word, ok := m.latest[run]
	m.mu.Unlock()
	if ok {
		return word, nil
	}
	r, err := m.Run(ctx, run)
	return r.Idempotency, err
}

func (m *memory) ByIdempotency(ctx context.Context, _, word string) (runner.Run, error) {
	if id, ok := m.joined[word]; ok {
		return m.Run(ctx, id)
	}
	found := m.which(func(r runner.Run) bool { return r.Idempotency == word })
	if len(found) == 0 {
		return runner.Run{}, problem.New(problem.RunNotFound, "no run of this call", "")
	}
	return found[0], nil
}

func (m *memory) ByKey(_ context.Context, _, key string) ([]runner.Run, error) {
	return m.which(func(r runner.Run) bool { return r.Terms.Key == key }), nil
}

func (m *memory) UnfinishedRuns(context.Context) ([]runner.Run, error) {
	all := m.which(func(r runner.Run) bool { return !r.State.Ended() || r.Owed })
	slices.Reverse(all)
	return all, nil
}

func (m *memory) Restored(context.Context) (time.Time, []string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.restored, slices.Clone(m.waited), nil
}

func (m *memory) ForgetRestore(context.Context) error {
	return m.write(func() error { m.restored, m.waited = time.Time{}, nil; return nil })
}

func (m *memory) Secrets(_ context.Context, run string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sealed[run], nil
}

func (m *memory) EndedBefore(_ context.Context, t time.Time, limit int) ([]runner.Run, error) {
	all := m.which(func(r runner.Run) bool { return r.State.Ended() && !r.Owed && r.Ended.Before(t) })
	slices.Reverse(all)
	return all[:min(limit, len(all))], nil
}

func (m *memory) DeleteRuns(_ context.Context, ids []string) error {
	return m.write(func() error {
		for _, id := range ids {
			delete(m.runs, id)
			delete(m.sealed, id)
		}
		return nil
	})
}

func (m *memory) Scopes(context.Context) ([]runner.Scope, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []runner.Scope
	for _, s := range m.scopes {
		s.Pins = slices.Clone(s.Pins)
		all = append(all, s)
	}
	return all, nil
}

func (m *memory) SaveScope(_ context.Context, s runner.Scope) error {
	return m.write(func() error {
		s.Pins = slices.Clone(s.Pins)
		m.scopes[s.Name] = s
		return nil
	})
}

func (m *memory) DeleteScope(_ context.Context, _, name string) error {
	return m.write(func() error { delete(m.scopes, name); return nil })
}

// plain is a sealer that seals badly, on purpose: what it gives can be looked
// for.
type plain struct{}

func (plain) Seal(b []byte) ([]byte, error) {
	sealed := slices.Clone(b)
	for i := range sealed {
		sealed[i] ^= 0x55
	}
	return sealed, nil
}

func (p plain) Open(b []byte) ([]byte, error) { return p.Seal(b) }
