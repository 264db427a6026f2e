package warmer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// Approve lets a digest pass that waits for an approval or for its cooldown, or
// that somebody went back from. A verification that said no stands. name is an
// image or image:tag, digest a digest or the beginning of one.
func (w *Warmer) Approve(ctx context.Context, name, digest, who string) (Rollout, error) {
	r, err := w.toApprove(name, digest)
	if err != nil {
		return Rollout{}, err
	}
	w.reinspect(ctx, r.Track, r.Pin)
	w.deciding.Lock()
	defer w.deciding.Unlock()
	if r, err = w.toApprove(name, digest); err != nil {
		return Rollout{}, err
	}
	now := time.Now()
	pardoned := w.pardoned(r, now)
	if r.Phase == Rejected {
		if r, err = w.newRollout(r.Track, r.Pin, r.Manifest); err != nil {
			return Rollout{}, err
		}
		r.Origin = FromApproval
	}
	r.Trust.Approved, r.Trust.ApprovedBy = now, who
	return w.act(ctx, Approved, who, r, "", pardoned...)
}

// pardoned gives the rejections of a digest, ended.
func (w *Warmer) pardoned(r Rollout, now time.Time) []Rollout {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.trackOf(r.Track).rejected(r.Pin)
	for i := range all {
		all[i].Trust.Pardoned = now
	}
	return all
}

// toApprove finds what an approval is about: the newest rollout of the digest
// that is held or rejected.
func (w *Warmer) toApprove(name, digest string) (Rollout, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	what := fmt.Sprintf("approve %s of %s", digest, name)
	t := w.named(name)
	if t == nil {
		return Rollout{}, w.notManaged(name)
	}
	tracks := []*track{t}
	if t.entry.Image == name {
		tracks = t.entry.tracks
	}
	found, err := find(what, tracks, digest, func(r Rollout) bool {
		return r.Phase == Held || r.Phase == Rejected && r.Trust.Pardoned.IsZero()
	})
	if err != nil {
		return Rollout{}, err
	}
	if slices.Contains(found.Holds(w.trackOf(found.Track).Policy, time.Now()), Refused) {
		return Rollout{}, problem.New(problem.NotVerified,
			fmt.Sprintf("%s: its verification said no (exit code %d)", what, found.Trust.Verdict.ExitCode),
			"see why with prewarm history "+t.entry.Image+"; prewarm warm "+t.entry.Image+" asks for the verification again")
	}
	return found, nil
}

// find gives the newest rollout whose digest begins so.
func find(what string, tracks []*track, digest string, fits func(Rollout) bool) (Rollout, error) {
	hex := strings.TrimPrefix(digest, "sha256:")
	var found Rollout
	var others []string
	for _, t := range tracks {
		for _, r := range slices.Backward(t.rollouts) {
			if !fits(r) {
				continue
			}
			if strings.HasPrefix(r.Pin.Digest().Hex(), hex) && hex != "" {
				if found.ID != "" && found.Pin.Digest() != r.Pin.Digest() {
					return Rollout{}, problem.New(problem.InvalidRequest, what+": more than one digest begins so", "write more of it")
				}
				if found.ID == "" {
					found = r
				}
				continue
			}
			others = appendNew(others, r.Pin.Digest().Short())
		}
	}
	if found.ID != "" {
		return found, nil
	}
	mend := "there is none for it; prewarm history tells what became of each"
	if len(others) > 0 {
		mend = "there is: " + strings.Join(others[:min(len(others), 5)], ", ")
	}
	return Rollout{}, problem.New(problem.RolloutNotFound, what+": the image has no such digest for that", mend)
}

// act writes down what somebody did to a rollout, and the rollout.
func (w *Warmer) act(ctx context.Context, verb Verb, who string, r Rollout, detail string, others ...Rollout) (Rollout, error) {
	act, err := newAct(verb, who)
	if err != nil {
		return Rollout{}, err
	}
	act.Track, act.Digest, act.Detail = r.Track, string(r.Pin.Digest()), detail
	rollouts := slices.Concat(others, []Rollout{r})
	if err := w.opts.Store.Save(context.WithoutCancel(ctx), Change{Rollouts: rollouts, Acts: []Act{act}, Notices: w.promotions(rollouts)}); err != nil {
		return Rollout{}, fmt.Errorf("%s %s: %w", verb, r.Pin, err)
	}
	w.apply(rollouts)
	w.mu.Lock()
	w.tell(act.event())
	w.mu.Unlock()
	w.log.Info(string(verb), "image", r.Track.String(), "digest", r.Pin.Digest(), "by", who)
	w.Kick()
	return r, nil
}

// Hold stops an image's promotions until Unhold; warming goes on. It is on disk
// when it returns. Asking twice changes nothing.
func (w *Warmer) Hold(ctx context.Context, image, who string) error {
	return w.setHold(ctx, image, who, Holding)
}

