package warmer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/failpoint"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer/prune"
)

// stuckFor is how long an image is left alone that could not be removed.
const stuckFor = 24 * time.Hour

// stuck is an image that could not be removed.
type stuck struct {
	why   string
	until time.Time
}

func (w *Warmer) stick(h *host, id, why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(h.stuck, func(_ string, s stuck) bool { return now.After(s.until) })
	h.stuck[id] = stuck{why, now.Add(stuckFor)}
}

// remove removes one image as it was decided, unless somebody came to want it
// meanwhile.
func (w *Warmer) remove(ctx context.Context, h *host, pass string, v prune.Verdict) (RemovalOutcome, string) {
	before, claim := w.seize(h, v)
	if claim != "" {
		return WasClaimed, claim
	}
	// Whoever asked may leave; what was begun is brought to its end.
	ctx = context.WithoutCancel(ctx)
	outcome, detail := w.removeSeized(ctx, h, pass, v)
	s := settlement{pins: v.Image.Digests}
	for _, p := range v.Image.Pins {
		if outcome == WasRemoved && p.Standing == prune.Kept {
			s.givenUp = append(s.givenUp, p.Pin)
		}
	}
	// Also where nothing was intended as far as we know: no run of the digest begins
	// before it is on disk that none of it is being removed.
	w.settleUp(ctx, h, s)
	w.letGo(h, before, outcome, s.givenUp)
	return outcome, detail
}

func (w *Warmer) removeSeized(ctx context.Context, h *host, pass string, v prune.Verdict) (RemovalOutcome, string) {
	claims, err := w.opts.Ledger.Intend(ctx, h.Name, pass, v.Image.Digests)
	if err != nil {
		return WasClaimed, "nobody knows who wants it: " + err.Error()
	}
	if len(claims) > 0 {
		return WasClaimed, claims[0].Detail + " came to want it"
	}
	failpoint.Here("prune.removing")
	whole := len(v.Names) == len(v.Image.Names)
	got, err := h.Host.RemoveImage(ctx, Removal{ID: v.Image.ID, Pins: v.Drops, Names: v.Names, Whole: whole})
	failpoint.Here("prune.removed")
	switch {
	case problem.CodeOf(err) == problem.ImageInUse:
		return WasInUse, err.Error()
	case problem.CodeOf(err) == problem.HostUnreachable:
		return NotKnown, err.Error()
	case err != nil:
		return NotRemoved, err.Error()
	case len(got.Left) > 0:
		return NotGone, fmt.Sprintf("the engine still has %v", got.Left)
	case whole && !got.Gone:
		return NotGone, "the engine still has the image, under a name or an id that nobody told of"
	}
	return WasRemoved, ""
}

// seized is a copy as it was before its removal.
type seized struct {
	pin  registry.Pin
	copy copyState
}

// seize marks the copies of an image as leaving, so that no run is placed on
// them, nothing is pulled and nothing is believed of them meanwhile; or it says
// who came to want them since it was decided. It waits for what is being decided
// on tags: a digest that goes live again is wanted from then on.
func (w *Warmer) seize(h *host, v prune.Verdict) (before []seized, claim string) {
	w.deciding.Lock()
	defer w.deciding.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.contact != Reachable || w.hosts[h.Name] != h {
		return nil, "the host is not what it was"
	}
	for _, pin := range v.Image.Digests {
		now := w.standing(h, pin, past{})
		switch {
		case len(now.Claims) > 0:
			return nil, string(now.Claims[0].Rule) + ": " + now.Claims[0].Detail
		case now.Standing == prune.Kept && (v.Rule != prune.GoKept || now.Rank < now.Rules.KeepMin):
			return nil, "it is kept for a rollback now"
		}
	}
	for _, pin := range v.Image.Digests {
		c := h.copyOf(pin)
		before = append(before, seized{pin, *c})
		c.begin()
		c.leaving, c.State, c.Kept = true, Absent, false
		w.stir(h, pin)
	}
	return before, ""
}

// letGo ends what seize began. What is left where it is not known to be gone, is
// seen at the next look; until then nothing is believed of what may be gone.
func (w *Warmer) letGo(h *host, before []seized, outcome RemovalOutcome, givenUp []registry.Pin) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range before {
		c := h.copyOf(s.pin)
		version := c.version + 1
		switch outcome {
		case WasRemoved:
			*c = copyState{CopyView: CopyView{GivenUp: slices.Contains(givenUp, s.pin)}, looked: true, version: version}
			w.tellCopy(h, s.pin, copyPruned, "")
		case WasClaimed:
			*c = s.copy // nothing was done
			c.version = version
		default:
			*c = copyState{version: version}
		}
		w.stir(h, s.pin)
	}
	if outcome != WasClaimed {
		h.recheck()
	}
}

// settlement is the end of removals that is to be written down.
type settlement struct{ pins, givenUp []registry.Pin }

// settleUp writes down that removals have ended. Where that fails it is owed: runs
// of the digests wait for it.
func (w *Warmer) settleUp(ctx context.Context, h *host, s settlement) {
	if len(s.pins)+len(s.givenUp) == 0 {
		return
	}
	if err := w.opts.Ledger.Settle(ctx, h.Name, s.pins, s.givenUp); err != nil {
		w.log.Error("the end of a removal was not written down; runs of the digest wait until it is", "host", h.Name, "error", err)
		w.mu.Lock()
		h.unsettled = append(h.unsettled, s)
		w.mu.Unlock()
	}
}

// settleOwed writes down what could not be before.
func (w *Warmer) settleOwed(ctx context.Context, h *host) {
	w.mu.Lock()
	owed := h.unsettled
	h.unsettled = nil
	w.mu.Unlock()
	for _, s := range owed {
		w.settleUp(ctx, h, s)
	}
}
