package warmer

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// HostState says where a digest stands on a host, or why it is not there.
type HostState string

// The states, best first.
const (
	StateWarm       HostState = "warm"
	StatePulling    HostState = "pulling"
	StateWaiting    HostState = "waiting" // for a free pull, a seed, a window or the next look
	StateFailed     HostState = "failed"  // and tried again after its backoff
	StateGone       HostState = "gone_upstream"
	StateNoPlatform HostState = "no_platform"
	StateUnknown    HostState = "unknown" // the host's first probe has not ended
	StateUnreached  HostState = "unreachable"
	StateDuplicate  HostState = "duplicate_engine"
)

// HostCopy is one digest on one host.
type HostCopy struct {
	Host     string
	State    HostState
	Reason   string // why it is not warm; empty where the state says it all
	Platform registry.Platform
	// PlatformDigest is the child of an index that this host runs.
	PlatformDigest registry.Digest
	Progress       Progress
	// Rate is how fast the pull goes, in compressed bytes a second; 0 where it
	// is not known yet.
	Rate float64
	// Tags are those of the image's repository that mean the copy on the host.
	Tags []string
	// Total is what a pull transfers when the host has no layer of it:
	// compressed bytes, from the manifest.
	Total    int64
	Bytes    int64 // unpacked, of a warm copy
	Attempts int
	NextTry  time.Time
}

// Summary is the state with its reason, for a sentence.
func (c HostCopy) Summary() string {
	if c.Reason == "" {
		return string(c.State)
	}
	return string(c.State) + " (" + c.Reason + ")"
}

// Remaining is how long the rest of a pull may take; 0 where nobody knows.
func (c HostCopy) Remaining() time.Duration {
	left := c.Total - c.Progress.Bytes
	if c.State != StatePulling || c.Rate <= 0 || left <= 0 {
		return 0
	}
	return time.Duration(float64(left) / c.Rate * float64(time.Second))
}

// RolloutStatus is a rollout with its copies, in the order of the selected
// hosts.
type RolloutStatus struct {
	Rollout
	// Holds are why it is not warmed yet, and HeldUntil when its cooldown ends,
	// where that is one of them.
	Holds     []Reason
	HeldUntil time.Time
	Hosts     []HostCopy
}

// TrackStatus is all there is to say of a tracked tag.
type TrackStatus struct {
	Track   Track
	Current *RolloutStatus
	Held    []RolloutStatus
	Coming  []RolloutStatus
	// Leaving tells that the tag is no longer tracked; its current digest stays
	// until others took its place.
	Leaving bool
	// SupersededBytes is, by host, the unpacked size of digests that were
	// current and still are there.
	SupersededBytes map[string]int64
	CheckedAt       time.Time
	CheckError      error
}

// ImageStatus is all there is to say of a configured image.
type ImageStatus struct {
	Entry  Entry
	State  ImageState
	Tracks []TrackStatus
	// ListedAt and ListError tell of the last listing of tags, for a selection.
	ListedAt  time.Time
	ListError error
}

// HostStatus is all there is to say of a host.
type HostStatus struct {
	Name    string
	Contact Contact
	Since   time.Time
	Err     error
	Engine  Engine
	Pulling int
	Pulls   int
	Drift   Drift
	Paused  bool // warming, on this host or on the fleet
	Drained bool // no run is placed on it
}

// Images gives the status of every image, in the order of the configuration.
func (w *Warmer) Images() []ImageStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]ImageStatus, 0, len(w.entries))
	for _, e := range w.entries {
		all = append(all, w.imageStatus(e))
	}
	return all
}

// Image gives the status of one image.
func (w *Warmer) Image(name string) (ImageStatus, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.entryOf(name)
	if e == nil {
		return ImageStatus{}, w.notManaged(name)
	}
	return w.imageStatus(e), nil
}

func (w *Warmer) imageStatus(e *entry) ImageStatus {
	s := ImageStatus{Entry: e.Entry, State: e.held, ListedAt: e.list.at, ListError: e.list.err}
	s.State.Image, s.State.Chosen = e.Image, e.chosen
	for _, t := range e.tracks {
		s.Tracks = append(s.Tracks, w.trackStatus(t))
	}
	return s
}

