package runner_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

func (s *scene) check(ask runner.Ask) runner.Checked {
	s.t.Helper()
	checked, err := s.r.Check(context.Background(), ask)
	if err != nil {
		s.t.Fatal(err)
	}
	return checked
}

// rights are the spec of a run that asks for more than nothing.
func rights(change func(*runner.Spec)) runner.Ask {
	ask := command("lines", "1")
	change(&ask.Spec)
	return ask
}

// What a check says is what a submit is answered a moment later: this is the
// promise that the two are compared by.
func TestACheckSaysWhatASubmitIsAnswered(t *testing.T) {
	t.Parallel()
	labelled := func(name string) runner.Ask {
		return with(command("lines", "1"), func(t *runner.Terms) { t.HostLabels = map[string]string{"name": name} })
	}
	for name, c := range map[string]struct {
		before func(s *scene)
		ask    runner.Ask
		hosts  string // that could take it
		warm   string
		codes  []problem.Code
	}{
		"it would start":      {nil, command("lines", "1"), "a b", "a b", nil},
		"warm on one":         {func(s *scene) { s.images.set(one, "b") }, command("lines", "1"), "a b", "b", nil},
		"one host of two":     {nil, labelled("b"), "b", "b", nil},
		"no host":             {nil, labelled("c"), "", "", []problem.Code{problem.NoHost}},
		"too large":           {nil, rights(func(s *runner.Spec) { s.Memory = 5 << 30 }), "", "", []problem.Code{problem.NoHost}},
		"warm where it can't": {func(s *scene) { s.images.set(one, "a") }, labelled("b"), "b", "", []problem.Code{problem.ImageNotWarm}},
		"cold":                {func(s *scene) { s.images.set(one) }, command(), "a b", "", []problem.Code{problem.ImageNotWarm}},
		"cold, and it waits":  {func(s *scene) { s.images.set(one) }, waiting(command("lines", "1")), "a b", "", nil},
		"no current":          {func(s *scene) { s.images.set(registry.Pin{}) }, command(), "a b", "", []problem.Code{problem.NoCurrent}},
		"no current, and it waits": {
			func(s *scene) { s.images.set(registry.Pin{}) }, waiting(labelled("a")), "a", "", nil,
		},
		"not managed": {nil, runner.Ask{Spec: runner.Spec{Image: "jbos"}}, "", "", []problem.Code{problem.ImageNotManaged}},
		"not managed, not allowed": {
			nil, runner.Ask{Spec: runner.Spec{Image: "jbos", Privileged: true}}, "", "", []problem.Code{problem.ImageNotManaged, problem.NotAllowed},
		},
		"another's image": {
			nil, runner.Ask{Spec: runner.Spec{Image: "jobs"}, Images: []string{"etl-*"}}, "", "", []problem.Code{problem.NotAllowed},
		},
		"all of the policy": {nil, rights(func(s *runner.Spec) {
			s.Privileged, s.CapAdd = true, []string{"SYS_PTRACE", "NET_ADMIN"}
			s.Mounts = []runner.Mount{{Kind: runner.Bind, Source: "/etc", Target: "/etc"}}
			s.Sysctls = map[string]string{"b": "1", "a": "1"}
		}), "a b", "a b", slices.Repeat([]problem.Code{problem.NotAllowed}, 6)},
		"the token's policy, and cold": {
			func(s *scene) { s.images.set(one) },
			runner.Ask{Spec: runner.Spec{Image: "jobs", Network: "etl"}, Policy: &runner.Policy{Networks: []string{"none"}}},
			"a b", "",
			[]problem.Code{problem.NotAllowed, problem.ImageNotWarm},
		},
		"the volume of no scope": {nil, rights(func(s *runner.Spec) { s.ScopeVolume = "/v" }), "a b", "a b", []problem.Code{problem.InvalidRequest}},
		"a new scope":            {nil, scoped("dag", "lines", "1"), "a b", "a b", nil},
		"a scope's digest is cold": {func(s *scene) {
			s.end(s.ask(scoped("dag", "lines", "1")).Run.ID)
			s.images.set(two, "a")
		}, scoped("dag", "lines", "1"), "a b", "", []problem.Code{problem.ImageNotWarm}},
		"an ended scope's digest is cold": {func(s *scene) {
			s.end(s.ask(scoped("dag", "lines", "1")).Run.ID)
			_, _ = s.r.EndScope(context.Background(), runner.DefaultNamespace, "dag")
			s.images.set(two, "a")
		}, scoped("dag", "lines", "1"), "a b", "", []problem.Code{problem.PinCold}},
		"a key's active run": {func(s *scene) { s.ask(keyed("k", "sleep", "1h")) }, keyed("k", "sleep", "1h"), "a b", "a b", nil},
		"it is joined though cold": {func(s *scene) {
			s.ask(keyed("k", "sleep", "1h"))
			s.images.set(one)
		}, keyed("k", "sleep", "1h"), "a b", "", nil},
		"another work of the key": {
			func(s *scene) { s.ask(keyed("k", "sleep", "1h")) }, keyed("k", "lines", "1"), "a b", "a b", []problem.Code{problem.KeyConflict},
		},
		"the queue is full": {func(s *scene) {
			for range 9 {
				s.submit("sleep", "1h")
			}
		}, command("lines", "1"), "a b", "a b", []problem.Code{problem.QueueFull}},
		"secrets": {nil, runner.Ask{
			Spec: runner.Spec{Image: "jobs", Command: []string{"lines", "1"}, SecretEnv: []runner.SecretEnv{{Name: "T"}}}, Secrets: runner.Secrets{"T": "s3cret"},
		}, "a b", "a b", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTime(t, func(s *scene) {
				if c.before != nil {
					c.before(s)
					s.settle(time.Second)
				}
				before := s.traces()
				got := s.check(c.ask)
				s.settle(time.Second)
				if diff := cmp.Diff(before, s.traces()); diff != "" {
					t.Errorf("the check left something (-before +after):\n%s", diff)
				}
				if hosts, warm := strings.Join(got.Hosts, " "), strings.Join(got.Warm, " "); hosts != c.hosts || warm != c.warm {
					t.Errorf("hosts %q, warm %q, want %q, %q", hosts, warm, c.hosts, c.warm)
				}
				var codes []problem.Code
				for _, p := range got.Problems {
					codes = append(codes, problem.CodeOf(p))
				}
				if diff := cmp.Diff(c.codes, codes); diff != "" {
					t.Errorf("problems (-want +got):\n%s%v", diff, got.Problems)
				}
				s.sameAnswer(c.ask, got)
			})
		})
	}
}

