package warmer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/schedule"
	"github.com/prewarm/prewarm/internal/selection"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// journal is a log that is read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) count(words string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.b.String(), words)
}

func logged(s *scene) *journal {
	j := &journal{}
	s.opts.Logger = slog.New(slog.NewTextHandler(j, nil))
	return j
}

// An engine that tells of a removal is looked at within no time.
func TestAnEventRepairsAtOnce(t *testing.T) {
	t.Parallel()
	inTime(t, three, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Minute + time.Second)
		s.hosts["b"].Forget(one)
		s.settle(time.Millisecond)
		s.expectState("b", warmer.StateWarm)
		if n := s.hosts["b"].Pulls(one); n != 2 {
			t.Errorf("%d pulls", n)
		}
		for _, h := range s.w.Hosts() {
			if want := map[string]int{"b": 1}[h.Name]; h.Drift.Total != want || h.Drift.LastHour != want {
				t.Errorf("%s: %+v", h.Name, h.Drift)
			}
		}
	})
}

// Events get lost; the next look does not.
func TestALostEventCostsAMinute(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Minute)
		s.hosts["a"].MuteEvents(true)
		s.hosts["a"].Forget(one)
		s.settle(time.Minute + time.Second)
		s.expectState("a", warmer.StateWarm)
	})
}

func TestTooMuchDriftNamesTheLikelyCause(t *testing.T) {
	t.Parallel()
	var j *journal
	configured(t, []string{"a"}, func(s *scene) { j = logged(s) }, func(s *scene) {
		one := s.push(1)
		s.check()
		for range 6 {
			s.settle(5 * time.Minute)
			s.hosts["a"].Forget(one)
		}
		s.settle(time.Minute)
		if n := j.count("docker system prune"); n != 1 {
			t.Errorf("told %d times in half an hour", n)
		}
	})
}

func TestAnotherEngineUnderTheSameName(t *testing.T) {
	t.Parallel()
	var j *journal
	configured(t, []string{"a"}, func(s *scene) { j = logged(s) }, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		s.stop()
		s.hosts["a"].Wipe()
		s.start()
		s.settle(time.Minute)
		if warm, _ := s.w.WarmHosts("jobs", one); len(warm) != 1 {
			t.Error("the new engine was not warmed")
		}
		if j.count("another engine answers") != 1 {
			t.Errorf("not told:\n%s", &j.b)
		}
	})
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a", "b"}, func(s *scene) {
		ctx := context.Background()
		if err := s.w.Pause(ctx, warmer.Pulling, "a", "ana"); err != nil {
			t.Fatal(err)
		}
		one := s.push(1)
		s.check()
		s.settle(time.Minute)
		s.expectState("a", warmer.StateWaiting)
		s.expectState("b", warmer.StateWarm)
		s.stop()
		s.start() // a restart does not resume
		s.settle(time.Minute)
		if n := s.hosts["a"].Pulls(one); n != 0 {
			t.Fatalf("%d pulls on a paused host", n)
		}
		if p := s.w.Pauses(); len(p) != 1 || p[0].Who != "ana" || p[0].Host != "a" {
			t.Errorf("pauses: %+v", p)
		}
		if err := s.w.Resume(ctx, warmer.Pulling, "a", "ben"); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Second)
		s.expectCurrent(one)
		for _, c := range []struct {
			what warmer.Activity
			host string
			want problem.Code
		}{
			{"sleeping", "", problem.InvalidRequest},
			{warmer.Watching, "a", problem.InvalidRequest},
			{warmer.Pulling, "nope", problem.HostNotManaged},
		} {
			if err := s.w.Pause(ctx, c.what, c.host, "ana"); problem.CodeOf(err) != c.want {
				t.Errorf("pause %s on %q: %v", c.what, c.host, err)
			}
		}
	})
}

func TestWatchingIsPausedForTheFleet(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		paused, changed := s.w.Paused(warmer.Watching)
		if paused {
			t.Error("paused from the start")
		}
		if err := s.w.Pause(context.Background(), warmer.Watching, "", "ana"); err != nil {
			t.Fatal(err)
		}
		<-changed
		if paused, _ := s.w.Paused(warmer.Watching); !paused {
			t.Error("not paused")
		}
	})
}

// newest makes the entry follow the newest versions.
func newest(s *scene, n int) {
	spec, err := selection.New(selection.Options{Include: `^\d+\.\d+\.\d+$`, Newest: n})
	if err != nil {
		s.t.Fatal(err)
	}
	s.entry.Tag, s.entry.Select = "", spec
}

func (s *scene) tracked() string {
	i, err := s.w.Image("jobs")
	if err != nil {
		s.t.Fatal(err)
	}
	var tags []string
	for _, t := range i.Tracks {
		tags = append(tags, t.Track.ID.Tag)
	}
	return strings.Join(tags, " ")
}

