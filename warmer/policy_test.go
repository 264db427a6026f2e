package warmer

import (
	"fmt"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/schedule"
	"github.com/prewarm/prewarm/registry"
)

// window makes one of hours of the day, in UTC: "20:00", "06:00".
func window(t *testing.T, from, to string) schedule.Windows {
	t.Helper()
	w, err := schedule.ParseWindow(schedule.WindowOptions{From: from, To: to, Zone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	return schedule.Windows{w}
}

// case of a policy: two hosts, a and b, at noon.
type policyCase struct {
	name   string
	change func(*TrackState, *Desired, *Observed)
	a, b   string
	want   string
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	atNight, atDay := window(t, "20:00", "06:00"), window(t, "08:00", "18:00")
	coming := func(s *TrackState, n int) { s.Coming = append(s.Coming, rolloutN(n, Warming, amd64)) }
	held := func(s *TrackState, n int, age time.Duration) *Rollout {
		r := rolloutN(n, Held, amd64)
		r.Seen = noon.Add(-age)
		s.Held = append(s.Held, r)
		return &s.Held[len(s.Held)-1]
	}
	current := func(s *TrackState, n int) {
		r := rolloutN(n, Current, amd64)
		s.Current = &r
	}
	for _, c := range []policyCase{
		{"one warm host is enough for any", func(s *TrackState, _ *Desired, _ *Observed) {
			coming(s, 1)
			s.Track.Policy.Promote.Percent = Any
		}, "1:warm", "1:pulling", "promote 1"},
		{"but none is not", func(s *TrackState, _ *Desired, _ *Observed) {
			coming(s, 1)
			s.Track.Policy.Promote.Percent = Any
		}, "1:pulling", "1:pulling", ""},
		{"half of two is one", func(s *TrackState, _ *Desired, _ *Observed) {
			coming(s, 1)
			s.Track.Policy.Promote.Percent = 50
		}, "1:warm", "1:pulling", "promote 1"},
		{"51 percent of two is two", func(s *TrackState, _ *Desired, _ *Observed) {
			coming(s, 1)
			s.Track.Policy.Promote.Percent = 51
		}, "1:warm", "1:pulling", ""},
		{"a percentage counts the hosts that may yet come", func(s *TrackState, _ *Desired, _ *Observed) {
			coming(s, 1)
			s.Track.Policy.Promote.Percent = 51
		}, "1:warm", "unknown", ""},
		{"held back by a person, it warms and stays", func(s *TrackState, _ *Desired, _ *Observed) {
			coming(s, 1)
			s.Hold = true
		}, "1:warm", "1:warm", ""},
		{"outside of its window it is not promoted", func(s *TrackState, _ *Desired, _ *Observed) {
			current(s, 1)
			coming(s, 2)
			s.Track.Policy.Promote.Windows = atNight
		}, "1:warm 2:warm", "1:warm 2:warm", ""},
		{"within its window it is", func(s *TrackState, _ *Desired, _ *Observed) {
			current(s, 1)
			coming(s, 2)
			s.Track.Policy.Promote.Windows = atDay
		}, "1:warm 2:warm", "1:warm 2:warm", "promote 2"},
		{"a first promotion waits for no window", func(s *TrackState, _ *Desired, _ *Observed) {
			coming(s, 1)
			s.Track.Policy.Promote.Windows = atNight
		}, "1:warm", "1:warm", "promote 1"},
		{"a rollback waits for neither window nor hold", func(s *TrackState, _ *Desired, _ *Observed) {
			current(s, 1)
			coming(s, 2)
			s.Coming[0].Origin = FromRollback
			s.Hold, s.Track.Policy.Promote.Windows, s.Track.Policy.Pulls = true, atNight, atNight
		}, "1:warm 2:warm", "1:warm 2:warm", "promote 2"},
		{"and stands beside what the tag shows", func(s *TrackState, _ *Desired, _ *Observed) {
			current(s, 2)
			coming(s, 3)
			coming(s, 1)
			s.Coming[1].Origin = FromRollback
		}, "2:warm 1:warm 3:pulling", "2:warm 1:warm 3:pulling", "promote 1"},
		{"outside of its window nothing new is pulled", func(s *TrackState, _ *Desired, _ *Observed) {
			current(s, 1)
			coming(s, 2)
			s.Track.Policy.Pulls = atNight
		}, "1:warm", "", "pull b 1"},
		{"but for a run that waits", func(s *TrackState, _ *Desired, o *Observed) {
			current(s, 1)
			coming(s, 2)
			s.Track.Policy.Pulls = atNight
			o.Needs.Pins = map[registry.Pin]bool{pinOf(2): true}
		}, "one 1:warm", "one", "pull a 2; pull b 2"},
		{"or that waits for the first digest of an image", func(s *TrackState, _ *Desired, o *Observed) {
			coming(s, 1)
			s.Track.Policy.Pulls = atNight
			o.Needs.Images = map[string]bool{"jobs": true}
		}, "", "", "pull a 1; pull b 1"},
		{"too young, it is held", func(s *TrackState, _ *Desired, _ *Observed) {
			held(s, 1, 9*time.Minute)
			s.Track.Policy.Cooldown = 10 * time.Minute
		}, "", "", ""},
		{"old enough, it is admitted and pulled", func(s *TrackState, _ *Desired, _ *Observed) {
			held(s, 1, 10*time.Minute)
			s.Track.Policy.Cooldown = 10 * time.Minute
		}, "", "1:warm", "admit 1; pull a 1"},
		{"admitted and warm, it is promoted at once", func(s *TrackState, _ *Desired, _ *Observed) {
			held(s, 1, 10*time.Minute)
			s.Track.Policy.Cooldown = 10 * time.Minute
		}, "1:warm", "1:warm", "admit 1; promote 1"},
		{"it waits for an approval", func(s *TrackState, _ *Desired, _ *Observed) {
			held(s, 1, time.Hour)
			s.Track.Policy.Approve = true
		}, "", "", ""},
		{"an approval lets it pass, its cooldown too", func(s *TrackState, _ *Desired, _ *Observed) {
			held(s, 1, 0).Trust.Approved = noon
			s.Track.Policy.Approve, s.Track.Policy.Cooldown = true, time.Hour
		}, "", "", "admit 1; pull a 1; pull b 1"},
		{"what somebody went back from waits for one in any case", func(s *TrackState, _ *Desired, _ *Observed) {
			held(s, 1, time.Hour).Trust.Rejected = true
		}, "", "", ""},
		{"it is verified while it cools down", func(s *TrackState, _ *Desired, _ *Observed) {
			held(s, 1, 0)
			s.Track.Policy.Cooldown, s.Track.Policy.Verify = time.Hour, &Verification{}
		}, "", "", "verify 1"},
		{"verified, it goes on", func(s *TrackState, _ *Desired, _ *Observed) {
			held(s, 1, 0).Trust.Verdict = &Verdict{OK: true, At: noon}
			s.Track.Policy.Verify = &Verification{}
		}, "", "1:warm", "admit 1; pull a 1"},
		{"refused, it stays, and an approval changes nothing", func(s *TrackState, _ *Desired, _ *Observed) {
			r := held(s, 1, 0)
			r.Trust = Trust{Verdict: &Verdict{ExitCode: 1, At: noon.Add(-time.Hour)}, Approved: noon}
			s.Track.Policy.Verify = &Verification{}
		}, "1:warm", "1:warm", ""},
		{"a verification that could not be carried out is tried again", func(s *TrackState, _ *Desired, _ *Observed) {
			held(s, 1, 0).Trust.Verdict = &Verdict{Failure: "no such program", At: noon.Add(-verifyAgain)}
			s.Track.Policy.Verify = &Verification{}
		}, "", "", "verify 1"},
		{"but not at once", func(s *TrackState, _ *Desired, _ *Observed) {
			held(s, 1, 0).Trust.Verdict = &Verdict{Failure: "no such program", At: noon.Add(-time.Second)}
			s.Track.Policy.Verify = &Verification{}
		}, "", "", ""},
		{"a promotion overtakes what is held from before", func(s *TrackState, _ *Desired, _ *Observed) {
			held(s, 1, time.Hour)
			coming(s, 2)
			held(s, 3, time.Hour)
			s.Coming[0].Trust.Approved = noon
			s.Track.Policy.Approve = true
		}, "2:warm", "2:warm", "overtake 1; promote 2"},
		{"a current digest gets its tag", func(s *TrackState, _ *Desired, _ *Observed) {
			current(s, 1)
			s.Track.Policy.Retag = true
		}, "1:warm", "1:tagged", "publish a 1 as latest"},
		{"one that becomes current, too", func(s *TrackState, _ *Desired, _ *Observed) {
			current(s, 1)
			coming(s, 2)
			s.Track.Policy.Retag = true
		}, "1:tagged 2:warm", "unreachable", "promote 2; publish a 2 as latest"},
		{"without being asked to, none does", func(s *TrackState, _ *Desired, _ *Observed) { current(s, 1) }, "1:warm", "1:warm", ""},
		{"kept digests are pulled last", func(s *TrackState, _ *Desired, _ *Observed) {
			current(s, 2)
			s.Kept = []Rollout{rolloutN(1, Superseded, amd64)}
			coming(s, 3)
		}, "one 2:warm", "2:warm", "pull a 3; pull b 3; pull b 1"},
		{"what is gone upstream does not count", func(s *TrackState, _ *Desired, _ *Observed) { coming(s, 1) }, "1:warm", "1:gone", "promote 1"},
		{"on a paused host nothing is pulled", func(s *TrackState, _ *Desired, o *Observed) {
			coming(s, 1)
			h := o.Hosts["a"]
			h.Paused = true
			o.Hosts["a"] = h
		}, "", "", "pull b 1"},
		{"nor on a paused fleet", func(s *TrackState, _ *Desired, o *Observed) {
			coming(s, 1)
			o.Paused = true
		}, "", "", ""},
		{"the fleet has a limit", func(s *TrackState, d *Desired, o *Observed) {
			coming(s, 1)
			d.Pulls, o.Pulling = 3, map[string]int{"other.test": 2}
		}, "", "", "pull a 1"},
		{"a registry has one", func(s *TrackState, d *Desired, o *Observed) {
			coming(s, 1)
			d.Registries, o.Pulling = map[string]RegistryRules{"registry.test": {Pulls: 2}}, map[string]int{"registry.test": 1, "other.test": 7}
		}, "", "", "pull a 1"},
		{"of a shared cache, one host goes first", func(s *TrackState, d *Desired, _ *Observed) {
			coming(s, 1)
			d.Registries = map[string]RegistryRules{"registry.test": {Seed: true}}
		}, "", "", "pull a 1"},
		{"while it pulls, the others wait", func(s *TrackState, d *Desired, _ *Observed) {
			coming(s, 1)
			d.Registries = map[string]RegistryRules{"registry.test": {Seed: true}}
		}, "1:pulling", "", ""},
		{"a seed that stalls is replaced", func(s *TrackState, d *Desired, _ *Observed) {
			coming(s, 1)
			d.Registries = map[string]RegistryRules{"registry.test": {Seed: true}}
		}, "1:stalled", "", "pull b 1"},
		{"so is one that went away", func(s *TrackState, d *Desired, _ *Observed) {
			coming(s, 1)
			d.Registries = map[string]RegistryRules{"registry.test": {Seed: true}}
		}, "unreachable 1:pulling", "", "pull b 1"},
		{"and one that failed", func(s *TrackState, d *Desired, _ *Observed) {
			coming(s, 1)
			d.Registries = map[string]RegistryRules{"registry.test": {Seed: true}}
		}, "1:failed", "", "pull b 1"},
		{"once it is warm, all go", func(s *TrackState, d *Desired, _ *Observed) {
			coming(s, 1)
			d.Registries = map[string]RegistryRules{"registry.test": {Seed: true}}
		}, "1:warm", "", "pull b 1"},
		{"each platform has a seed of its own", func(s *TrackState, d *Desired, _ *Observed) {
			r := rolloutN(1, Warming, amd64, arm64)
			r.Manifest.Children[0].Digest, r.Manifest.Children[1].Digest = "sha256:a", "sha256:b"
			s.Coming = []Rollout{r}
			d.Registries = map[string]RegistryRules{"registry.test": {Seed: true}}
		}, "", "arm64", "pull a 1; pull b 1"},
		{"a tag that is no longer tracked stays while nothing took its place", func(s *TrackState, _ *Desired, _ *Observed) {
			current(s, 1)
			s.Leaving = true
		}, "1:warm", "1:warm", ""},
		{"and goes then", func(s *TrackState, _ *Desired, _ *Observed) {
			current(s, 1)
			s.Leaving, s.Replaced = true, true
		}, "1:warm", "", "retire jobs:latest"},
		{"at once where it never had a current digest", func(s *TrackState, _ *Desired, _ *Observed) {
			coming(s, 1)
			s.Leaving = true
		}, "", "", "retire jobs:latest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			state := TrackState{Track: Track{ID: TrackID{"jobs", "latest"}, Hosts: []string{"a", "b"}, Policy: everywhere}}
			d, o := Desired{}, Observed{Now: noon, Hosts: map[string]HostView{"a": script(c.a), "b": script(c.b)}}
			c.change(&state, &d, &o)
			d.Tracks = []TrackState{state}
			if got := told(Plan(d, o)); got != c.want {
				t.Errorf("a: %s\nb: %s\ngot  %q\nwant %q", c.a, c.b, got, c.want)
			}
		})
	}
}

// One digest under three tags is one pull through a shared cache.
func TestTagsOfOneDigestShareASeed(t *testing.T) {
	t.Parallel()
	d := Desired{Registries: map[string]RegistryRules{"registry.test": {Seed: true}}}
	o := Observed{Now: noon, Hosts: make(map[string]HostView)}
	hosts := []string{"a", "b", "c", "d"}
	for _, name := range hosts {
		o.Hosts[name] = script("")
	}
	for _, tag := range []string{"latest", "1.4.2", "1.4"} {
		r := rolloutN(1, Warming, amd64)
		r.Track.Tag = tag
		d.Tracks = append(d.Tracks, TrackState{Track: Track{ID: r.Track, Hosts: hosts, Policy: everywhere}, Coming: []Rollout{r}})
	}
	if got := told(Plan(d, o)); got != "pull a 1" {
		t.Errorf("got %q", got)
	}
}

// Where every digest needs an approval and nobody comes, the oldest go.
func TestTooManyHeld(t *testing.T) {
	t.Parallel()
	s := TrackState{Track: Track{ID: TrackID{"jobs", "latest"}, Hosts: []string{"a"}, Policy: Policy{Approve: true}}}
	for n := range maxHeld + 2 {
		s.Held = append(s.Held, rolloutN(n+1, Held, amd64))
	}
	if got := told(Plan(Desired{Tracks: []TrackState{s}}, Observed{Now: noon, Hosts: map[string]HostView{"a": script("")}})); got != "overtake 1; overtake 2" {
		t.Errorf("got %q", got)
	}
}

// Where digests come faster than a cooldown ends, the oldest stays to see its end;
// one that waits for more than time does not.
func TestTooManyCoolDown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first Trust
		want  string
	}{
		"all cool down":           {first: Trust{Verdict: &Verdict{OK: true}}, want: "overtake 2; overtake 3"},
		"the first was refused":   {first: Trust{Verdict: &Verdict{ExitCode: 1}}, want: "overtake 1; overtake 3"},
		"the first was gone from": {first: Trust{Rejected: true}, want: "overtake 1; overtake 3"},
	} {
		s := TrackState{Track: Track{ID: TrackID{"jobs", "latest"}, Hosts: []string{"a"}, Policy: Policy{Cooldown: time.Hour, Verify: &Verification{}}}}
		for n := range maxHeld + 2 {
			r := rolloutN(n+1, Held, amd64)
			r.Seen, r.Trust.Verdict = noon, &Verdict{OK: true}
			if n == 0 {
				r.Trust = c.first
			}
			s.Held = append(s.Held, r)
		}
		if got := told(Plan(Desired{Tracks: []TrackState{s}}, Observed{Now: noon, Hosts: map[string]HostView{"a": script("")}})); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestQuorum(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, percent, want int }{
		{0, All, 1}, {1, All, 1}, {7, All, 7}, {7, Any, 1}, {10, 80, 8}, {3, 50, 2}, {3, 1, 1}, {1000, 99, 990},
	} {
		if got := quorum(c.n, c.percent); got != c.want {
			t.Errorf("%d %% of %d: %d, want %d", c.percent, c.n, got, c.want)
		}
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	var m meter
	at := noon
	for i := range 20 {
		m.read(at, int64(i)*1000)
		at = at.Add(500 * time.Millisecond)
	}
	if m.rate < 1900 || m.rate > 2100 {
		t.Errorf("2000 bytes a second are measured as %.0f", m.rate)
	}
	if rate := m.read(at, 0); rate != m.rate || m.bytes != 0 {
		t.Errorf("a pull that began anew: %.0f from %d", rate, m.bytes)
	}
}

func TestLackingBytes(t *testing.T) {
	t.Parallel()
	child := registry.Child{Layers: []registry.Layer{{Digest: "a", Bytes: 100}, {Digest: "b", Bytes: 30}, {Digest: "c", Bytes: 7}}}
	for has, want := range map[string]int64{"": 137, "b": 107, "a": 37} {
		if got := lackingBytes(child, map[registry.Digest]bool{registry.Digest(has): true}); got != want {
			t.Errorf("with %q: %d, want %d", has, got, want)
		}
	}
}

func TestDriftIsToldOnceAnHour(t *testing.T) {
	t.Parallel()
	var d drift
	var told []string
	for i := range 20 {
		if n, tell := d.count(noon.Add(time.Duration(i) * 10 * time.Minute)); tell {
			told = append(told, fmt.Sprint(i, ":", n))
		}
	}
	if got := fmt.Sprint(told); got != "[3:4 9:6 15:6]" {
		t.Errorf("told at %s", got)
	}
	if s := d.status(noon.Add(3*time.Hour + 10*time.Minute)); s.Total != 20 || s.LastHour != 6 {
		t.Errorf("%+v", s)
	}
}
