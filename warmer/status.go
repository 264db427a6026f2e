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
	StateWaiting    HostState = "waiting" // for a free pull or the next look
	StateFailed     HostState = "failed"  // and tried again after its backoff
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

// RolloutStatus is a rollout with its copies, in the order of the selected
// hosts.
type RolloutStatus struct {
	Rollout
	Hosts []HostCopy
}

// TrackStatus is all there is to say of a tracked tag.
type TrackStatus struct {
	Track   Track
	Current *RolloutStatus
	Coming  []RolloutStatus
	// SupersededBytes is, by host, the unpacked size of digests that were
	// current and still are there.
	SupersededBytes map[string]int64
	CheckedAt       time.Time
	CheckError      error
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
}

// Tracks gives the status of every tracked tag, in the order of the
// configuration.
func (w *Warmer) Tracks() []TrackStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]TrackStatus, 0, len(w.tracks))
	for _, t := range w.tracks {
		all = append(all, w.trackStatus(t))
	}
	return all
}

// Image gives the status of the tracked tags of one image.
func (w *Warmer) Image(name string) ([]TrackStatus, error) {
	tracks, err := w.tracksOf(name)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]TrackStatus, 0, len(tracks))
	for _, t := range tracks {
		all = append(all, w.trackStatus(t))
	}
	return all, nil
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
			Pulls: h.Pulls, Pulling: h.Pulls - h.view().FreePulls,
		})
	}
	return all
}

// WarmHosts tells on which of an image's hosts a pin is warm now, and for the
// others why not.
func (w *Warmer) WarmHosts(image string, pin registry.Pin) (warm []string, cold map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	cold = make(map[string]string)
	for _, t := range w.tracks {
		if t.ID.Image != image {
			continue
		}
		for _, r := range t.rollouts {
			if r.Pin != pin {
				continue
			}
			for _, name := range t.Hosts {
				if c := w.hostCopy(r, name); c.State == StateWarm {
					delete(cold, name)
					warm = appendNew(warm, name)
				} else if !slices.Contains(warm, name) {
					cold[name] = c.Summary()
				}
			}
		}
	}
	return warm, cold
}

func appendNew(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// trackStatus describes a track. The caller holds mu.
func (w *Warmer) trackStatus(t *track) TrackStatus {
	s := TrackStatus{Track: t.Track, CheckedAt: t.check.at, CheckError: t.check.err, SupersededBytes: make(map[string]int64)}
	live := t.state()
	if live.Current != nil {
		r := w.rolloutStatus(t, *live.Current)
		s.Current = &r
	}
	for _, r := range live.Coming {
		s.Coming = append(s.Coming, w.rolloutStatus(t, r))
	}
	for _, pin := range t.superseded() {
		for _, name := range t.Hosts {
			if c := w.hosts[name].copies[pin]; c != nil && c.State == Warm {
				s.SupersededBytes[name] += c.Copy.Bytes
			}
		}
	}
	return s
}

func (w *Warmer) rolloutStatus(t *track, r Rollout) RolloutStatus {
	s := RolloutStatus{Rollout: r}
	for _, name := range t.Hosts {
		s.Hosts = append(s.Hosts, w.hostCopy(r, name))
	}
	return s
}

// hostCopy describes a rollout's digest on a host. The caller holds mu.
func (w *Warmer) hostCopy(r Rollout, name string) HostCopy {
	h := w.hosts[name]
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
	s.Progress, s.Attempts, s.Bytes = c.Progress, c.Attempts, c.Copy.Bytes
	switch {
	case c.State == Warm:
		s.State = StateWarm
	case c.Busy:
		s.State = StatePulling
	case c.State == Failed:
		s.State, s.Reason, s.NextTry = StateFailed, c.Err.Error(), c.NextTry
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

// Marker is the mark of the engine that answers for a host now; empty before
// the first contact.
func (w *Warmer) Marker(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.hosts[name]; h != nil {
		return h.engine.Marker
	}
	return ""
}
