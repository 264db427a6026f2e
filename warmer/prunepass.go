package warmer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/warmer/prune"
)

// passAsk is what a pass over one host is asked.
type passAsk struct {
	trigger      Trigger
	who, image   string
	need         int64
	allOrNothing bool
	dry          bool
}

// pass looks at a host and removes what may go, or only says so. Passes over one
// host come one after the other.
func (w *Warmer) pass(ctx context.Context, h *host, ask passAsk) (Pass, []prune.Verdict, error) {
	select {
	case h.passing <- struct{}{}:
		defer func() { <-h.passing }()
	case <-ctx.Done():
		return Pass{}, nil, ctx.Err()
	}
	d, err := w.draftPass(ctx, h, ask)
	p := &d.Pass
	if err != nil {
		if !ask.dry {
			w.opts.Measures.Pruned(h.Name, 0, 0, err)
		}
		return *p, nil, err
	}
	switch {
	case ask.dry, ask.trigger == ByPull && len(p.Removals) == 0:
		p.Ended = time.Now() // whoever asked tells of it
		return *p, d.verdicts, nil
	case !p.DryRun:
		// Before anything is removed: a pass that is cut short is on record, too.
		if err := w.opts.Ledger.SavePass(ctx, *p); err != nil {
			return *p, nil, err
		}
		w.carryOut(ctx, h, d)
		w.measure(ctx, h, d)
	}
	p.Ended = time.Now()
	err = w.opts.Ledger.SavePass(context.WithoutCancel(ctx), *p, w.noticesOf(h, *p)...)
	w.tellPass(*p)
	w.countPass(*p, err)
	return *p, d.verdicts, err
}

// countPass measures a pass that was carried out.
func (w *Warmer) countPass(p Pass, err error) {
	if p.DryRun {
		return
	}
	if err == nil && p.Stopped != "" {
		err = errors.New(p.Stopped)
	}
	w.opts.Measures.Pruned(p.Host, p.count(WasRemoved), p.Freed, err)
}

// count is how many removals of a pass ended so.
func (p Pass) count(how RemovalOutcome) (n int) {
	for _, r := range p.Removals {
		if r.Outcome == how {
			n++
		}
	}
	return n
}

// summary says what a pass did, in a few words.
func (p Pass) summary() string {
	went := p.count(WasRemoved)
	of := went + p.count(WouldGo) + p.Stays
	text := fmt.Sprintf("%d of %d images went, %s freed", went, of, size(p.Freed))
	if p.DryRun {
		text = fmt.Sprintf("%d of %d images would go, %s", p.count(WouldGo), of, size(p.Predicted))
	}
	if p.Stopped != "" {
		text += "; stopped: " + p.Stopped
	}
	return text
}

// draft is a pass that was decided, and what it was decided on.
type draft struct {
	Pass
	verdicts []prune.Verdict // of what goes first, in the order of Removals
	survey   survey
	disk     Disk
	rules    int
}

// draftPass decides what is to go from a host.
func (w *Warmer) draftPass(ctx context.Context, h *host, ask passAsk) (*draft, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return &draft{}, fmt.Errorf("make an id: %w", err)
	}
	w.lookAtDisk(ctx, h)
	w.mu.Lock()
	policy, dry, thrifty := h.Prune.Policy, ask.dry || h.Prune.DryRun, time.Now().Before(h.thrifty)
	d := &draft{disk: h.engine.Disk, rules: h.rules}
	err = w.shares(h)
	w.mu.Unlock()
	if err != nil {
		return d, err
	}
	policy.Need, policy.AllOrNothing, policy.OnlyImage = ask.need, ask.allOrNothing, ask.image
	d.Pass = Pass{ID: id.String(), Host: h.Name, Trigger: ask.trigger, Who: ask.who, DryRun: dry, Begun: time.Now(), Need: ask.need}
	if d.survey, err = w.survey(ctx, h); err != nil {
		return d, err
	}
	if thrifty {
		d.survey.inventory.SpareKept()
	}
	decided := prune.Decide(policy, d.survey.inventory)
	d.Short, d.Predicted, d.verdicts = decided.Short, decided.Frees, decided.Verdicts
	for _, v := range decided.Verdicts {
		if v.Goes {
			d.Removals = append(d.Removals, PassRemoval{ID: v.Image.ID, Names: names(v.Image), Rule: v.Rule, Why: v.Why, Predicted: v.Frees, Outcome: WouldGo})
		} else {
			d.Stays++
		}
	}
	w.unmatched(h, decided.Unmatched)
	return d, nil
}

// names are what people know an image by: its digests of ours, then the others'
// names.
func names(i prune.Image) []string {
	var all []string
	for _, p := range i.Pins {
		all = append(all, p.Pin.String())
	}
	return append(all, i.Names...)
}

