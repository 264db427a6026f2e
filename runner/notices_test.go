package runner_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// kinds are what was told of a run, in order.
func (s *scene) kinds(id string) []notice.Kind {
	var all []notice.Kind
	for _, e := range s.store.notices(id) {
		all = append(all, e.Kind)
	}
	return all
}

func (s *scene) expectTold(id string, want ...notice.Kind) {
	s.t.Helper()
	if got := s.kinds(id); !slices.Equal(got, want) {
		s.t.Errorf("told %v, want %v", got, want)
	}
}

// tried is a try of several, with 3 for "nothing to do".
func tried(try, tries int) func(*runner.Terms) {
	return func(t *runner.Terms) { t.Try, t.Tries, t.SkipExitCodes = try, tries, []int{3} }
}

func TestPeopleAreToldHowARunEnds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ask  runner.Ask
		want notice.Kind
	}{
		"a success":                 {command("exit", "0"), notice.RunSucceeded},
		"a failure":                 {command("exit", "1"), notice.RunFailed},
		"a failure with tries left": {with(command("exit", "1"), tried(1, 3)), notice.RunRetrying},
		"the last try":              {with(command("exit", "1"), tried(3, 3)), notice.RunFailed},
		"nothing to do":             {with(command("exit", "3"), tried(1, 3)), notice.RunSkipped},
		"a deadline":                {with(command("sleep", "1h"), func(t *runner.Terms) { t.Limit = time.Minute }), notice.RunFailed},
		"a deadline with tries left": {
			with(command("sleep", "1h"), func(t *runner.Terms) { t.Limit, t.Try, t.Tries = time.Minute, 1, 2 }), notice.RunRetrying,
		},
	}
	inTime(t, func(s *scene) {
		for name, test := range tests {
			run := s.end(s.ask(test.ask).Run.ID)
			if got := s.kinds(run.ID); !slices.Equal(got, []notice.Kind{notice.RunStarted, test.want}) {
				t.Errorf("%s: told %v", name, got)
			}
		}
		run := s.submit("sleep", "1h")
		s.settle(time.Second)
		if _, err := s.r.Cancel(context.Background(), run.ID); err != nil {
			t.Fatal(err)
		}
		s.end(run.ID)
		s.expectTold(run.ID, notice.RunStarted, notice.RunCanceled)
	})
}

func TestANoticeSaysWhatPeopleNeed(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		meta := map[string]string{"customer": "acme"}
		run := s.end(s.ask(with(keyed("import/1", "exit", "7"), func(t *runner.Terms) { t.Meta, t.Try, t.Tries = meta, 2, 2 })).Run.ID)
		all := s.store.notices(run.ID)
		e := all[len(all)-1]
		if e.Image != "jobs" || e.Digest != string(one.Digest()) || e.Host != run.Host || e.HostLabels["name"] != run.Host || e.Cause != "" ||
			e.Detail != "its program ended with exit code 7" || !strings.Contains(e.Mend, "prewarm logs "+run.ID) {
			t.Errorf("%+v", e)
		}
		r := e.Run
		if r.Task != "import/1" || r.Namespace != runner.DefaultNamespace || r.State != "failed" || r.Reason != string(problem.ExitCode) || !r.Exited || r.ExitCode != 7 ||
			r.Try != 2 || r.Tries != 2 || !maps.Equal(r.Meta, meta) || !r.Ended.Equal(run.Ended) || r.Started.IsZero() || r.Submitted.IsZero() {
			t.Errorf("%+v", r)
		}
		if other := s.store.notices(s.end(s.submit("exit", "0").ID).ID)[0].Run; other.Task != other.ID {
			t.Errorf("a run without a key is of task %s", other.Task)
		}
	})
}

