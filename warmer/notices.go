package warmer

import (
	"fmt"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// promotions gives what is told of the rollouts among some that become current by
// their write.
func (w *Warmer) promotions(rollouts []Rollout) []notice.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []notice.Event
	for _, r := range rollouts {
		t := w.trackOf(r.Track)
		if t == nil || !t.promotes(r) {
			continue
		}
		e := notice.New(notice.ImagePromoted)
		e.Image, e.Tag, e.Digest = r.Track.Image, r.Track.Tag, string(r.Pin.Digest())
		if before := t.current(); before != nil {
			e.Before = string(before.Pin.Digest())
		}
		e.Detail = r.promotion()
		all = append(all, e)
	}
	return all
}

// promotes tells whether a write of a rollout makes it current.
func (t *track) promotes(r Rollout) bool {
	was, _ := t.byID(r.ID)
	return r.Phase == Current && was.Phase != Current
}

// promotion says how the rollout came to be current.
func (r Rollout) promotion() string {
	took := r.Promoted.Sub(r.Seen).Round(time.Second)
	switch {
	case r.Origin == FromRollback && r.PromotedBy != "":
		return r.PromotedBy + " went back to it"
	case r.Origin == FromRollback:
		return "somebody went back to it"
	case r.Trust.ApprovedBy != "":
		return fmt.Sprintf("live %s after it was seen, approved by %s", took, r.Trust.ApprovedBy)
	}
	return fmt.Sprintf("live %s after it was seen", took)
}

// of says which host an event is about.
func (h *host) of(e *notice.Event) {
	e.Host, e.HostLabels, e.Cause = h.Name, h.Labels, "host:"+h.Name
}

// downAfter is how long a host has to be away before people are told: most are
// back in a moment.
const downAfter = time.Minute

// watchHosts tells of hosts that are away for too long, and of those that are
// back. One that is drained is away on purpose, perhaps.
func (w *Warmer) watchHosts(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.hosts {
		down := troubleOf(notice.HostDown, h.Name)
		switch {
		case h.contact == Reachable && w.overcome(down):
			e := notice.New(notice.HostUp)
			h.of(&e)
			e.Detail = "the host answers again"
			w.inform(e)
		case h.contact == Unreachable && now.Sub(h.since) >= downAfter && !w.isPaused(Placing, h.Name):
			e := notice.New(notice.HostDown)
			h.of(&e)
			told := problem.From(h.err)
			e.Detail, e.Mend = told.Error(), told.Mend
			w.raise(down, tellAgain, e)
		}
	}
}

// A failure is worth a word once it was met so often in a row, or at once where
// waiting mends nothing.
const failures = 3

var hopeless = []problem.Code{problem.NoSpace, problem.RegistryAuth, problem.PlatformMissing, problem.TagNotFound}

// fromRegistry are the failures that a registry is to blame for: those of one
// registry are one trouble.
var fromRegistry = []problem.Code{
	problem.TagNotFound, problem.RegistryAuth, problem.RegistryLimited, problem.RegistryUnavailable, problem.RegistryAnswer, problem.PullStalled,
}

// tellFailure tells of a digest that a host is to have now, and can't get. The
// caller holds mu.
func (w *Warmer) tellFailure(h *host, pin registry.Pin, c *copyState, err error) {
	told := problem.From(err)
	id, current, wanted := w.demand(h, pin)
	lasts := c.Attempts >= failures || slices.Contains(hopeless, told.Code)
	if !wanted || !lasts || c.State != Failed || h.contact != Reachable || told.Code == problem.HostUnreachable {
		return
	}
	kind, trouble := notice.WarmFailed, troubleOf(notice.WarmFailed, h.Name, pin.String())
	if current && told.Code == problem.TagNotFound {
		kind, trouble = notice.GoneUpstream, goneOf(pin)
	}
	e := notice.New(kind)
	h.of(&e)
	e.Image, e.Tag, e.Digest, e.Registry = id.Image, id.Tag, string(pin.Digest()), pin.Repository().Host()
	e.Detail, e.Mend = told.Error(), told.Mend
	if kind == notice.GoneUpstream {
		e.Mend = "push it again, or go back to an earlier one: prewarm rollback " + id.String() + "; hosts that have it keep it"
	}
	if slices.Contains(fromRegistry, told.Code) {
		e.Cause = "registry:" + e.Registry
	}
	w.raise(trouble, tellAgain, e)
}

func goneOf(pin registry.Pin) Trouble { return troubleOf(notice.GoneUpstream, pin.String()) }

// isWarm ends the troubles of a copy that is there. The caller holds mu.
func (w *Warmer) isWarm(h *host, pin registry.Pin) {
	w.overcome(troubleOf(notice.WarmFailed, h.Name, pin.String()))
}