func TestNewestThreeAreEachRunnable(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { newest(s, 3) }, func(s *scene) {
		if _, _, _, err := s.w.Resolve("jobs"); problem.CodeOf(err) != problem.NoCurrent || !strings.Contains(err.Error(), "have not been listed yet") {
			t.Errorf("before the first look: %v", err)
		}
		one := s.push(1)
		s.tags.list("1.0.0", "1.1.0", "1.2.0", "0.9.0", "latest")
		s.check()
		s.settle(time.Second)
		if got := s.tracked(); got != "1.2.0 1.1.0 1.0.0" {
			t.Fatalf("tracked: %s", got)
		}
		for _, name := range []string{"jobs", "jobs:1.2.0", "jobs:1.1.0", "jobs:1.0.0", repository + ":1.0.0"} {
			if _, _, pin, err := s.w.Resolve(name); err != nil || pin != one {
				t.Errorf("%s: %v %v", name, pin, err)
			}
		}
		if _, _, _, err := s.w.Resolve("jobs:0.9.0"); problem.CodeOf(err) != problem.ImageNotManaged {
			t.Errorf("a tag that was not chosen: %v", err)
		}

		// A new version: the oldest stays until the new one is current.
		two := s.push(2)
		s.hosts["a"].HoldPulls()
		s.tags.list("1.0.0", "1.1.0", "1.2.0", "1.3.0")
		s.check()
		s.settle(time.Minute)
		if got := s.tracked(); got != "1.3.0 1.2.0 1.1.0 1.0.0" {
			t.Fatalf("tracked while the newest is on its way: %s", got)
		}
		if _, _, pin, err := s.w.Resolve("jobs"); err != nil || pin != one {
			t.Errorf("the bare name means %v %v before the newest is warm", pin, err)
		}
		if _, _, pin, err := s.w.Resolve("jobs:1.0.0"); err != nil || pin != one {
			t.Errorf("the oldest: %v %v", pin, err)
		}
		s.hosts["a"].ReleasePulls()
		s.settle(time.Second)
		if got := s.tracked(); got != "1.3.0 1.2.0 1.1.0" {
			t.Fatalf("tracked: %s", got)
		}
		if _, _, pin, _ := s.w.Resolve("jobs"); pin != two {
			t.Errorf("the bare name means %v", pin)
		}
		s.stop()
		s.start() // what was chosen is known before the first look
		if got := s.tracked(); got != "1.3.0 1.2.0 1.1.0" {
			t.Fatalf("tracked after a restart: %s", got)
		}
	})
}

func TestAVanishedTagBringsNoOlderOneBack(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { newest(s, 1) }, func(s *scene) {
		one := s.push(1)
		s.tags.list("1.0.0", "1.1.0")
		s.check()
		s.settle(time.Second)
		s.tags.list("1.0.0")
		s.check()
		s.settle(time.Hour)
		if got := s.tracked(); got != "1.1.0" {
			t.Fatalf("tracked: %s", got)
		}
		s.expectCurrent(one)
		s.tags.list()
		s.check() // a registry that lists nothing is not believed either
		s.settle(time.Second)
		s.expectCurrent(one)
	})
}

func TestListingsAreSparse(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { newest(s, 1) }, func(s *scene) {
		s.push(1)
		s.tags.list("1.0.0")
		for range 30 {
			if _, err := s.w.Look(context.Background(), "jobs"); err != nil {
				t.Fatal(err)
			}
		}
		if s.tags.listings != 3 || s.tags.resolved != 30 {
			t.Errorf("%d listings, %d looks at tags", s.tags.listings, s.tags.resolved)
		}
		s.check() // a person is told what is there now
		if s.tags.listings != 4 {
			t.Errorf("%d listings", s.tags.listings)
		}
	})
}

