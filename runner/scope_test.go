package runner_test

import (
	"context"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

func scoped(name string, words ...string) runner.Ask {
	return with(command(words...), func(t *runner.Terms) { t.Scope = name })
}

func TestAScopeKeepsItsDigest(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(scoped("dag/1", "version"))
		if first.Scope != runner.ScopeNew || first.Run.Pin != one {
			t.Errorf("%+v", first)
		}
		s.end(first.Run.ID)
		s.images.set(two, "a", "b") // CI pushes
		if other := s.ask(scoped("dag/2", "version")); other.Run.Pin != two || other.Scope != runner.ScopeNew {
			t.Errorf("%+v", other)
		}
		s.restart()
		s.refused(scoped("dag/1", "version"), problem.ImageNotWarm) // the fake images know one warm digest
		waits := with(scoped("dag/1", "version"), func(t *runner.Terms) { t.WaitWarm = time.Minute })
		second := s.ask(waits)
		if second.Scope != runner.ScopeExisting || second.Run.Pin != one {
			t.Errorf("%+v", second)
		}
		_, _, held := s.r.Waiting()
		if !held[runner.Held{Image: "jobs", Pin: one}] || !held[runner.Held{Image: "jobs", Pin: two}] {
			t.Errorf("held %v", held)
		}
		old, now, _, err := s.r.Repin(context.Background(), runner.DefaultNamespace, "dag/1", "jobs", nil)
		if err != nil || old != one || now != two {
			t.Errorf("repin %s %s %v", old, now, err)
		}
		if third := s.ask(scoped("dag/1", "version")); third.Run.Pin != two {
			t.Errorf("%+v", third)
		}
		if _, err := s.r.Scope(runner.DefaultNamespace, "nope"); problem.CodeOf(err) != problem.ScopeNotFound {
			t.Error(err)
		}
	})
}

func TestAnEndedScopeIsRenewedWithItsDigestOrRefused(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.end(s.ask(scoped("dag", "version")).Run.ID)
		if ended, err := s.r.EndScope(context.Background(), runner.DefaultNamespace, "dag"); err != nil || ended.Ended.IsZero() {
			t.Fatalf("%+v %v", ended, err)
		}
		if _, _, held := s.r.Waiting(); len(held) != 0 {
			t.Errorf("held after the end: %v", held)
		}
		if renewed := s.ask(scoped("dag", "version")); renewed.Scope != runner.ScopeRenewed || renewed.Run.Pin != one {
			t.Errorf("%+v", renewed)
		}
		if _, err := s.r.EndScope(context.Background(), runner.DefaultNamespace, "dag"); err != nil {
			t.Fatal(err)
		}
		s.images.set(two, "a", "b")
		s.refused(scoped("dag", "version"), problem.PinCold)
	})
}

func TestAnUnusedScopeEndsAndIsForgotten(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.ask(scoped("dag", "sleep", "48h"))
		s.settle(47 * time.Hour)
		if scope, err := s.r.Scope(runner.DefaultNamespace, "dag"); err != nil || !scope.Ended.IsZero() {
			t.Errorf("a scope with a run under way ended: %+v %v", scope, err)
		}
		s.settle(20 * time.Hour) // its last use was not the submit, but the run
		if scope, err := s.r.Scope(runner.DefaultNamespace, "dag"); err != nil || !scope.Ended.IsZero() {
			t.Errorf("ended too early: %+v %v", scope, err)
		}
		s.settle(6 * time.Hour)
		if scope, err := s.r.Scope(runner.DefaultNamespace, "dag"); err != nil || scope.Ended.IsZero() {
			t.Errorf("%+v %v", scope, err)
		}
		s.settle(31 * 24 * time.Hour)
		if _, err := s.r.Scope(runner.DefaultNamespace, "dag"); problem.CodeOf(err) != problem.ScopeNotFound {
			t.Error("not forgotten after a month")
		}
	})
}

func TestRunsOfAScopeThatWaitForTheFirstPromotionGetOneDigest(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.images.set(registry.Pin{})
		waits := with(scoped("dag", "version"), func(t *runner.Terms) { t.WaitWarm = time.Hour })
		first, second := s.ask(waits).Run, s.ask(waits).Run
		s.images.set(one, "a")
		s.expectEnd(first.ID, runner.Succeeded, "")
		if run := s.expectEnd(second.ID, runner.Succeeded, ""); run.Pin != one {
			t.Errorf("%+v", run)
		}
		if scope, err := s.r.Scope(runner.DefaultNamespace, "dag"); err != nil || len(scope.Pins) != 1 || scope.Pins[0].Pin != one {
			t.Errorf("%+v %v", scope, err)
		}
	})
}

func TestFilesForTheNextTask(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		files := func(words ...string) runner.Ask {
			ask := scoped("dag", words...)
			ask.Spec.ScopeVolume = "/files"
			return ask
		}
		first := s.end(s.ask(files("write", "/files/a", "hello")).Run.ID)
		if first.State != runner.Succeeded {
			t.Fatalf("%+v", first)
		}
		for range 4 { // the other host is idle, and does not have the files
			next := s.end(s.ask(files("cat", "/files/a")).Run.ID)
			if next.Host != first.Host || s.log(next.ID) != "hello" {
				t.Errorf("on %s: %q", next.Host, s.log(next.ID))
			}
		}
		s.images.set(one, map[string]string{"a": "b", "b": "a"}[first.Host])
		s.refused(files("cat", "/files/a"), problem.ScopeHost)
		s.images.set(one, "a", "b")
		if _, err := s.r.EndScope(context.Background(), runner.DefaultNamespace, "dag"); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Minute)
		for name, h := range s.hosts {
			for volume := range h.Volumes() {
				if volume != "" && len(volume) > len("prewarm-scope") && volume[:13] == "prewarm-scope" {
					t.Errorf("volume %s is left on %s", volume, name)
				}
			}
		}
		kept := scoped("other", "exit", "1")
		kept.Spec.ScopeVolume, kept.Terms.KeepVolume = "/files", true
		s.expectEnd(s.ask(kept).Run.ID, runner.Failed, problem.ExitCode)
		if _, err := s.r.EndScope(context.Background(), runner.DefaultNamespace, "other"); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Minute)
		if scope, err := s.r.Scope(runner.DefaultNamespace, "other"); err != nil || !scope.Keep || scope.Volume == "" {
			t.Errorf("not kept: %+v %v", scope, err)
		}
		bad := command("version")
		bad.Spec.ScopeVolume = "/files"
		s.refused(bad, problem.InvalidRequest)
	})
}
