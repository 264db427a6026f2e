package warmer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/prewarm/prewarm/registry"
)

var (
	amd64 = registry.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = registry.Platform{OS: "linux", Architecture: "arm64"}
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

const straggler = 15 * time.Minute

// everywhere is the default policy.
var everywhere = Policy{Promote: Promotion{Percent: All, Straggler: straggler}}

func pinOf(n int) registry.Pin {
	pin, err := registry.ParsePin(fmt.Sprintf("registry.test/etl/jobs@sha256:%064x", n))
	if err != nil {
		panic(err)
	}
	return pin
}

// rolloutN is a rollout of the n-th digest for the given platforms.
func rolloutN(n int, phase Phase, platforms ...registry.Platform) Rollout {
	r := Rollout{ID: fmt.Sprintf("%04d", n), Track: TrackID{"jobs", "latest"}, Pin: pinOf(n), Phase: phase, Seen: noon}
	for _, p := range platforms {
		r.Manifest.Children = append(r.Manifest.Children, registry.Child{Platform: p})
	}
	return r
}

// script is one host in a table: "amd64 free=2 1:warm 2:failed".
func script(s string) HostView {
	v := HostView{Contact: Reachable, Platform: amd64, FreePulls: 2, Copies: map[registry.Pin]CopyView{}}
	for word := range strings.FieldsSeq(s) {
		switch word {
		case "arm64":
			v.Platform = arm64
		case "unknown", "unreachable", "duplicate_engine":
			v.Contact = Contact(word)
		case "drained":
			v.Drained = true
		case "full":
			v.FreePulls = 0
		case "one":
			v.FreePulls = 1
		default:
			n, state, _ := strings.Cut(word, ":")
			v.Copies[pinOf(int(n[0]-'0'))] = map[string]CopyView{
				"warm":      {State: Warm, Kept: true},
				"unkept":    {State: Warm},
				"tagged":    {State: Warm, Kept: true, Tags: []string{"other", "latest"}},
				"pulling":   {Busy: true, Moved: noon.Add(-time.Second)},
				"stalled":   {Busy: true, Moved: noon.Add(-seedStall)},
				"gone":      {State: Failed, Gone: true, FailedSince: noon.Add(-time.Minute), NextTry: noon.Add(time.Hour)},
				"failed":    {State: Failed, FailedSince: noon.Add(-time.Minute), NextTry: noon.Add(time.Second)},
				"due":       {State: Failed, FailedSince: noon.Add(-time.Minute), NextTry: noon},
				"straggler": {State: Failed, FailedSince: noon.Add(-straggler), NextTry: noon.Add(time.Second)},
			}[state]
		}
	}
	return v
}

// told writes actions as a table does: "pull a 1; promote 2".
func told(actions []Action) string {
	var all []string
	for _, a := range actions {
		switch a := a.(type) {
		case Pull:
			all = append(all, fmt.Sprintf("pull %s %s", a.Host, strings.TrimLeft(a.Pin.Digest().Hex(), "0")))
		case Promote:
			all = append(all, "promote "+strings.TrimLeft(a.Rollout.ID, "0"))
		case Overtake:
			all = append(all, "overtake "+strings.TrimLeft(a.Rollout.ID, "0"))
		case Admit:
			all = append(all, "admit "+strings.TrimLeft(a.Rollout.ID, "0"))
		case Verify:
			all = append(all, "verify "+strings.TrimLeft(a.Rollout.ID, "0"))
		case Retire:
			all = append(all, "retire "+a.Track.String())
		case Publish:
			all = append(all, fmt.Sprintf("publish %s %s as %s", a.Host, strings.TrimLeft(a.Pin.Digest().Hex(), "0"), a.Track.Tag))
		}
	}
	return strings.Join(all, "; ")
}

func TestPlan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		current int   // 0: none
		coming  []int // oldest first
		a, b    string
		want    string
	}{
		{"nothing is wanted", 0, nil, "", "", ""},
		{"a new digest is pulled everywhere", 0, []int{1}, "", "", "pull a 1; pull b 1"},
		{"it waits for the slower host", 0, []int{1}, "1:warm", "1:pulling", ""},
		{"warm everywhere, it is promoted", 0, []int{1}, "1:warm", "1:warm", "promote 1"},
		{"current stays until the next is warm", 1, []int{2}, "1:warm 2:warm", "1:warm", "pull b 2"},
		{"the next takes over", 1, []int{2}, "1:warm 2:warm", "1:warm 2:warm", "promote 2"},
		{"an unreachable host does not count", 0, []int{1}, "1:warm", "unreachable", "promote 1"},
		{"no reachable host promotes nothing", 0, []int{1}, "unreachable", "unreachable", ""},
		{"a host not yet looked at may count", 0, []int{1}, "1:warm", "unknown", ""},
		{"a host of another platform does not count", 0, []int{1}, "1:warm", "arm64", "promote 1"},
		{"a drained host does not count, and is warmed", 0, []int{1}, "1:warm", "drained", "promote 1; pull b 1"},
		{"nor does it before it was looked at", 0, []int{1}, "1:warm", "unknown drained", "promote 1"},
		{"drained hosts alone promote nothing", 0, []int{1}, "drained 1:warm", "drained 1:warm", ""},
		{"no host of its platform promotes nothing", 0, []int{1}, "arm64", "arm64", ""},
		{"one engine under two names counts for neither", 0, []int{1}, "duplicate_engine 1:warm", "duplicate_engine 1:warm", ""},
		{"a failing host holds the promotion back", 0, []int{1}, "1:warm", "1:failed", ""},
		{"until it is a straggler", 0, []int{1}, "1:warm", "1:straggler", "promote 1"},
		{"stragglers alone promote nothing", 0, []int{1}, "1:straggler", "1:straggler", ""},
		{"a failure is tried again when its backoff is over", 0, []int{1}, "1:due", "1:failed", "pull a 1"},
		{"a current image that went away is repaired", 1, nil, "1:warm", "", "pull b 1"},
		{"a lost keep-tag is repaired", 1, nil, "1:warm", "1:unkept", "pull b 1"},
		{"an unkept copy is warm all the same", 0, []int{1}, "1:warm", "1:unkept", "promote 1; pull b 1"},
		{"a full host waits", 0, []int{1}, "full", "", "pull b 1"},
		{"current is repaired before the next is pulled", 1, []int{2}, "one", "1:warm", "pull a 1; pull b 2"},
		{"the oldest goes on, the newest beside it, between is overtaken", 0, []int{1, 2, 3, 4}, "1:warm", "1:pulling", "overtake 2; overtake 3; pull a 4; pull b 4"},
		{"the newest that is ready wins", 0, []int{1, 2, 3}, "1:warm 2:warm", "1:warm 2:warm", "overtake 1; promote 2; pull a 3; pull b 3"},
		{"a tag moved back is ready at once", 2, []int{1}, "1:warm 2:warm", "1:warm 2:warm", "promote 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			state := TrackState{Track: Track{ID: TrackID{"jobs", "latest"}, Hosts: []string{"a", "b"}, Policy: everywhere}}
			if c.current > 0 {
				r := rolloutN(c.current, Current, amd64)
				state.Current = &r
			}
			for _, n := range c.coming {
				state.Coming = append(state.Coming, rolloutN(n, Warming, amd64))
			}
			got := told(Plan(Desired{Tracks: []TrackState{state}},
				Observed{Now: noon, Hosts: map[string]HostView{"a": script(c.a), "b": script(c.b)}}))
			if got != c.want {
				t.Errorf("a: %s\nb: %s\ngot  %q\nwant %q", c.a, c.b, got, c.want)
			}
		})
	}
}