// Hosts that share a cache: one goes first, whatever becomes of it.
func TestSeedThenFanOut(t *testing.T) {
	t.Parallel()
	var names []string
	for n := range 8 {
		names = append(names, fmt.Sprint("h", n))
	}
	seeded := func(s *scene) {
		s.opts.Registries = map[string]warmer.RegistryRules{"registry.test": {Seed: true}}
	}
	pulling := func(s *scene) (n int) {
		for _, h := range s.hosts {
			n += h.Pulls(s.tags.latest)
		}
		return n
	}
	t.Run("it goes well", func(t *testing.T) {
		t.Parallel()
		configured(t, names, seeded, func(s *scene) {
			for _, h := range s.hosts {
				h.SetPullSpeed(110) // 10 s
			}
			one := s.push(1)
			s.check()
			s.settle(9 * time.Second)
			if n := pulling(s); n != 1 {
				t.Fatalf("%d hosts pull at once", n)
			}
			s.settle(2 * time.Second)
			if n := pulling(s); n != 8 {
				t.Fatalf("%d hosts pull after the seed", n)
			}
			s.settle(10 * time.Second)
			s.expectCurrent(one)
		})
	})
	t.Run("the seed hangs", func(t *testing.T) {
		t.Parallel()
		configured(t, names, seeded, func(s *scene) {
			s.hosts["h0"].HoldPulls()
			one := s.push(1)
			s.check()
			s.settle(29 * time.Second)
			if n := pulling(s); n != 1 {
				t.Fatalf("%d hosts pull at once", n)
			}
			s.settle(2 * time.Second)
			for _, name := range names[1:] {
				if warm, _ := s.w.WarmHosts("jobs", one); len(warm) != 7 {
					t.Fatalf("%s and others wait for a dead seed: warm on %v", name, warm)
				}
			}
			s.hosts["h0"].ReleasePulls()
		})
	})
	t.Run("the seed dies", func(t *testing.T) {
		t.Parallel()
		configured(t, names, seeded, func(s *scene) {
			s.hosts["h0"].SetPullSpeed(100)
			one := s.push(1)
			s.check()
			s.settle(time.Second)
			s.hosts["h0"].SetDown(true)
			s.settle(20 * time.Second)
			s.expectCurrent(one)
		})
	})
	t.Run("the seed fails", func(t *testing.T) {
		t.Parallel()
		configured(t, names, seeded, func(s *scene) {
			one := s.push(1)
			s.hosts["h0"].FailPull(one, problem.New(problem.NoSpace, "disk full", ""), -1)
			s.check()
			s.settle(time.Second)
			if warm, _ := s.w.WarmHosts("jobs", one); len(warm) != 7 {
				t.Fatalf("warm on %v", warm)
			}
		})
	})
}

func TestAPullThatCanNotFitIsNotTried(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a", "b"}, func(s *scene) {
		s.hosts["a"].SetDisk(warmer.Disk{Free: 1999, Total: 10000}) // the layer of 1000 bytes needs 2000
		s.hosts["b"].SetDisk(warmer.Disk{Free: 2000, Total: 10000})
	}, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Minute)
		c := s.expectState("a", warmer.StateFailed)
		if !strings.Contains(c.Reason, "the disk has 1.952KiB free") {
			t.Errorf("told %q", c.Reason)
		}
		s.expectState("b", warmer.StateWarm)
		if n := s.hosts["a"].Pulls(one); n != 0 {
			t.Errorf("%d pulls in vain", n)
		}
		s.hosts["a"].SetDisk(warmer.Disk{Free: 5000, Total: 10000})
		s.settle(11 * time.Minute)
		s.expectState("a", warmer.StateWarm)
	})
}

func TestGoneUpstream(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a", "b"}, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		gone := problem.New(problem.TagNotFound, "pull: the registry has no such digest", "")
		s.hosts["b"].FailPull(one, gone, -1)
		s.hosts["b"].Wipe()
		s.settle(2 * time.Minute)
		s.expectState("b", warmer.StateGone)
		s.expectCurrent(one)
		tries := s.hosts["b"].Pulls(one)
		s.settle(3 * time.Hour)
		if again := s.hosts["b"].Pulls(one) - tries; again < 2 || again > 3 {
			t.Errorf("%d tries in three hours, want one an hour", again)
		}
	})
}

func TestRetag(t *testing.T) {
	t.Parallel()
	configured(t, three, func(s *scene) { s.entry.Policy.Retag = true }, func(s *scene) {
		expect := func(want registry.Pin) {
			t.Helper()
			for name, h := range s.hosts {
				c, ok, err := h.Inspect(context.Background(), want)
				if err != nil || !ok || len(c.Tags) != 1 || c.Tags[0] != "latest" {
					t.Errorf("%s: %+v %v %v", name, c, ok, err)
				}
			}
		}
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		expect(one)
		two := s.push(2)
		s.hosts["b"].HoldPulls()
		s.check()
		s.settle(time.Minute)
		expect(one) // not before it is current
		s.hosts["b"].ReleasePulls()
		s.settle(time.Second)
		expect(two)
		s.settle(time.Hour)
		if _, err := s.w.Rollback(context.Background(), "jobs", "", "ana"); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Second)
		expect(one)
	})
}

func TestTheFleetsLimitHolds(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a", "b", "c", "d", "e"}, func(s *scene) { s.opts.Pulls = 2 }, func(s *scene) {
		for _, h := range s.hosts {
			h.SetPullSpeed(100)
		}
		one := s.push(1)
		s.check()
		most := 0
		for range 60 {
			s.settle(time.Second)
			now := 0
			for _, h := range s.w.Hosts() {
				now += h.Pulling
			}
			most = max(most, now)
		}
		if most != 2 {
			t.Errorf("%d pulls at once", most)
		}
		s.expectCurrent(one)
	})
}

