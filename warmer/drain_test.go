package warmer_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/warmer"
)

func (s *scene) drain(host string) {
	s.t.Helper()
	if err := s.w.Pause(context.Background(), warmer.Placing, host, "ana"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) undrain(host string) {
	s.t.Helper()
	if err := s.w.Resume(context.Background(), warmer.Placing, host, "ana"); err != nil {
		s.t.Fatal(err)
	}
}

func TestADrainedHostIsWarmedAndNotWaitedFor(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a", "b"}, func(s *scene) {
		s.drain("b")
		s.hosts["b"].HoldPulls()
		one := s.live(1)
		s.hosts["b"].ReleasePulls()
		s.settle(time.Second)
		s.expectState("b", warmer.StateWarm)
		expect := func(warm []string, cold map[string]string) {
			t.Helper()
			gotWarm, gotCold := s.w.WarmHosts("jobs", one)
			if diff := cmp.Diff(warm, gotWarm) + cmp.Diff(cold, gotCold); diff != "" {
				t.Error(diff)
			}
		}
		expect([]string{"a"}, map[string]string{"b": "drained"})
		s.stop()
		s.start() // it is remembered
		s.settle(time.Second)
		expect([]string{"a"}, map[string]string{"b": "drained"})
		for _, h := range s.w.Hosts() {
			if h.Drained != (h.Name == "b") {
				t.Errorf("%+v", h)
			}
		}
		s.undrain("b")
		expect([]string{"a", "b"}, map[string]string{})
		var did []string
		for _, a := range s.store.acts {
			did = append(did, strings.Join([]string{a.Who, string(a.Verb), a.Detail}, " "))
		}
		if diff := cmp.Diff([]string{"ana drain host b", "ana undrain host b"}, did); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNothingIsPromotedWhereAllHostsAreDrained(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		one := s.live(1)
		s.drain("a")
		two := s.push(2)
		s.check()
		s.settle(time.Hour)
		s.expectCurrent(one)
		s.expectState("a", warmer.StateWarm)
		s.undrain("a")
		s.settle(time.Second)
		s.expectCurrent(two)
	})
}

func TestAFirstPromotionSaysThatItsHostsAreDrained(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		s.drain("a")
		s.push(1)
		s.check()
		s.settle(time.Minute)
		if _, _, _, err := s.w.Resolve("jobs"); problem.CodeOf(err) != problem.NoCurrent || !strings.Contains(err.Error(), "a: drained") {
			t.Errorf("got %v", err)
		}
	})
}

// A rollback takes what is warm where runs may go, not on a host that is being
// taken away.
func TestARollbackDoesNotTrustADrainedHost(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a", "b"}, func(s *scene) { s.entry.Policy.Keep = 0 }, func(s *scene) {
		one := s.live(1)
		two := s.live(2)
		s.hosts["b"].Forget(one)
		s.settle(2 * time.Minute)
		s.drain("a")
		s.hosts["b"].HoldPulls()
		if r := s.rollback(""); r.Phase != warmer.Warming {
			t.Errorf("at once: %+v", r)
		}
		s.settle(time.Minute)
		s.expectCurrent(two)
		s.hosts["b"].ReleasePulls()
		s.settle(time.Second)
		s.expectCurrent(one)
	})
}

func TestDrainRefuses(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		for host, want := range map[string]problem.Code{"": problem.InvalidRequest, "nope": problem.HostNotManaged} {
			if err := s.w.Pause(context.Background(), warmer.Placing, host, "ana"); problem.CodeOf(err) != want {
				t.Errorf("%q: got %v, want %s", host, err, want)
			}
		}
		s.drain("a")
		s.drain("a") // twice is once
		if all := s.w.Pauses(); !slices.EqualFunc(all, []string{"a"}, func(p warmer.Pause, host string) bool { return p.What == warmer.Placing && p.Host == host }) {
			t.Errorf("%+v", all)
		}
	})
}

func TestFactsOfAHost(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { s.hosts["a"].SetClockOffset(3 * time.Second) }, func(s *scene) {
		s.settle(time.Second)
		got, ok := s.w.Facts("a")
		if got.Marker == "" || !ok {
			t.Fatalf("%+v %v", got, ok)
		}
		want := warmer.HostFacts{Marker: got.Marker, Known: true, Reachable: true, Platform: amd64, CPUs: 2, Memory: 4 << 30, ClockOffset: 3 * time.Second}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		s.hosts["a"].SetDown(true)
		s.settle(time.Minute)
		want.Reachable = false // and the rest is what it was
		if got, ok := s.w.Facts("a"); got != want || !ok {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got, ok := s.w.Facts("nope"); ok {
			t.Errorf("of no host: %+v", got)
		}
	})
}