// sameAnswer compares what a check said with what the submit is answered.
func (s *scene) sameAnswer(ask runner.Ask, checked runner.Checked) {
	s.t.Helper()
	answer, err := s.r.Submit(context.Background(), ask)
	switch {
	case len(checked.Problems) == 0 && err != nil:
		s.t.Errorf("no problem was told, and the submit: %v", err)
	case len(checked.Problems) > 0 && (err == nil || err.Error() != checked.Problems[0].Error() || problem.From(err).Mend != problem.From(checked.Problems[0]).Mend):
		s.t.Errorf("told %v, and the submit: %v", checked.Problems[0], err)
	case err == nil && (answer.Run.Image != checked.Target.Image || answer.Run.Pin != checked.Target.Pin):
		s.t.Errorf("told %v, and the run has %s", checked.Target, answer.Run.Pin)
	}
}

// traces are what a submit would leave.
type traces struct {
	Runs, Queued, Asked int
	Scopes              []string
	Hosts               map[string]runner.HostUse
}

func (s *scene) traces() traces {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	return traces{
		Runs: len(s.store.runs) + len(s.store.joined) + len(s.store.sealed), Queued: s.r.Stats().By[runner.Queued], Asked: int(s.images.asked.Load()),
		Scopes: slices.Sorted(maps.Keys(s.store.scopes)), Hosts: s.r.Hosts(),
	}
}

func waiting(ask runner.Ask) runner.Ask {
	return with(ask, func(t *runner.Terms) { t.WaitWarm = time.Hour })
}

// The registry is not asked for what a check could only tell of the moment: what
// is current is looked at instead.
func TestACheckAsksNoRegistry(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.images.change(func() { s.images.fresh = two })
		got := s.check(with(command("lines", "1"), func(t *runner.Terms) { t.Fresh = true }))
		if s.images.asked.Load() != 0 || got.Target.Pin != one || len(got.Problems) != 0 {
			t.Errorf("%+v, asked %d times", got, s.images.asked.Load())
		}
	})
}

func TestNothingIsCheckedAfterTheEnd(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.stop()
		_, err := s.r.Check(context.Background(), command())
		if problem.CodeOf(err) != problem.Stopping {
			t.Error(err)
		}
		s.start()
	})
}
