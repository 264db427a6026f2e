package warmer

import (
	"slices"
	"time"
)

// maxHeld bounds how many digests of a track wait to be trusted: where each
// needs an approval and nobody comes, only the newest matter.
const maxHeld = 20

// fewer ends the oldest of too many held rollouts. The oldest that only waits
// for its time stays: with pushes that come faster than a cooldown ends, none
// would ever live to see its end.
func fewer(t TrackState, now time.Time) (held []Rollout, decided []Action) {
	held = slices.Clone(t.Held)
	for len(held) > maxHeld {
		i := 0
		if ripens(held[0].Holds(t.Track.Policy, now)) {
			i = 1
		}
		decided = append(decided, Overtake{held[i]})
		held = slices.Delete(held, i, i+1)
	}
	return held, decided
}

// ripens tells whether time alone ends these reasons, or has ended them.
func ripens(reasons []Reason) bool {
	return !slices.ContainsFunc(reasons, func(r Reason) bool { return r != Cooldown && r != Unverified })
}

// admit lets the held rollouts go that have nothing left to wait for, asks for
// the verifications that are due, and ends some of too many.
func admit(t TrackState, now time.Time) (admitted []Rollout, decided []Action) {
	held, decided := fewer(t, now)
	for _, r := range held {
		if len(r.Holds(t.Track.Policy, now)) == 0 {
			admitted = append(admitted, r)
			decided = append(decided, Admit{r})
			continue
		}
		if r.verifiable(t.Track.Policy, now) {
			decided = append(decided, Verify{Rollout: r, By: *t.Track.Policy.Verify})
		}
	}
	return admitted, decided
}

// advance decides what becomes of a track's rollouts: the newest one that is
// ready is promoted and those before it are overtaken. While none is ready the
// oldest goes on (a push every minute and one slow host must not starve
// promotion), the newest warms beside it, and those between are overtaken.
//
// What somebody asked for (a rollback, a rejected digest that was approved)
// stands beside that queue: it takes no digest of the tag out of it, and ends
// when one of them goes live.
func advance(t TrackState, o Observed) (current *Rollout, coming []Rollout, decided []Action) {
	pushed, asked := byOrigin(t.Coming)
	if i := newestReady(t, pushed, o); i >= 0 {
		decided = overtake(decided, pushed[:i], asked)
		decided = append(decided, outdated(t, pushed[i], o.Now)...)
		return &pushed[i], pushed[i+1:], append(decided, Promote{pushed[i]})
	}
	pushed, decided = thinned(pushed)
	if n := len(asked); n > 1 { // the last word counts
		decided = overtake(decided, asked[:n-1])
		asked = asked[n-1:]
	}
	if i := newestReady(t, asked, o); i >= 0 {
		return &asked[i], pushed, append(decided, Promote{asked[i]})
	}
	return t.Current, append(asked, pushed...), decided
}

func byOrigin(coming []Rollout) (pushed, asked []Rollout) {
	for _, r := range coming {
		if r.Origin == FromTag {
			pushed = append(pushed, r)
		} else {
			asked = append(asked, r)
		}
	}
	return pushed, asked
}

// newestReady is the place of the newest rollout that may be promoted, or -1.
func newestReady(t TrackState, rollouts []Rollout, o Observed) int {
	for i := len(rollouts) - 1; i >= 0; i-- {
		if r := rollouts[i]; mayPromote(t, r, o.Now) && ready(r, t.Track, o) {
			return i
		}
	}
	return -1
}

// thinned leaves the oldest and the newest.
func thinned(pushed []Rollout) (left []Rollout, decided []Action) {
	n := len(pushed)
	if n <= 2 {
		return pushed, nil
	}
	return []Rollout{pushed[0], pushed[n-1]}, overtake(nil, pushed[1:n-1])
}

func overtake(decided []Action, lists ...[]Rollout) []Action {
	for _, list := range lists {
		for _, r := range list {
			decided = append(decided, Overtake{r})
		}
	}
	return decided
}

// outdated ends the held rollouts that are older than the one to be promoted.
func outdated(t TrackState, promoted Rollout, now time.Time) []Action {
	var actions []Action
	for _, r := range t.Held {
		// What was admitted a moment ago is in Coming.
		if r.ID < promoted.ID && len(r.Holds(t.Track.Policy, now)) > 0 {
			actions = append(actions, Overtake{r})
		}
	}
	return actions
}

// mayPromote tells whether a promotion may happen now at all.
func mayPromote(t TrackState, r Rollout, now time.Time) bool {
	if r.Origin == FromRollback {
		return true
	}
	return !t.Hold && (t.Current == nil || t.Track.Policy.Promote.Windows.Open(now))
}

// ready tells whether a rollout may become current: it is warm on as many of
// the hosts that count as its policy asks for, and on one at least. A host whose
// first probe has not ended may yet count, as one that is not warm.
func ready(r Rollout, t Track, o Observed) bool {
	counted, warm := 0, 0
	for _, name := range t.Hosts {
		h := o.Hosts[name]
		switch {
		case h.Contact == Unknown && !h.Drained:
			counted++
		case !counts(r, h, o.Now, t.Policy.Promote.Straggler):
		default:
			counted++
			if h.Copies[r.Pin].State == Warm {
				warm++
			}
		}
	}
	return warm >= quorum(counted, t.Policy.Promote.Percent)
}

// quorum is how many of n hosts have to be warm: the percentage rounded up, and
// one at least.
func quorum(n, percent int) int { return max(1, (n*percent+99)/100) }

// counts tells whether a promotion waits for the host: it is reachable and not
// drained, the image has something for it, and it has not failed for too long. Where a
// digest is gone upstream there is nothing to wait for.
func counts(r Rollout, h HostView, now time.Time, straggler time.Duration) bool {
	if h.Contact != Reachable || h.Drained {
		return false
	}
	if _, ok := r.Manifest.For(h.Platform); !ok {
		return false
	}
	c := h.Copies[r.Pin]
	return c.State != Failed || !c.Gone && now.Sub(c.FailedSince) < straggler
}
