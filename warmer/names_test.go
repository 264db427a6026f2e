package warmer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestNamingAnImage(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		for _, name := range []string{"jobs", "jobs:latest", repository, repository + ":latest", one.String()} {
			if image, track, pin, err := s.w.Resolve(name); err != nil || image != "jobs" || track != "jobs:latest" || pin != one {
				t.Errorf("%s: got %s %s %v %v", name, image, track, pin, err)
			}
		}
		for name, want := range map[string]struct {
			code  problem.Code
			words []string
		}{
			"job":               {problem.ImageNotManaged, []string{"nearest: jobs", "{name: job, repository: registry.example.com/team/job, track: {tag: latest}}"}},
			"other/app:1.2":     {problem.ImageNotManaged, []string{"{name: app, repository: docker.io/other/app, track: {tag: 1.2}}"}},
			"jobs:Other_1":      {problem.ImageNotManaged, []string{"nearest: jobs", "{name: jobs-other-1, repository: " + repository + ", track: {tag: Other_1}}"}},
			"jobs@sha256:12":    {problem.ImageNotManaged, []string{"named with its repository: " + repository + "@sha256:12"}},
			repository + ":old": {problem.ImageNotManaged, nil},
			repository + "@sha256:" + strings.Repeat("f", 64): {problem.DigestNotManaged, []string{"neither current nor kept for a rollback of jobs:latest"}},
			"":        {problem.ImageNotManaged, nil},
			"UPPER//": {problem.ImageNotManaged, nil},
		} {
			_, _, pin, err := s.w.Resolve(name)
			if problem.CodeOf(err) != want.code || !pin.IsZero() {
				t.Errorf("%q: got %v %v, want %s", name, pin, err, want.code)
				continue
			}
			told := err.Error() + " " + problem.From(err).Mend
			for _, word := range want.words {
				if !strings.Contains(told, word) {
					t.Errorf("%q: %q lacks %q", name, told, word)
				}
			}
		}
	})
}

func TestNoCurrentSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		expect := func(words string) {
			t.Helper()
			_, _, _, err := s.w.Resolve("jobs")
			if problem.CodeOf(err) != problem.NoCurrent || !strings.Contains(err.Error(), words) {
				t.Errorf("got %v, want %q", err, words)
			}
		}
		expect("has not been looked at yet")
		s.tags.set(s.push(1), problem.New(problem.RegistryAuth, "the registry says no", ""))
		_, _ = s.w.Check(context.Background(), "jobs") // its error is what we look for
		expect("the registry says no")
		s.hosts["a"].HoldPulls()
		s.push(1)
		s.check()
		s.settle(time.Second)
		expect("a: pulling")
		s.hosts["a"].ReleasePulls()
	})
}

func TestRewarmRefuses(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		for _, c := range []struct {
			image string
			hosts []string
			want  problem.Code
		}{
			{"nope", nil, problem.ImageNotManaged},
			{"jobs", []string{"nope"}, problem.HostNotManaged},
			{"jobs", nil, problem.NoCurrent},
		} {
			if _, err := s.w.Rewarm(c.image, c.hosts); problem.CodeOf(err) != c.want {
				t.Errorf("%s on %v: got %v, want %s", c.image, c.hosts, err, c.want)
			}
		}
	})
}

func TestFreshAsksTheRegistry(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		ctx := context.Background()
		one := s.live(1)
		two := s.push(2) // which nobody has looked at
		for _, name := range []string{"jobs", "jobs:latest", repository + ":latest"} {
			image, track, pin, err := s.w.Fresh(ctx, name)
			if err != nil || image != "jobs" || track != "jobs:latest" || pin != two {
				t.Errorf("%s: got %s %s %v %v", name, image, track, pin, err)
			}
		}
		if _, _, pin, err := s.w.Resolve("jobs"); err != nil || pin != one {
			t.Errorf("by name before it is warm: %v %v", pin, err)
		}
		if all, _ := s.store.Rollouts(ctx); len(all) != 2 || all[1].Pin != two {
			t.Errorf("not written down: %+v", all)
		}
		asked := s.tags.resolved
		if _, _, pin, err := s.w.Fresh(ctx, one.String()); err != nil || pin != one || s.tags.resolved != asked {
			t.Errorf("a digest: %v %v, %d requests", pin, err, s.tags.resolved-asked)
		}
		s.tags.set(two, problem.New(problem.RegistryUnavailable, "look at jobs: the registry is down", ""))
		image, track, pin, err := s.w.Fresh(ctx, "jobs")
		if problem.CodeOf(err) != problem.RegistryUnavailable || image != "jobs" || track != "jobs:latest" || !pin.IsZero() {
			t.Errorf("got %s %s %v %v", image, track, pin, err)
		}
		if _, _, _, err := s.w.Fresh(ctx, "nope"); problem.CodeOf(err) != problem.ImageNotManaged {
			t.Errorf("of no image: %v", err)
		}
	})
}