// unwanted ends the troubles of a digest that is not current any more, and those of
// one that no track waits for on any host. The caller holds mu.
func (w *Warmer) unwanted(r Rollout) {
	if r.Phase != Current {
		w.overcome(goneOf(r.Pin))
	}
	if r.Live() {
		return
	}
	for t := range w.tracks() {
		if slices.ContainsFunc(t.rollouts, func(o Rollout) bool { return o.Pin == r.Pin && o.Live() }) {
			return
		}
	}
	for name := range w.hosts {
		w.overcome(troubleOf(notice.WarmFailed, name, r.Pin.String()))
	}
}

// demand tells for which track a host is to have a digest now, and whether it is
// the current one there. What is merely kept for a rollback is not in demand. The
// caller holds mu.
func (w *Warmer) demand(h *host, pin registry.Pin) (id TrackID, current, wanted bool) {
	for t := range w.tracks() {
		for _, r := range t.rollouts {
			if r.Pin != pin || !r.Live() || !slices.Contains(t.Hosts, h.Name) {
				continue
			}
			if r.Phase == Current {
				return t.ID, true, true
			}
			id, wanted = t.ID, true
		}
	}
	for key, s := range w.sought {
		if !wanted && key.Pin == pin && s.held && w.meantFor(key.Image, h.Name) {
			id, wanted = TrackID{Image: key.Image}, true
		}
	}
	return id, false, wanted
}

// imageOf names an image that has a digest; empty: none has it any more. The
// caller holds mu.
func (w *Warmer) imageOf(pin registry.Pin) string {
	for t := range w.tracks() {
		if t.has(pin) {
			return t.ID.Image
		}
	}
	for key := range w.sought {
		if key.Pin == pin {
			return key.Image
		}
	}
	return ""
}

// tellDrift tells that somebody keeps removing images from a host: at most once an
// hour. The caller holds mu.
func (w *Warmer) tellDrift(h *host, pin registry.Pin, lastHour int) {
	e := notice.New(notice.DriftRepaired)
	h.of(&e)
	e.Image, e.Digest = w.imageOf(pin), string(pin.Digest())
	e.Detail = fmt.Sprintf("somebody removed images that are kept warm there %d times in the last hour; each is warmed again", lastHour)
	e.Mend = "look for a cron job or a timer on the host that runs docker image prune -a or docker system prune"
	w.raise(troubleOf(notice.DriftRepaired, h.Name), time.Hour, e)
}

// tellPressure tells that a host's disk stays above its mark. The caller holds mu.
func (w *Warmer) tellPressure(h *host, why string) {
	r := w.tightest(h)
	e := notice.New(notice.DiskPressure)
	h.of(&e)
	e.Detail = size(r.Total-r.Free) + " used of " + size(r.Total) + ", above the high mark: " + why
	e.Mend = "see what takes the space with prewarm df, and free some, or let more go: prune in the configuration"
	w.raise(troubleOf(notice.DiskPressure, h.Name), tellAgain, e)
}

// noticesOf gives what is told of a pass: what it removed, or could not.
func (w *Warmer) noticesOf(h *host, p Pass) []notice.Event {
	worth := func(r PassRemoval) bool {
		return slices.Contains([]RemovalOutcome{WasRemoved, NotRemoved, NotGone, NotKnown}, r.Outcome)
	}
	if p.DryRun || !slices.ContainsFunc(p.Removals, worth) {
		return nil
	}
	e := notice.New(notice.PrunePass)
	w.mu.Lock()
	defer w.mu.Unlock()
	h.of(&e)
	e.Cause, e.Detail = "", p.summary()
	return []notice.Event{e}
}

// few is how many requests are few, however large the quota.
const few = 10

// untold is the window of a quota whose registry does not say it: Docker Hub's.
const untold = 6 * time.Hour

// watchQuota tells of a registry that will soon refuse: once in a window.
func (w *Warmer) watchQuota(registryHost string) {
	if w.opts.Quota == nil {
		return
	}
	q, ok := w.opts.Quota(registryHost)
	window := q.Window
	if window == 0 {
		window = untold
	}
	low := q.Remaining*10 < q.Limit || q.Remaining <= few && q.Remaining*2 <= q.Limit
	if !ok || !low || time.Since(q.Seen) >= window {
		return
	}
	e := notice.New(notice.QuotaLow)
	e.Registry, e.Cause = registryHost, "registry:"+registryHost
	e.Detail = fmt.Sprintf("%d of %d requests are left in its window of %s", q.Remaining, q.Limit, window)
	e.Mend = "log in with an account that has a higher quota, pull through a mirror, or watch fewer tags"
	w.mu.Lock()
	defer w.mu.Unlock()
	w.raise(troubleOf(notice.QuotaLow, registryHost), window, e)
}
