package warmer_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/warmer"
)

func TestImagesInNumbers(t *testing.T) {
	t.Parallel()
	inTime(t, three, func(s *scene) {
		expect := func(want warmer.ImageCount) {
			t.Helper()
			want.Image = "jobs"
			if diff := cmp.Diff([]warmer.ImageCount{want}, s.w.ImageCounts()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		s.settle(time.Second)
		expect(warmer.ImageCount{Wanted: 3}) // nothing is current, so nothing is warm

		s.live(1)
		promoted := s.w.Images()[0].Tracks[0].Current.Promoted
		expect(warmer.ImageCount{Wanted: 3, Warm: 3, Promoted: promoted})

		s.hosts["c"].SetDown(true)
		s.settle(time.Minute)
		expect(warmer.ImageCount{Wanted: 3, Warm: 2, Unreached: 1, Promoted: promoted})

		s.hosts["b"].HoldPulls()
		s.push(2)
		s.check()
		if err := s.w.Hold(context.Background(), "jobs", "ana"); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Second)
		expect(warmer.ImageCount{Wanted: 3, Warm: 2, Unreached: 1, Coming: 1, Stopped: true, Promoted: promoted})
		s.hosts["b"].ReleasePulls()
	})
}

// A host that the image has nothing for is not asked to have it.
func TestAHostOfAnotherPlatformIsNotCounted(t *testing.T) {
	t.Parallel()
	inTime(t, three, func(s *scene) {
		s.hosts["d"], s.present["d"] = dockertest.NewFake(dockertest.Options{Name: "d", Platform: arm64}), true
		s.reconfigure()
		s.live(1)
		if n := s.w.ImageCounts()[0]; n.Wanted != 3 || n.Warm != 3 || n.Unreached != 0 {
			t.Errorf("%+v", n)
		}
	})
}

func TestHostsInNumbers(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a", "b"}, func(s *scene) {
		s.rules = warmer.PruneRules{Budget: 5_000_000, Marks: func(total int64, _ bool) (high, low int64) { return total / 2, total / 4 }}
		s.hosts["a"].SetDisk(warmer.Disk{Free: 700_000, Total: 1_000_000})
		s.hosts["b"].SetDown(true)
		s.reconfigure()
		s.drain("b")
		s.settle(time.Minute)
		got := s.w.HostCounts()
		want := []warmer.HostCount{
			{Name: "a", Contact: warmer.Reachable, Pulls: 2, Disk: warmer.Disk{Free: 700_000, Total: 1_000_000}, High: 500_000, Budget: 5_000_000},
			{Name: "b", Contact: warmer.Unreachable, Pulls: 2, Drained: true, Images: -1, Budget: 5_000_000},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		s.hosts["a"].HoldPulls()
		s.push(1)
		s.check()
		s.settle(time.Second)
		if n := s.w.HostCounts()[0]; n.Pulling != 1 {
			t.Errorf("%+v", n)
		}
		s.hosts["a"].ReleasePulls()
	})
}
