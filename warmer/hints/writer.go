package hints

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/failpoint"
	"github.com/prewarm/prewarm/internal/problem"
)

const (
	// maxQueued is how many deliveries may wait for the disk: about what comes in
	// a second of a flood.
	maxQueued = 1000
	// maxBatch is how many are written down together: one fsync for all.
	maxBatch = 500
	// refusedEvery is how often at most refusals are written down, one record for
	// each hook: a flood of forged deliveries costs no row each.
	refusedEvery = time.Second
)

// Run writes deliveries down and looks at what they are about until ctx ends,
// then waits for what it started. It returns nil after an orderly end.
func (r *Receiver) Run(ctx context.Context) error {
	r.recall(ctx)
	r.writeDown(ctx)
	close(r.stopped)
	r.looking.Wait()
	last := context.WithoutCancel(ctx)
	r.writeOutcomes(last)
	r.writeRefusals(last)
	return nil
}

func (r *Receiver) writeDown(ctx context.Context) {
	var again <-chan time.Time
	refused := r.refused
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-r.queue:
			r.commit(ctx, r.batch(first))
		case <-r.told:
			r.writeOutcomes(ctx)
		case <-refused:
			r.writeRefusals(ctx)
			refused, again = nil, time.After(refusedEvery)
		case <-again:
			refused, again = r.refused, nil
		}
	}
}

// batch takes what waits.
func (r *Receiver) batch(first entry) []entry {
	all := []entry{first}
	for len(all) < maxBatch {
		select {
		case e := <-r.queue:
			all = append(all, e)
		default:
			return all
		}
	}
	return all
}

// commit writes deliveries down together, and then asks for the looks, whether
// or not their senders still wait for an answer.
func (r *Receiver) commit(ctx context.Context, all []entry) {
	rows := make([]Delivery, len(all))
	for i, e := range all {
		rows[i] = e.delivery
	}
	err := r.opts.Store.Record(context.WithoutCancel(ctx), rows)
	failpoint.Here("hint.written")
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range all {
		if err == nil {
			r.count(e.delivery.Hook, e.delivery.Verdict, 1)
			// Only now: a sender that is told of a failure sends it again.
			for _, id := range e.delivery.IDs {
				r.memory.remember(told{e.delivery.Hook, id}, e.delivery.At)
			}
			r.ask(ctx, e)
		}
		e.done <- err
	}
}

// recall reads which events were told of before the start. Those that led to
// nothing are not among them: to tell of them again costs a look.
func (r *Receiver) recall(ctx context.Context) {
	for _, h := range r.setup.Load().Hooks {
		rows, err := r.opts.Store.Deliveries(ctx, h.Name, maxRemembered)
		if err != nil {
			if !isEnd(ctx, err) {
				r.log.Warn("repeated deliveries of a webhook are not known as such", "hook", h.Name, "error", err)
			}
			continue
		}
		r.mu.Lock()
		for i := len(rows) - 1; i >= 0; i-- {
			if d := rows[i]; d.Verdict == Accepted && looked(d.Led) {
				for _, id := range d.IDs {
					r.memory.remember(told{h.Name, id}, d.At)
				}
			}
		}
		r.mu.Unlock()
	}
}

// refusal is what was refused of a hook since the last record of it.
type refusal struct {
	last Delivery
	n    int
}

// refuse counts a refused delivery. It is written down soon, together with
// others.
func (r *Receiver) refuse(hook, from string, at time.Time, err error) {
	r.log.Debug("webhook delivery refused", "hook", hook, "from", from, "error", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(hook, Refused, 1)
	f := r.refusals[hook]
	if f == nil {
		f = &refusal{}
		r.refusals[hook] = f
	}
	why := clip(err.Error())
	if problem.CodeOf(err) == problem.WebhookNotFound { // which the sender is not told
		why = "the secret part of its address is missing or wrong"
	}
	f.n++
	f.last = Delivery{Hook: hook, At: at, From: from, Verdict: Refused, Detail: why}
	wake(r.refused)
}

func (r *Receiver) writeRefusals(ctx context.Context) {
	r.mu.Lock()
	all := r.refusals
	r.refusals = make(map[string]*refusal)
	r.mu.Unlock()
	var rows []Delivery
	for _, f := range all {
		id, err := uuid.NewV7()
		if err != nil {
			r.log.Error("refused deliveries not written down", "error", fmt.Errorf("make an id: %w", err))
			return
		}
		row := f.last
		row.ID, row.Stands = id.String(), f.n
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return
	}
	if err := r.opts.Store.Record(ctx, rows); err != nil && !isEnd(ctx, err) {
		r.log.Error("refused deliveries not written down", "error", err)
	}
}

func (r *Receiver) writeOutcomes(ctx context.Context) {
	r.mu.Lock()
	all := r.outcomes
	r.outcomes = make(map[string]string)
	r.mu.Unlock()
	if len(all) == 0 {
		return
	}
	if err := r.opts.Store.Led(context.WithoutCancel(ctx), all); err != nil {
		r.log.Error("what deliveries of webhooks led to not written down", "error", err)
	}
}

func wake(token chan struct{}) {
	select {
	case token <- struct{}{}:
	default: // it was woken already
	}
}