func TestProgressTellsRateAndRest(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		s.hosts["a"].SetPullSpeed(50) // 20 s and more
		s.push(1)
		s.check()
		s.settle(10 * time.Second)
		c := s.expectState("a", warmer.StatePulling)
		if c.Rate < 25 || c.Rate > 100 || c.Remaining() < 3*time.Second || c.Remaining() > 30*time.Second {
			t.Errorf("%.0f B/s, %s left, %+v", c.Rate, c.Remaining(), c.Progress)
		}
	})
}

// Outside of its window a new digest waits, until a person asks for it.
func TestAPersonNeedNotWaitForTheWindow(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) {
		w, err := schedule.ParseWindow(schedule.WindowOptions{From: "20:00", To: "22:00", Zone: "UTC"})
		if err != nil {
			t.Fatal(err)
		}
		s.entry.Policy.Pulls = schedule.Windows{w} // it is midnight
	}, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Hour)
		s.expectState("a", warmer.StateWaiting)
		if _, err := s.w.Rewarm("jobs", nil); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Second)
		s.expectCurrent(one)
		two := s.push(2)
		s.check()
		s.settle(18 * time.Hour)
		s.expectCurrent(one)
		s.settle(2 * time.Hour)
		s.expectCurrent(two)
	})
}

// What somebody asks for again, or what can't get its tag, is warm all the same;
// and its keep-tag does not wait for the other.
func TestATagThatCanNotBeMovedMakesNothingCold(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(s *scene) error{
		"somebody asks again": func(s *scene) error { _, err := s.w.Rewarm("jobs", nil); return err },
		"it fails for long":   func(s *scene) error { s.settle(30 * time.Minute); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			configured(t, []string{"a"}, func(s *scene) {
				s.odd("a").publish = errors.New("read-only")
				s.entry.Policy.Retag = true
			}, func(s *scene) {
				one := s.live(1)
				if err := happens(s); err != nil {
					t.Fatal(err)
				}
				if warm, cold := s.w.WarmHosts("jobs", one); len(warm) != 1 {
					t.Errorf("the copy is there; told %v", cold)
				}
				s.settle(time.Minute)
				s.hosts["a"].Untag(one)
				s.settle(2 * time.Minute)
				if c, ok, err := s.hosts["a"].Inspect(context.Background(), one); !c.Kept {
					t.Errorf("two minutes after its keep-tag went: %+v %v %v", c, ok, err)
				}
			})
		})
	}
}

// A copy that somebody else brought is kept at once, though the registry has it
// no more.
func TestWhatWasGoneAndIsFoundIsKept(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a", "b"}, func(s *scene) {
		one := s.push(1)
		s.hosts["b"].FailPull(one, problem.New(problem.TagNotFound, "pull: the registry has no such digest", ""), -1)
		s.check()
		s.settle(time.Minute)
		s.expectState("b", warmer.StateGone)
		s.hosts["b"].Load(one)
		s.settle(2 * time.Minute)
		if c, ok, err := s.hosts["b"].Inspect(context.Background(), one); !c.Kept {
			t.Errorf("%+v %v %v", c, ok, err)
		}
	})
}

// Only the first question of a look has to be answered in time: 160 images of a
// second each are no reason to give a host up.
func TestAHostWithManyImagesIsNotTakenForDead(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { s.odd("a").slow = time.Second }, func(s *scene) {
		setup := s.setup()
		setup.Entries = nil
		for n := range 160 {
			e := s.entry
			e.Image = fmt.Sprint("jobs", n)
			setup.Entries = append(setup.Entries, e)
		}
		s.w.Reconfigure(setup)
		for n, e := range setup.Entries {
			s.push(n)
			if _, err := s.w.Check(context.Background(), e.Image); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 300 {
			s.settle(time.Second)
			if h := s.w.Hosts()[0]; h.Contact != warmer.Reachable {
				t.Fatalf("%s after %d s: %v", h.Contact, n, h.Err)
			}
		}
	})
}

// Two entries for one engine that are two engines later: the one that did not
// move is looked at again, too.
func TestDuplicatesThatPartAreWarmedAgain(t *testing.T) {
	t.Parallel()
	var moves *quirk
	configured(t, three, func(s *scene) {
		s.on = []string{"a", "c"}
		s.odd("a").mark("same")
		moves = s.odd("b")
		moves.mark("same")
	}, func(s *scene) {
		s.settle(time.Minute)
		one := s.push(1)
		s.check()
		s.settle(time.Minute)
		s.expectState("a", warmer.StateDuplicate)
		moves.mark("another")
		s.settle(2 * time.Minute)
		if warm, cold := s.w.WarmHosts("jobs", one); len(warm) != 2 {
			t.Errorf("warm on %v, cold on %v", warm, cold)
		}
	})
}
