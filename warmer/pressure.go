package warmer

import (
	"context"
	"errors"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// pressAgain is how long after a pass for want of space the next one comes, where
// the disk is still above its mark: what may go changes with hours, not seconds.
const pressAgain = 10 * time.Minute

// press starts a pass where a host's disk is above its high mark. The caller
// holds mu.
func (w *Warmer) press(h *host) {
	need, now := w.excess(h), time.Now()
	switch {
	case h.contact != Reachable || len(w.rooms(h)) == 0 || h.Prune.Budget > 0 && !h.stocked:
		return // nothing is known
	case need == 0:
		w.overcome(troubleOf(notice.DiskPressure, h.Name))
		return
	case w.isPaused(Pruning, "") || w.isPaused(Pruning, h.Name):
		w.tellPressure(h, "pruning is paused, so nothing makes way")
		return
	case now.Before(h.pressAgain):
		return
	}
	h.pressAgain = now.Add(pressAgain)
	r := w.tightest(h)
	w.tell(Event{Kind: DiskPressed, Host: h.Name, Detail: size(r.Total-r.Free) + " used of " + size(r.Total)})
	w.log.Warn("the host's disk is above its high mark", "host", h.Name, "used", r.Total-r.Free, "of", r.Total, "to_free", need)
	w.started.Go(func() {
		p, _, err := w.pass(h.life, h, passAsk{trigger: ByPressure, need: need})
		if h.life.Err() != nil {
			return
		}
		if err != nil {
			w.log.Warn("no prune pass was made", "host", h.Name, "trigger", ByPressure, "error", err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case err != nil && h.contact == Reachable:
			w.tellPressure(h, "no prune pass was made: "+err.Error())
		case p.DryRun:
			w.tellPressure(h, "prune.dry_run lets nothing make way")
		case p.Short > 0:
			w.tellPressure(h, size(p.Short)+" more would have to go, and nothing more may")
		case err == nil && w.excess(h) > 0:
			w.tellPressure(h, "a prune pass freed "+size(p.Freed)+" only")
		}
	})
}

// errNoSpare ends a pull for a mere rollback where there is no room for it.
var errNoSpare = errors.New("no room for a digest that is kept for a rollback")

// keepOn lets a host keep a pin, and makes room for it before, and once more where
// the disk filled all the same: others use it, too.
func (w *Warmer) keepOn(ctx context.Context, h *host, p Pull, progress func(Progress)) (Copy, error) {
	if err := w.makeRoom(ctx, h, p); err != nil {
		return Copy{}, err
	}
	found, err := h.Host.Keep(ctx, p.Pin, progress)
	switch {
	case problem.CodeOf(err) != problem.NoSpace:
		return found, err
	case p.Spare:
		return Copy{}, errNoSpare
	}
	why, failed := w.free(ctx, h, w.wholeNeed(h, p.Pin))
	if failed != nil || why != "" {
		return Copy{}, problem.New(problem.NoSpace, errors.Join(problem.From(err), failed).Error()+"; "+why, mendRoom(h))
	}
	return h.Host.Keep(ctx, p.Pin, progress)
}

// makeRoom prunes where a pull would pass the high mark of a host's disk, or not
// fit at all; down to what is needed, and nothing where that does not help.
func (w *Warmer) makeRoom(ctx context.Context, h *host, p Pull) error {
	w.mu.Lock()
	blind := h.Prune.Budget > 0 && !h.stocked
	w.mu.Unlock()
	if blind {
		w.surveyNow(ctx, h)
	}
	w.lookAtDisk(ctx, h)
	w.mu.Lock()
	need, over := w.pullNeed(h, p.Pin)
	h.copyOf(p.Pin).need = need
	w.mu.Unlock()
	switch {
	case over == 0:
		return nil
	case p.Spare:
		return errNoSpare
	}
	why, err := w.free(ctx, h, over)
	if err == nil && why != "" {
		err = w.noRoom(h, p.Pin, need, why)
	}
	return err
}

// lookAtDisk finds out how full a disk is that can be seen: pulls have filled it
// since the last probe.
func (w *Warmer) lookAtDisk(ctx context.Context, h *host) {
	w.mu.Lock()
	seen := h.engine.Disk.Total > 0
	w.mu.Unlock()
	if !seen {
		return
	}
	engine, err := h.Host.Probe(ctx)
	if err != nil || engine.Disk.Total == 0 {
		return // what was known is the best there is
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	h.engine.Disk = engine.Disk
}

// free lets a pass free space for a pull, or says why there is none to be had.
func (w *Warmer) free(ctx context.Context, h *host, need int64) (why string, err error) {
	if w.paused(Pruning, h.Name) {
		return "pruning is paused, so nothing makes way", nil
	}
	p, verdicts, err := w.pass(ctx, h, passAsk{trigger: ByPull, need: need, allOrNothing: true})
	switch {
	case err != nil:
		return "", err
	case p.DryRun:
		return "prune.dry_run lets nothing make way", nil
	case p.Short > 0 && len(verdicts) == 0:
		return "no image is there that could go", nil
	case p.Short > 0:
		return "nothing more may go. Most of the disk is held by " + held(verdicts), nil
	}
	return "", nil
}

// wholeNeed is what a pull takes at most: where the disk filled, what is thought to
// be on the host was not enough to know.
func (w *Warmer) wholeNeed(h *host, pin registry.Pin) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	child, _ := w.childOn(h, pin)
	need, over := w.pullNeed(h, pin)
	return max(need, over, child.Bytes()*unpacking, 1)
}

// giveUp notes that a host does without a digest that is kept for a rollback. The
// caller holds mu.
func (w *Warmer) giveUp(h *host, pin registry.Pin, c *copyState) {
	*c = copyState{CopyView: CopyView{GivenUp: true}, looked: c.looked, version: c.version + 1}
	h.unsettled = append(h.unsettled, settlement{givenUp: []registry.Pin{pin}})
	w.log.Info("no room for a digest that is kept for a rollback: the host does without", "host", h.Name, "pin", pin)
	w.tellCopy(h, pin, string(StateWaiting), "given up for want of space on the host")
	w.stir(h, pin)
}

const (
	// restockEvery is how soon after the last listing one is made for what was
	// warmed since: an image's age counts from when it is first seen in one.
	restockEvery = time.Minute
	// budgetEvery is how often the images of a host are listed whose disk can only
	// be known by adding them up.
	budgetEvery = 5 * time.Minute
)

// startTending begins to do what is due on a host beside its probes, unless that
// is still under way: a listing can take long, and a probe must not wait for it.
func (w *Warmer) startTending(ctx context.Context, h *host) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.tending || h.contact != Reachable {
		return
	}
	h.tending = true
	w.started.Go(func() {
		w.tend(ctx, h)
		w.mu.Lock()
		defer w.mu.Unlock()
		h.tending = false
		w.press(h)
	})
}

// tend writes down what is owed and what was used, and lists the host's images now
// and then.
func (w *Warmer) tend(ctx context.Context, h *host) {
	w.settleOwed(ctx, h)
	w.takeBack(ctx, h)
	w.saveUses(ctx, h)
	w.mu.Lock()
	since := time.Since(h.surveyed)
	due := since >= surveyEvery || h.restocked && since >= restockEvery || h.Prune.Budget > 0 && since >= budgetEvery
	w.mu.Unlock()
	if due {
		w.surveyNow(ctx, h)
	}
}

// surveyNow lists a host's images, and says so where that fails.
func (w *Warmer) surveyNow(ctx context.Context, h *host) {
	w.mu.Lock()
	h.restocked, h.surveyed = false, time.Now() // also where it fails: the next probe is no better time
	w.mu.Unlock()
	if _, err := w.survey(ctx, h); err != nil && ctx.Err() == nil {
		w.log.Warn("the images on the host were not listed", "host", h.Name, "error", err)
	}
}

// takeBack forgets that digests were given up which a host has again.
func (w *Warmer) takeBack(ctx context.Context, h *host) {
	w.mu.Lock()
	pins := h.takenBack
	h.takenBack = nil
	w.mu.Unlock()
	if len(pins) == 0 {
		return
	}
	if err := w.opts.Ledger.TakeBack(context.WithoutCancel(ctx), h.Name, pins); err != nil {
		w.log.Warn("that digests are back was not written down; trying again", "host", h.Name, "error", err)
		w.mu.Lock()
		defer w.mu.Unlock()
		h.takenBack = append(h.takenBack, pins...)
	}
}
