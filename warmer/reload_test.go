package warmer_test

import (
	"context"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/warmer"
)

func TestAReloadChangesTheTagWithoutAGap(t *testing.T) {
	t.Parallel()
	inTime(t, three, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		two := s.push(2)
		s.hosts["b"].HoldPulls()
		s.entry.Tag = "stable"
		s.reconfigure()
		s.check()
		s.settle(time.Minute)
		s.expectCurrent(one)
		if got := s.tracked(); got != "stable latest" {
			t.Errorf("tracked: %s", got)
		}
		s.stop()
		s.start() // nor does a restart make one
		s.expectCurrent(one)
		s.hosts["b"].ReleasePulls()
		s.settle(time.Second)
		s.expectCurrent(two)
		if got := s.tracked(); got != "stable" {
			t.Errorf("tracked: %s", got)
		}
	})
}

func TestAReloadDropsNoPull(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a", "b"}, func(s *scene) {
		one := s.push(1)
		s.hosts["a"].SetPullSpeed(100) // some 10 s
		s.check()
		s.settle(5 * time.Second)
		gone := s.hosts["b"]
		delete(s.hosts, "b")
		s.join("c")
		s.push(1)
		s.reconfigure()
		s.settle(10 * time.Second)
		s.expectCurrent(one)
		if n := s.hosts["a"].Pulls(one); n != 1 {
			t.Errorf("%d pulls on a host that a reload did not concern", n)
		}
		s.expectState("c", warmer.StateWarm)
		gone.Forget(one)
		s.settle(time.Hour)
		if n := gone.Pulls(one); n != 1 {
			t.Errorf("%d pulls on a host that is no longer there", n)
		}
	})
}

// What is known of an image holds again once it is back: with the store that
// refuses a second current digest, which would hold up every other image.
func TestAnImageThatComesBackGoesOn(t *testing.T) {
	t.Parallel()
	var disk *store.Store
	var j *journal
	configured(t, []string{"a"}, func(s *scene) {
		var err error
		if disk, err = store.Open(context.Background(), t.TempDir()); err != nil {
			t.Fatal(err)
		}
		s.opts.Store, j = disk, logged(s)
	}, func(s *scene) {
		defer func() {
			s.stop()
			s.stop = func() {}
			if err := disk.Close(); err != nil {
				t.Error(err)
			}
		}()
		both := s.setup()
		other := both.Entries[0]
		other.Image = "other"
		both.Entries = append(both.Entries, other)
		alone := both
		alone.Entries = both.Entries[1:]

		s.w.Reconfigure(both)
		one := s.push(1)
		look := func(images ...string) {
			for _, image := range images {
				if _, err := s.w.Check(context.Background(), image); err != nil {
					t.Fatal(err)
				}
			}
			s.settle(3 * time.Second)
		}
		look("jobs", "other")
		s.expectCurrent(one)
		s.w.Reconfigure(alone)
		s.settle(time.Second)
		s.w.Reconfigure(both)
		look("jobs")
		s.expectCurrent(one)
		two := s.push(2)
		look("other")
		if _, _, pin, err := s.w.Resolve("other"); pin != two {
			t.Errorf("another image is stuck: %v %v", pin, err)
		}
		if j.count("not written down") > 0 {
			t.Errorf("log:\n%s", &j.b)
		}
	})
}

// Neither a hold nor a rejection is forgotten while an image is not configured.
func TestAnImageThatComesBackIsTrustedNoMore(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		one := s.live(1)
		two := s.live(2)
		s.rollback("")
		if err := s.w.Hold(context.Background(), "jobs", "ana"); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Minute)
		s.expectCurrent(one)
		for _, removed := range []bool{true, false} {
			s.removed = removed
			s.reconfigure()
			s.settle(time.Minute)
		}
		s.check() // the tag still shows two
		s.settle(time.Hour)
		if i, err := s.w.Image("jobs"); err != nil || i.State.HeldAt.IsZero() {
			t.Errorf("the hold is forgotten: %+v %v", i.State, err)
		}
		if err := s.w.Unhold(context.Background(), "jobs", "ana"); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Hour)
		if s.current() == two {
			t.Error("the rejected digest is current")
		}
	})
}

// The tags of one repository say nothing of another, also where it was changed
// between two lives.
func TestAnotherRepositoryHasTagsOfItsOwn(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { newest(s, 1) }, func(s *scene) {
		s.push(1)
		s.tags.list("9.0.0")
		s.check()
		s.settle(time.Second)
		s.stop()
		s.repository = "registry.test/other/jobs"
		s.push(7)
		s.tags.list("1.0.0")
		s.start()
		s.check()
		s.settle(time.Minute)
		if got := s.tracked(); got != "1.0.0" {
			t.Errorf("follows %q of a repository that has 1.0.0 only", got)
		}
	})
}