// carryOut removes what was decided, one image after the other. It stops where a
// removal did not do what was predicted: then what was decided is built on sand.
// What can't be removed is left alone for a day, so that it holds up no other.
func (w *Warmer) carryOut(ctx context.Context, h *host, d *draft) {
	p, missed := &d.Pass, int64(0)
	for i := range p.Removals {
		r, v := &p.Removals[i], d.verdicts[i]
		if p.Stopped == "" {
			p.Stopped = w.whyStop(ctx, h, d)
		}
		if p.Stopped != "" {
			r.Outcome, r.Detail = Skipped, "the pass was stopped before it"
			missed += r.Predicted
			continue
		}
		r.Outcome, r.Detail = w.remove(ctx, h, p.ID, v)
		if r.Outcome != WasRemoved {
			missed += r.Predicted
		}
		switch r.Outcome {
		case NotGone:
			w.stick(h, v.Image.ID, r.Detail)
			p.Stopped = called(v.Image) + " is not gone as predicted: " + r.Detail
		case NotRemoved:
			w.stick(h, v.Image.ID, r.Detail)
		case NotKnown:
			p.Stopped = "the host does not answer: " + r.Detail
		}
	}
	if p.Need > 0 {
		p.Short = max(0, p.Need-(p.Predicted-missed))
	}
}

// whyStop says why a pass goes on no more; nothing where it does.
func (w *Warmer) whyStop(ctx context.Context, h *host, d *draft) string {
	w.mu.Lock()
	changed := h.rules != d.rules
	w.mu.Unlock()
	switch {
	case changed:
		return "the configuration changed"
	case h.life.Err() != nil:
		return stoppedByUs
	case ctx.Err() != nil:
		return "whoever asked for it left"
	case d.Trigger != ByPerson && w.paused(Pruning, h.Name):
		return "pruning was paused"
	}
	return ""
}

const stoppedByUs = "the server stops, or the host left the configuration"

// shares refuses a pass on an engine that another entry reaches, too, or did last:
// what is wanted under the other name would not be known. The caller holds mu.
func (w *Warmer) shares(h *host) error {
	for name, marker := range w.engines {
		if o := w.hosts[name]; o != nil && o != h && marker != "" && marker == h.engine.Marker {
			return problem.New(problem.HostUnreachable, fmt.Sprintf("host %s is the same engine as %s: what is wanted there under the other name is not known", h.Name, name),
				"keep one of the entries")
		}
	}
	return nil
}

// measure finds out what a pass freed: by the disk where it can be seen, else by
// what the engine lists. Nothing depends on it.
func (w *Warmer) measure(ctx context.Context, h *host, d *draft) {
	p, before := &d.Pass, d.disk
	removed := slices.ContainsFunc(p.Removals, func(r PassRemoval) bool { return r.Outcome == WasRemoved })
	if !removed {
		return
	}
	after, err := w.survey(ctx, h)
	if err != nil {
		w.log.Warn("what a prune pass freed is not known", "host", h.Name, "error", err)
		return
	}
	p.Freed = max(0, layerBytes(d.survey.listed)-layerBytes(after.listed))
	if before.Total == 0 {
		return
	}
	w.lookAtDisk(ctx, h)
	w.mu.Lock()
	defer w.mu.Unlock()
	p.Freed = max(0, h.engine.Disk.Free-before.Free)
	if p.Need > 0 && p.Freed < p.Predicted/2 {
		// Something holds the space all the same, such as a lease of the containerd
		// store: what is kept is not thrown after it.
		h.thrifty = time.Now().Add(thriftyFor)
		w.log.Warn("removed images freed far less than predicted; what is kept for rollbacks is spared for a while", "host", h.Name, "predicted", p.Predicted, "freed", p.Freed)
	}
}

// thriftyFor is how long kept digests are spared after removals that freed little.
const thriftyFor = 6 * time.Hour

// tellPass tells of a pass, where there is something to tell.
func (w *Warmer) tellPass(p Pass) {
	for _, r := range p.Removals {
		switch r.Outcome {
		case WasRemoved, WouldGo:
			w.log.Info("image pruned", "host", p.Host, "image", r.Names, "rule", r.Rule, "why", r.Why, "predicted", r.Predicted, "dry_run", p.DryRun)
		default:
			w.log.Info("image not pruned", "host", p.Host, "image", r.Names, "outcome", r.Outcome, "detail", r.Detail)
		}
	}
	if p.Stopped != "" {
		w.log.Warn("prune pass stopped: "+p.Stopped, "host", p.Host, "pass", p.ID)
	}
	if p.Short > 0 {
		w.log.Warn("nothing more may go from the host's disk", "host", p.Host, "trigger", p.Trigger, "needed", p.Need, "short", p.Short)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell(Event{Kind: PrunePassed, Host: p.Host, State: string(p.Trigger), Detail: p.summary()})
}

func (w *Warmer) paused(what Activity, host string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.isPaused(what, "") || w.isPaused(what, host)
}

// unmatched notes which protected patterns match nothing on a host, and says so
// once where they match nothing on any: an exclude list that stopped to match is
// how others' pruners take what they should not.
func (w *Warmer) unmatched(h *host, patterns []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h.unmatched = patterns
	for _, pattern := range patterns {
		everywhere := true
		for _, o := range w.hosts {
			everywhere = everywhere && (o.contact != Reachable || slices.Contains(o.unmatched, pattern))
		}
		if everywhere && !w.warned[pattern] {
			w.warned[pattern] = true
			w.log.Warn("a protected pattern matches no image on any host", "pattern", pattern)
		}
	}
}
