package warmer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/problem"
)

type pauseKey struct {
	what Activity
	host string
}

// Pause stops an activity on a host, or on the fleet where host is empty, until
// Resume; it is on disk when it returns. Pulls and runs under way go on. Asking
// twice changes nothing.
func (w *Warmer) Pause(ctx context.Context, what Activity, host, who string) error {
	return w.setPause(ctx, Pause{What: what, Host: host, Since: time.Now(), Who: who}, true)
}

// Resume ends a pause. Asking without one changes nothing.
func (w *Warmer) Resume(ctx context.Context, what Activity, host, who string) error {
	return w.setPause(ctx, Pause{What: what, Host: host, Since: time.Now(), Who: who}, false)
}

func (w *Warmer) setPause(ctx context.Context, p Pause, paused bool) error {
	w.deciding.Lock()
	defer w.deciding.Unlock()
	key := pauseKey{p.What, p.Host}
	w.mu.Lock()
	_, already := w.pauses[key]
	err := w.pausable(p)
	w.mu.Unlock()
	// What is paused can be resumed, also on a host that left the configuration.
	if err != nil && !already {
		return err
	}
	if already == paused {
		return nil
	}
	verb, change := p.verb(paused), Change{Resumed: []Pause{p}}
	if paused {
		change = Change{Paused: []Pause{p}}
	}
	act, err := newAct(verb, p.Who)
	if err != nil {
		return err
	}
	act.Detail = p.String()
	change.Acts = []Act{act}
	if err := w.opts.Store.Save(context.WithoutCancel(ctx), change); err != nil {
		return fmt.Errorf("%s %s: %w", verb, p, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pauses, key)
	if paused {
		w.pauses[key] = p
	}
	w.unsettleAll()
	w.announce()
	w.tell(act.event())
	w.Kick()
	w.log.Info(string(verb), "what", p.What, "host", p.Host, "by", p.Who)
	return nil
}

// pausable refuses what can't be paused. The caller holds mu.
func (w *Warmer) pausable(p Pause) error {
	switch {
	case !slices.Contains([]Activity{Watching, Pulling, Placing, Pruning}, p.What):
		return problem.New(problem.InvalidRequest, fmt.Sprintf("pause %q: there is no such activity", p.What), "name watching, warming, pruning or placing")
	case p.What == Placing && p.Host == "":
		return problem.New(problem.InvalidRequest, "drain the whole fleet: no run would be placed anywhere", "name one host; prewarm status lists the hosts")
	case p.What == Watching && p.Host != "":
		return problem.New(problem.InvalidRequest, "pause watching on host "+p.Host+": tags are looked at once for the whole fleet", "leave the host out, or pause warming on it")
	case p.Host != "" && w.hosts[p.Host] == nil:
		return problem.New(problem.HostNotManaged, fmt.Sprintf("no host is called %q", p.Host), "prewarm status lists the hosts")
	}
	return nil
}

// verb is what somebody did who began the pause, or ended it.
func (p Pause) verb(paused bool) Verb {
	switch {
	case p.What == Placing && paused:
		return Draining
	case p.What == Placing:
		return Undraining
	case paused:
		return Pausing
	default:
		return Resuming
	}
}

// String says what is paused where, as the object of its verb.
func (p Pause) String() string {
	switch {
	case p.What == Placing:
		return "host " + p.Host
	case p.Host == "":
		return string(p.What) + " on the fleet"
	default:
		return string(p.What) + " on host " + p.Host
	}
}

// isPaused tells whether an activity is paused on a host itself, or on the
// fleet. The caller holds mu.
func (w *Warmer) isPaused(what Activity, host string) bool {
	_, paused := w.pauses[pauseKey{what, host}]
	return paused
}

// Paused tells whether an activity is paused on the fleet, and gives a channel
// that is closed at the next change.
func (w *Warmer) Paused(what Activity) (paused bool, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.isPaused(what, ""), w.changed
}

// AwaitResume waits while an activity is paused on the fleet; false when ctx
// ended.
func (w *Warmer) AwaitResume(ctx context.Context, what Activity) bool {
	for {
		paused, changed := w.Paused(what)
		if !paused {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

// Pauses lists what is paused, the fleet's first.
func (w *Warmer) Pauses() []Pause {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(maps.Values(w.pauses), func(a, b Pause) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.What, b.What))
	})
}

func newAct(verb Verb, who string) (Act, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Act{}, fmt.Errorf("make an id: %w", err)
	}
	return Act{ID: id.String(), At: time.Now(), Who: who, Verb: verb}, nil
}