// Unhold lets an image's promotions go on.
func (w *Warmer) Unhold(ctx context.Context, image, who string) error {
	return w.setHold(ctx, image, who, Unholding)
}

func (w *Warmer) setHold(ctx context.Context, image, who string, verb Verb) error {
	w.deciding.Lock()
	defer w.deciding.Unlock()
	w.mu.Lock()
	e := w.entryOf(image)
	if e == nil {
		defer w.mu.Unlock()
		return w.notManaged(image)
	}
	state := e.held
	state.Repository, state.Chosen = e.Repository.String(), e.chosen
	w.mu.Unlock()
	if state.HeldAt.IsZero() == (verb == Unholding) {
		return nil
	}
	act, err := newAct(verb, who)
	if err != nil {
		return err
	}
	act.Track.Image = image
	state.Image, state.HeldAt, state.HeldBy = image, act.At, who
	if verb == Unholding {
		state.HeldAt, state.HeldBy = time.Time{}, ""
	}
	if err := w.opts.Store.Save(context.WithoutCancel(ctx), Change{Images: []ImageState{state}, Acts: []Act{act}}); err != nil {
		return fmt.Errorf("%s %s: %w", verb, image, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	e.held = state
	for _, t := range e.tracks {
		t.unsettle()
	}
	w.announce()
	w.tell(act.event())
	w.Kick()
	w.log.Info(string(verb), "image", image, "by", who)
	return nil
}

// Rollback makes an earlier digest current again: the one that was current
// before, or the named one. Where it is still warm on a host that is at once;
// else it is warmed first, and what is current stays until then. The digest
// that it replaces is rejected: it needs an approval to be current again. Other
// new digests go live as usual.
func (w *Warmer) Rollback(ctx context.Context, name, digest, who string) (Rollout, error) {
	target, _, _, err := w.toRollback(name, digest)
	if err != nil {
		return Rollout{}, err
	}
	w.reinspect(ctx, target.Track, target.Pin)
	w.deciding.Lock()
	defer w.deciding.Unlock()
	target, left, warm, err := w.toRollback(name, digest)
	if err != nil {
		return Rollout{}, err
	}
	r, err := w.newRollout(target.Track, target.Pin, target.Manifest)
	if err != nil {
		return Rollout{}, err
	}
	r.Origin, r.Phase, r.PromotedBy = FromRollback, Warming, who
	r.Trust = target.Trust
	r.Trust.Leaves = left.Pin.Digest()
	detail := "from " + string(left.Pin.Digest())
	others := w.distrusted(left)
	if warm {
		r.Phase, r.Promoted = Current, r.Seen
		left.Phase, left.Ended = Rejected, r.Seen
		others = append(others, left)
	}
	return w.act(ctx, WentBack, who, r, detail, others...)
}

// distrusted gives the open rollouts of the digest that a rollback leaves, held.
func (w *Warmer) distrusted(left Rollout) []Rollout {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.trackOf(left.Track).distrusted(left.Pin, left.ID)
}

// toRollback finds where a rollback goes to and what it leaves.
func (w *Warmer) toRollback(name, digest string) (target, left Rollout, warm bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.named(name)
	if t == nil {
		return target, left, false, w.notManaged(name)
	}
	what := "roll back " + name
	if t.current() == nil {
		return target, left, false, problem.New(problem.NoCurrent, what+": nothing of it is current yet", "see prewarm status")
	}
	left = *t.current()
	was := func(r Rollout) bool { return r.Phase == Superseded && r.Pin != left.Pin }
	if digest == "" {
		old := slices.DeleteFunc(t.superseded(), func(r Rollout) bool { return !was(r) || len(t.rejected(r.Pin)) > 0 })
		if len(old) == 0 {
			return target, left, false, problem.New(problem.RolloutNotFound, what+": no other digest of it was current before", "see prewarm history "+t.entry.Image)
		}
		target = old[0]
	} else if target, err = find(what+" to "+digest, []*track{t}, digest, was); err != nil {
		return target, left, false, err
	}
	return target, left, w.warmSomewhere(t, target.Pin), nil
}

// warmSomewhere tells whether a pin is warm on a host of a track that can be
// reached and is not drained. The caller holds mu.
func (w *Warmer) warmSomewhere(t *track, pin registry.Pin) bool {
	return slices.ContainsFunc(t.Hosts, func(name string) bool {
		h := w.hosts[name]
		return h != nil && h.contact == Reachable && !w.isPaused(Placing, name) && h.copies[pin] != nil && h.copies[pin].State == Warm
	})
}

// History gives the newest rollouts of an image and what people did to it,
// newest first.
func (w *Warmer) History(ctx context.Context, image string, limit int) ([]Rollout, []Act, error) {
	if _, err := w.entry(image); err != nil {
		return nil, nil, err
	}
	rollouts, acts, err := w.opts.Store.History(ctx, image, limit)
	if err != nil {
		return nil, nil, fmt.Errorf("read the history of %s: %w", image, err)
	}
	return rollouts, acts, nil
}
