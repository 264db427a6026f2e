package runner_test

import (
	"context"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func of(namespace string, ask runner.Ask) runner.Ask {
	return with(ask, func(t *runner.Terms) { t.Namespace = namespace })
}

func TestNamespacesShareNothing(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		ctx := context.Background()
		first := s.ask(of("a", scoped("dag", "version")))
		s.end(first.Run.ID)
		s.images.set(two, "a", "b")
		second := s.ask(of("b", scoped("dag", "version")))
		if second.Scope != runner.ScopeNew || second.Run.Pin != two {
			t.Errorf("the scope of another namespace answered: %+v", second)
		}
		for id, want := range map[string]string{first.Run.ID: "a", second.Run.ID: "b"} {
			if got, err := s.r.Namespace(ctx, id); err != nil || got != want {
				t.Errorf("run of %s is in %s, %v", want, got, err)
			}
		}
		if _, err := s.r.Namespace(ctx, "nope"); problem.CodeOf(err) != problem.RunNotFound {
			t.Error(err)
		}
		for namespace, want := range map[string]int{"": 2, "a": 1, "b": 1, "c": 0} {
			if got := len(s.r.Scopes(namespace)); got != want {
				t.Errorf("%d scopes in %q, want %d", got, namespace, want)
			}
		}
		if _, err := s.r.EndScope(ctx, "c", "dag"); problem.CodeOf(err) != problem.ScopeNotFound {
			t.Error(err)
		}
		if _, err := s.r.EndScope(ctx, "a", "dag"); err != nil {
			t.Error(err)
		}
		if scope, err := s.r.Scope("b", "dag"); err != nil || !scope.Ended.IsZero() {
			t.Errorf("the other namespace's scope: %+v %v", scope, err)
		}
		s.end(second.Run.ID)
		s.settle(26 * time.Hour)
		if scope, err := s.r.Scope("b", "dag"); err != nil || scope.Ended.IsZero() {
			t.Errorf("nobody ended it after a day: %+v %v", scope, err)
		}
	})
}

func TestUnderWayRunsAreListedByNamespace(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.ask(of("a", command("wait")))
		s.ask(of("b", command("wait")))
		for namespace, want := range map[string]int{"": 2, "a": 1, "c": 0} {
			runs, err := s.r.List(context.Background(), runner.Filter{Namespace: namespace, Active: true})
			if err != nil || len(runs) != want {
				t.Errorf("%d runs in %q, want %d: %v", len(runs), namespace, want, err)
			}
		}
	})
}

func TestATokensLimitsHold(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		ask := command("version")
		ask.Images = []string{"etl-*"}
		s.refused(ask, problem.NotAllowed)
		// A ref that begins like the name of an image which is allowed.
		ask.Spec.Image, ask.Terms.Scope = "etl-mirror:5000/jobs", "dag"
		s.refused(ask, problem.NotAllowed)
		if _, _, _, err := s.r.Repin(context.Background(), runner.DefaultNamespace, "dag", ask.Spec.Image, ask.Images); problem.CodeOf(err) != problem.NotAllowed {
			t.Errorf("repin: %v", err)
		}
		ask.Terms.Fresh = true
		s.refused(ask, problem.NotAllowed)
		if s.images.asked.Load() != 0 {
			t.Error("the registry was asked for an image that the token does not allow")
		}
		ask = command("version")
		ask.Images = []string{"etl-*", "jo?s"}
		ask.Policy = &runner.Policy{Networks: []string{"none"}}
		s.refused(ask, problem.NotAllowed)
		ask.Policy = &runner.Policy{}
		s.end(s.ask(ask).Run.ID)
		// What the token allows, the server may not.
		ask.Policy = &runner.Policy{Privileged: true}
		ask.Spec.Privileged = true
		s.refused(ask, problem.NotAllowed)
	})
}