// Hosts gives the status of every host, by name.
func (w *Warmer) Hosts() []HostStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]HostStatus, 0, len(w.hosts))
	for _, name := range slices.Sorted(maps.Keys(w.hosts)) {
		h := w.hosts[name]
		all = append(all, HostStatus{
			Name: name, Contact: h.contact, Since: h.since, Err: h.err, Engine: h.engine,
			Pulls: h.Pulls, Pulling: h.busy, Drift: h.drift.status(time.Now()),
			Paused: w.isPaused(Pulling, name) || w.isPaused(Pulling, ""), Drained: w.isPaused(Placing, name),
		})
	}
	return all
}

func appendNew(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// trackStatus describes a track. The caller holds mu.
func (w *Warmer) trackStatus(t *track) TrackStatus {
	s := TrackStatus{
		Track: t.Track, Leaving: t.leaving,
		CheckedAt: t.check.at, CheckError: t.check.err, SupersededBytes: make(map[string]int64),
	}
	live := t.state()
	if live.Current != nil {
		r := w.rolloutStatus(t, *live.Current)
		s.Current = &r
	}
	for _, r := range live.Held {
		s.Held = append(s.Held, w.rolloutStatus(t, r))
	}
	for _, r := range live.Coming {
		s.Coming = append(s.Coming, w.rolloutStatus(t, r))
	}
	for _, r := range t.superseded() {
		for _, name := range t.Hosts {
			if h := w.hosts[name]; h != nil && h.copies[r.Pin] != nil && h.copies[r.Pin].State == Warm {
				s.SupersededBytes[name] += h.copies[r.Pin].Copy.Bytes
			}
		}
	}
	return s
}

func (w *Warmer) rolloutStatus(t *track, r Rollout) RolloutStatus {
	s := RolloutStatus{Rollout: r}
	if r.Phase == Held {
		s.Holds = r.Holds(t.Policy, time.Now())
		if slices.Contains(s.Holds, Cooldown) {
			s.HeldUntil = r.Seen.Add(t.Policy.Cooldown)
		}
	}
	for _, name := range t.Hosts {
		s.Hosts = append(s.Hosts, w.hostCopy(r, name))
	}
	return s
}

// hostCopy describes a rollout's digest on a host. The caller holds mu.
func (w *Warmer) hostCopy(r Rollout, name string) HostCopy {
	h := w.hosts[name]
	if h == nil {
		return HostCopy{Host: name, State: StateUnknown}
	}
	s := HostCopy{Host: name, Platform: h.engine.Platform}
	child, ok := r.Manifest.For(h.engine.Platform)
	if ok {
		s.PlatformDigest, s.Total = child.Digest, child.Bytes()
	}
	switch {
	case h.contact == Unknown:
		s.State = StateUnknown
	case h.contact == Unreachable:
		s.State, s.Reason = StateUnreached, h.err.Error()
	case h.contact == Duplicate:
		s.State, s.Reason = StateDuplicate, w.sharedEngine(h)
	case !ok:
		s.State, s.Reason = StateNoPlatform, "the image has nothing for "+h.engine.Platform.String()
	default:
		w.copyStatus(&s, h.copies[r.Pin])
	}
	return s
}

func (w *Warmer) copyStatus(s *HostCopy, c *copyState) {
	if c == nil {
		s.State = StateWaiting
		return
	}
	s.Progress, s.Attempts, s.Bytes, s.Tags, s.Rate = c.Progress, c.Attempts, c.Copy.Bytes, c.Tags, c.meter.rate
	switch {
	case c.leaving:
		s.State, s.Reason = StateWaiting, "a prune pass removes it"
	case c.State == Warm:
		s.State = StateWarm
	case c.Busy:
		s.State = StatePulling
	case c.Gone:
		s.State, s.Reason, s.NextTry = StateGone, c.Err.Error(), c.NextTry
	case c.State == Failed:
		s.State, s.Reason, s.NextTry = StateFailed, c.Err.Error(), c.NextTry
	case c.GivenUp:
		s.State, s.Reason = StateWaiting, "given up for want of space on the host"
	default:
		s.State = StateWaiting
	}
}

// sharedEngine names the entries that reach the same engine as h. The caller
// holds mu.
func (w *Warmer) sharedEngine(h *host) string {
	var others []string
	for _, name := range slices.Sorted(maps.Keys(w.hosts)) {
		if o := w.hosts[name]; o != h && o.engine.Marker == h.engine.Marker {
			others = append(others, name)
		}
	}
	return "the same engine as " + strings.Join(others, ", ") + ": keep one of the entries"
}