func TestOnePullForAPinThatTwoImagesWant(t *testing.T) {
	t.Parallel()
	track := func(name string) TrackState {
		r := rolloutN(1, Warming, amd64)
		r.Track.Image = name
		return TrackState{Track: Track{ID: r.Track, Hosts: []string{"a"}}, Coming: []Rollout{r}}
	}
	got := told(Plan(Desired{Tracks: []TrackState{track("x"), track("y")}}, Observed{Now: noon, Hosts: map[string]HostView{"a": script("")}}))
	if got != "pull a 1" {
		t.Fatalf("got %q", got)
	}
}

func TestWhatPinScopesHoldIsPulled(t *testing.T) {
	t.Parallel()
	night := rolloutN(3, Superseded, amd64)
	for _, c := range []struct {
		name   string
		a      string
		waited bool // a run waits for it
		want   string
	}{
		{"beside the current one", "1:warm", false, "pull a 3"},
		{"after all that is coming", "one 1:warm", false, "pull a 2"},
		{"before it where a run waits for it", "one 1:warm", true, "pull a 3"},
		{"not twice", "1:warm 2:warm 3:pulling", false, "promote 2"},
		{"not where it is", "1:warm 2:pulling 3:warm", false, ""},
		{"again where its keep-tag went", "1:warm 2:pulling 3:unkept", false, "pull a 3"},
		{"not before its backoff is over", "1:warm 2:pulling 3:failed", false, ""},
		{"on drained hosts, too", "drained 1:warm 2:warm", false, "pull a 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			current := rolloutN(1, Current, amd64)
			state := TrackState{Track: Track{ID: current.Track, Hosts: []string{"a"}, Policy: everywhere}, Current: &current}
			if !strings.Contains(c.name, "beside") {
				state.Coming = []Rollout{rolloutN(2, Warming, amd64)}
			}
			got := told(Plan(Desired{Tracks: []TrackState{state}, Pinned: []Pinned{{Image: "jobs", Rollout: night, Hosts: []string{"a"}}}},
				Observed{Now: noon, Hosts: map[string]HostView{"a": script(c.a)}, Needs: Needs{Pins: map[registry.Pin]bool{night.Pin: c.waited}}}))
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// scene draws a random fleet in a random state.
func scene(t *rapid.T) (Desired, Observed) {
	var names []string
	o := Observed{Now: noon, Hosts: map[string]HostView{}}
	for i := range rapid.IntRange(1, 4).Draw(t, "hosts") {
		name := string(rune('a' + i))
		names = append(names, name)
		h := HostView{
			Contact:   rapid.SampledFrom([]Contact{Reachable, Reachable, Reachable, Unreachable, Unknown, Duplicate}).Draw(t, "contact"),
			Platform:  rapid.SampledFrom([]registry.Platform{amd64, amd64, arm64}).Draw(t, "platform"),
			FreePulls: rapid.IntRange(0, 3).Draw(t, "free"),
			Drained:   rapid.IntRange(0, 4).Draw(t, "drained") == 0,
			Copies:    map[registry.Pin]CopyView{},
		}
		for n := 1; n <= 5; n++ {
			c := CopyView{State: rapid.SampledFrom([]CopyState{Absent, Warm, Warm, Failed}).Draw(t, "state"), Busy: rapid.Bool().Draw(t, "busy")}
			c.Kept = c.State == Warm && rapid.Bool().Draw(t, "kept")
			if c.State == Failed {
				c.FailedSince = noon.Add(-time.Duration(rapid.IntRange(0, 30).Draw(t, "since")) * time.Minute)
				c.NextTry = noon.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "next")) * time.Minute)
			}
			h.Copies[pinOf(n)] = c
		}
		o.Hosts[name] = h
	}
	d := Desired{}
	for i := range rapid.IntRange(1, 3).Draw(t, "tracks") {
		id := TrackID{fmt.Sprint("image", i), "latest"}
		state := TrackState{Track: Track{ID: id, Hosts: rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, "selected"), Policy: everywhere}}
		draw := func(phase Phase, id string) Rollout {
			r := rolloutN(rapid.IntRange(1, 5).Draw(t, "digest"), phase, rapid.SampledFrom([][]registry.Platform{{amd64}, {amd64, arm64}, {arm64}}).Draw(t, "platforms")...)
			r.ID, r.Track = id, state.Track.ID
			return r
		}
		if rapid.Bool().Draw(t, "current") {
			r := draw(Current, fmt.Sprint(i, "-0"))
			state.Current = &r
		}
		for n := range rapid.IntRange(0, 4).Draw(t, "coming") {
			state.Coming = append(state.Coming, draw(Warming, fmt.Sprint(i, "-", n+1)))
		}
		d.Tracks = append(d.Tracks, state)
	}
	return d, o
}

func TestPlanProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, o := scene(t)
		actions := Plan(d, o)
		if diff := cmp.Diff(told(actions), told(Plan(d, o))); diff != "" {
			t.Fatalf("not a function of its arguments: %s", diff)
		}
		pulls, decided := map[string]int{}, map[string]int{}
		seen := map[Pull]bool{}
		for _, a := range actions {
			switch a := a.(type) {
			case Pull:
				h := o.Hosts[a.Host]
				c := h.Copies[a.Pin]
				pulls[a.Host]++
				if seen[a] || c.Busy || (c.State == Warm && c.Kept) || h.Contact != Reachable || o.Now.Before(c.NextTry) {
					t.Fatalf("pulled in vain: %+v of %+v", a, c)
				}
				seen[a] = true
			case Promote:
				decided[a.Rollout.ID]++
				expectReady(t, a.Rollout, d, o)
			case Overtake:
				decided[a.Rollout.ID]++
			}
		}
		for host, n := range pulls {
			if n > o.Hosts[host].FreePulls {
				t.Fatalf("%d pulls on %s, %d allowed", n, host, o.Hosts[host].FreePulls)
			}
		}
		for id, n := range decided {
			if n > 1 {
				t.Fatalf("rollout %s decided %d times", id, n)
			}
		}
	})
}

// expectReady states promise 3 again, independently of the code that keeps it.
func expectReady(t *rapid.T, r Rollout, d Desired, o Observed) {
	warm := 0
	for _, track := range d.Tracks {
		if track.Track.ID != r.Track {
			continue
		}
		for _, name := range track.Track.Hosts {
			h := o.Hosts[name]
			c := h.Copies[r.Pin]
			_, made := r.Manifest.For(h.Platform)
			late := c.State == Failed && o.Now.Sub(c.FailedSince) >= straggler
			if h.Drained {
				continue
			}
			if h.Contact == Reachable && made && c.State == Warm {
				warm++
			}
			if h.Contact == Unknown || (h.Contact == Reachable && made && c.State != Warm && !late) {
				t.Fatalf("%s promoted while %s is %s/%s", r.ID, name, h.Contact, c.State)
			}
		}
	}
	if warm == 0 {
		t.Fatalf("%s promoted, warm nowhere", r.ID)
	}
}
