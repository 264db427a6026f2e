package warmer

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/internal/problem"
)

// pruners is how many hosts are pruned at once by one call.
const pruners = 8

// Prune makes a pass over hosts now, or says what one would do. Where a host fails
// its pass says so, as one that was stopped.
func (w *Warmer) Prune(ctx context.Context, ask PruneAsk) ([]Pass, error) {
	if ask.Image != "" {
		if _, err := w.Image(ask.Image); err != nil {
			return nil, err
		}
	}
	hosts, err := w.toPrune(ask.Hosts)
	if err != nil {
		return nil, err
	}
	return w.passes(ctx, hosts, func(*host) passAsk {
		return passAsk{trigger: ByPerson, who: ask.Who, image: ask.Image, need: ask.Free, dry: ask.DryRun}
	})
}

// PruneBySchedule makes a pass over each host that can be reached and on which
// pruning is not paused.
func (w *Warmer) PruneBySchedule(ctx context.Context) error {
	hosts, err := w.toPrune(nil)
	if err != nil {
		return err
	}
	hosts = slices.DeleteFunc(hosts, func(h *host) bool { return w.paused(Pruning, h.Name) })
	_, err = w.passes(ctx, hosts, func(h *host) passAsk { return passAsk{trigger: BySchedule, need: w.needNow(h)} })
	return err
}

// needNow is how much is to become free on a host whose disk is above its high
// mark.
func (w *Warmer) needNow(h *host) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.excess(h)
}

func (w *Warmer) passes(ctx context.Context, hosts []*host, ask func(*host) passAsk) ([]Pass, error) {
	passes := make([]Pass, len(hosts))
	var group errgroup.Group
	group.SetLimit(pruners)
	for i, h := range hosts {
		group.Go(func() error {
			begun, a := time.Now(), ask(h)
			p, _, err := w.pass(ctx, h, a)
			if err != nil { // it ends no other's pass, and is told beside them
				p.Host, p.Trigger, p.Who, p.DryRun, p.Begun, p.Ended, p.Stopped = h.Name, a.trigger, a.who, a.dry, begun, time.Now(), err.Error()
				if a.trigger == BySchedule && ctx.Err() == nil { // nobody else is told
					w.log.Warn("a prune pass was not made, or not to its end", "host", h.Name, "trigger", a.trigger, "error", err)
				}
			}
			passes[i] = p
			return nil
		})
	}
	return passes, group.Wait()
}

// toPrune finds the hosts that are named, each of which must be within reach; or
// all that are.
func (w *Warmer) toPrune(names []string) ([]*host, error) {
	var hosts []*host
	for _, name := range names {
		h, err := w.prunable(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	if len(names) > 0 {
		return hosts, nil
	}
	w.mu.Lock()
	for _, h := range w.hosts {
		if h.contact == Reachable {
			hosts = append(hosts, h)
		}
	}
	w.mu.Unlock()
	slices.SortFunc(hosts, func(a, b *host) int { return cmp.Compare(a.Name, b.Name) })
	if len(hosts) == 0 {
		return nil, problem.New(problem.HostUnreachable, "no host can be reached that could be pruned", "prewarm status tells why")
	}
	return hosts, nil
}
