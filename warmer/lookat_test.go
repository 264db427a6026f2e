package warmer_test

import (
	"context"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// A look for a hint costs what the hint is about, and no more.
func TestLookAtCostsWhatWasNamed(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { newest(s, 2) }, func(s *scene) {
		s.push(1)
		s.tags.list("1.0.0", "1.1.0")
		s.check()
		s.settle(time.Second)
		look := func(listings, resolved, found int, tags ...string) {
			t.Helper()
			listed, asked := s.tags.listings, s.tags.resolved
			all, err := s.w.LookAt(context.Background(), "jobs", tags)
			if err != nil || len(all) != found {
				t.Errorf("%q: found %+v, %v", tags, all, err)
			}
			if l, r := s.tags.listings-listed, s.tags.resolved-asked; l != listings || r != resolved {
				t.Errorf("%q: %d listings and %d requests for tags, want %d and %d", tags, l, r, listings, resolved)
			}
		}
		look(0, 1, 1, "1.0.0")
		look(0, 2, 2, "1.0.0", "1.1.0")
		look(1, 2, 2)
		look(1, 0, 0, "1.2.0") // nobody lists it
		s.tags.list("1.0.0", "1.1.0", "1.2.0")
		look(1, 1, 1, "1.2.0")
		look(0, 1, 1, "1.2.0")
	})
}

func TestLookAtTellsWhatFails(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { newest(s, 1) }, func(s *scene) {
		s.push(1)
		s.tags.list("1.0.0")
		s.check()
		s.tags.set(registry.Pin{}, problem.New(problem.RegistryUnavailable, "it is down", ""))
		if _, err := s.w.LookAt(context.Background(), "jobs", []string{"1.0.0"}); problem.CodeOf(err) != problem.RegistryUnavailable {
			t.Errorf("a tag: %v", err)
		}
		if _, err := s.w.LookAt(context.Background(), "jobs", []string{"2.0.0"}); problem.CodeOf(err) != problem.RegistryUnavailable {
			t.Errorf("a listing: %v", err)
		}
		if _, err := s.w.LookAt(context.Background(), "nobody", []string{"1.0.0"}); problem.CodeOf(err) != problem.ImageNotManaged {
			t.Errorf("no image: %v", err)
		}
	})
}

func TestWhichTagsAnImageTakes(t *testing.T) {
	t.Parallel()
	expect := func(s *scene, image string, want map[string]bool) {
		t.Helper()
		for tag, takes := range want {
			if s.w.Takes(image, tag) != takes {
				t.Errorf("%s takes %q: %t", image, tag, !takes)
			}
		}
	}
	configured(t, []string{"a"}, func(s *scene) { newest(s, 2) }, func(s *scene) {
		expect(s, "jobs", map[string]bool{"1.0.0": true, "latest": false, "": false})
		s.push(1)
		s.tags.list("1.0.0", "1.1.0")
		s.check()
		expect(s, "jobs", map[string]bool{"1.0.0": true, "1.1.0": true, "1.2.0": true, "0.9.0": false, "latest": false})
		expect(s, "nobody", map[string]bool{"1.0.0": false})
	})
	configured(t, []string{"a"}, func(*scene) {}, func(s *scene) {
		expect(s, "jobs", map[string]bool{"latest": true, "1.0.0": false, "": false})
	})
}

// An engine that tells of removals without end (builds, or malice) is not looked at
// without end.
func TestAnEngineThatTellsOfRemovalsWithoutEnd(t *testing.T) {
	t.Parallel()
	var a *quirk
	configured(t, []string{"a"}, func(s *scene) {
		a = s.odd("a")
		a.chatty, a.slow = true, 10*time.Millisecond
	}, func(s *scene) {
		s.live(1)
		before := a.looks.Load()
		s.settle(20 * time.Second)
		if n := a.looks.Load() - before; n < 50 || n > 110 {
			t.Errorf("its image was looked at %d times in 20 seconds", n)
		}
		s.hosts["a"].Forget(s.current())
		s.settle(time.Second) // still seen at once
		s.expectState("a", warmer.StateWarm)
	})
}