// What another run tells needs no word of its own.
func TestWhatIsNotTold(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "1h")).Run
		s.settle(time.Second)
		replacing := keyed("k", "exit", "0")
		replacing.OnConflict = runner.ConflictReplace
		second := s.ask(replacing).Run
		s.end(second.ID)
		s.expectTold(first.ID, notice.RunStarted)
		s.expectTold(second.ID, notice.RunStarted, notice.RunSucceeded)

		success := func(t *runner.Terms) { t.Join = runner.JoinSuccess }
		lost := s.ask(with(keyed("l", "lines", "3", "1m"), success)).Run
		s.settle(time.Second)
		s.down(lost.Host, true)
		if _, err := s.r.Cancel(context.Background(), lost.ID); err != nil {
			t.Fatal(err)
		}
		same := s.ask(with(keyed("l", "lines", "3", "1m"), success)).Run
		s.settle(2 * time.Hour)
		s.expectTold(lost.ID, notice.RunStarted, notice.RunLost)
		s.down(lost.Host, false)
		if run := s.end(same.ID); run.SameAs != "" {
			s.expectTold(same.ID)
		} else {
			s.expectTold(same.ID, notice.RunStarted, notice.RunSucceeded)
		}
	})
}

// A host that is lost with all its runs is one trouble.
func TestLostRunsHaveOneCause(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.images.set(one, "a")
		one, two := s.submit("sleep", "1h"), s.submit("sleep", "1h")
		s.settle(time.Second)
		s.down("a", true)
		s.settle(2 * time.Hour)
		for _, run := range []runner.Run{one, two} {
			all := s.store.notices(run.ID)
			if e := all[len(all)-1]; e.Kind != notice.RunLost || e.Cause != "host:a" || !strings.Contains(e.Mend, "prewarm release "+run.ID) {
				t.Errorf("%+v", e)
			}
		}
		s.down("a", false)
	})
}

func TestAnOrphanIsToldOnce(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.ask(with(command("sleep", "2h"), func(t *runner.Terms) { t.Keepalive, t.KeepaliveAction = time.Minute, runner.KeepaliveReport })).Run
		for range 3 {
			s.settle(10 * time.Minute)
			s.get(run.ID) // somebody asks, and then nobody again
			s.settle(10 * time.Minute)
			s.restart()
		}
		s.expectTold(run.ID, notice.RunStarted, notice.RunOrphaned)
		s.expectEnd(run.ID, runner.Succeeded, "")
		s.expectTold(run.ID, notice.RunStarted, notice.RunOrphaned, notice.RunSucceeded)
	})
}

// refusing is a store that keeps a write and says that it did not, once.
type refusing struct {
	*memory
	left int
}

func (m *refusing) UpdateRun(ctx context.Context, r runner.Run, notices ...notice.Event) error {
	err := m.memory.UpdateRun(ctx, r, notices...)
	if r.State.Ended() && m.left > 0 {
		m.left--
		return errors.New("nobody knows whether it was written")
	}
	return err
}

// A write that is tried again tells under the id that it told before: who has it
// already can tell.
func TestAWriteThatIsTriedAgainTellsTheSame(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.stop()
		s.instead = &refusing{memory: s.store, left: 2}
		s.start()
		run := s.end(s.submit("exit", "0").ID)
		s.expectTold(run.ID, notice.RunStarted, notice.RunSucceeded, notice.RunSucceeded, notice.RunSucceeded)
		if all := s.store.notices(run.ID); all[1].ID != all[2].ID || all[2].ID != all[3].ID || all[0].ID == all[1].ID {
			t.Errorf("%+v", all)
		}
	})
}

// A retry that joins what its predecessor left running ends as that does: where it
// is the last try, a failure needs somebody.
func TestARetryThatJoinsTellsItsOwnEnd(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(with(keyed("k", "sleep", "1h"), tried(1, 2))).Run
		s.settle(time.Minute)
		answer := s.ask(with(keyed("k", "sleep", "1h"), tried(2, 2)))
		if !answer.Joined || answer.Run.ID != first.ID || answer.Run.Terms.Try != 2 {
			t.Fatalf("joined %t, try %d", answer.Joined, answer.Run.Terms.Try)
		}
		s.ask(with(keyed("k", "sleep", "1h"), tried(1, 2))) // late, and lower
		s.restart()
		s.host(first.ID).Wipe()
		s.end(first.ID)
		s.expectTold(first.ID, notice.RunStarted, notice.RunFailed)
	})
}
