package runner_test

import (
	"context"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func success(ask runner.Ask) runner.Ask {
	return with(ask, func(t *runner.Terms) { t.Join = runner.JoinSuccess })
}

func TestOnePieceOfWorkOneContainer(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "1m"))
		again := s.ask(keyed("k", "sleep", "1m"))
		if first.Joined || !again.Joined || again.Run.ID != first.Run.ID {
			t.Fatalf("%+v, then %+v", first, again)
		}
		s.restart()
		if after := s.ask(keyed("k", "sleep", "1m")); !after.Joined || after.Run.ID != first.Run.ID {
			t.Fatalf("after a restart %+v", after)
		}
		s.refused(keyed("k", "sleep", "2m"), problem.KeyConflict)
		s.expectEnd(first.Run.ID, runner.Succeeded, "")
		if n := s.started(first.Run.ID); n != 1 {
			t.Errorf("started %d times", n)
		}
		if done := s.ask(success(keyed("k", "sleep", "1m"))); !done.Joined || done.Run.ID != first.Run.ID {
			t.Errorf("a success is returned: %+v", done)
		}
		if _, err := s.r.Reject(context.Background(), first.Run.ID); err != nil {
			t.Fatal(err)
		}
		if anew := s.ask(success(keyed("k", "sleep", "1m"))); anew.Joined {
			t.Errorf("a rejected success was returned: %+v", anew)
		}
	})
}

func TestTheSameCallAnswersTheSameRun(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		ask := command("lines", "1")
		ask.Idempotency = "call-1"
		first := s.ask(ask)
		s.end(first.Run.ID)
		s.restart()
		if again := s.ask(ask); again.Run.ID != first.Run.ID || again.Run.State != runner.Succeeded {
			t.Errorf("%+v", again)
		}
		joined := keyed("k", "sleep", "1m")
		maker := s.ask(joined).Run
		joined.Idempotency = "call-3"
		s.ask(joined)
		s.end(maker.ID)
		if again := s.ask(joined); again.Run.ID != maker.ID {
			t.Errorf("a call that joined a run got another one: %+v", again)
		}
		ask.Idempotency = "call-2"
		if other := s.ask(ask); other.Run.ID == first.Run.ID {
			t.Error("another call got the same run")
		}
	})
}

func TestAHigherEpochEndsTheEarlierRunFirst(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		old := s.ask(keyed("k", "sleep", "1h")).Run
		s.settle(time.Second)
		anew := s.ask(with(keyed("k", "lines", "1"), func(t *runner.Terms) { t.Epoch = 1 })).Run
		ended := s.expectEnd(anew.ID, runner.Succeeded, "")
		before := s.expectEnd(old.ID, runner.Canceled, problem.Replaced)
		if ended.Placed.Before(before.Ended) {
			t.Error("the new run did not wait for the end of the old one")
		}
	})
}

func TestACanceledRunIsWaitedForAndFollowed(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.hosts["a"].Program("stubborn", stubborn)
		s.hosts["b"].Program("stubborn", stubborn)
		first := s.ask(keyed("k", "stubborn")).Run
		s.settle(time.Second)
		if _, err := s.r.Cancel(context.Background(), first.ID); err != nil {
			t.Fatal(err)
		}
		follower := s.ask(success(keyed("k", "stubborn"))).Run
		if follower.ID == first.ID {
			t.Fatal("a run that is being canceled was joined")
		}
		s.settle(5 * time.Second)
		s.expectState(follower.ID, runner.Queued)
		s.settle(10 * time.Second) // the grace is over
		s.expectState(follower.ID, runner.Running)
		s.expectEnd(first.ID, runner.Canceled, problem.CancelAsked)
	})
}

// A worker that was given up for dead gets its signal late: it must not end what
// the retry has joined.
func TestACallerThatWasReplacedCancelsNothing(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		call := func(word string) runner.Ask {
			ask := keyed("k", "sleep", "1h")
			ask.Idempotency = word
			return ask
		}
		run := s.ask(call("first")).Run
		s.ask(call("retry"))
		if _, err := s.r.Withdraw(context.Background(), run.ID, "first"); problem.CodeOf(err) != problem.JoinedSince {
			t.Errorf("got %v", err)
		}
		s.settle(time.Minute)
		s.expectState(run.ID, runner.Running)
		if _, err := s.r.Withdraw(context.Background(), run.ID, "retry"); err != nil {
			t.Error(err)
		}
		s.expectEnd(run.ID, runner.Canceled, problem.CancelAsked)
	})
}

// canceledTooLate makes a run that is canceled when its host can't be reached and
// it has done its work, and one that waits for it.
func (s *scene) canceledTooLate(ask runner.Ask) (first, follower runner.Run) {
	s.t.Helper()
	first = s.ask(ask).Run
	s.settle(time.Second)
	s.down("a", true)
	s.settle(5 * time.Minute)
	if _, err := s.r.Cancel(context.Background(), first.ID); err != nil {
		s.t.Fatal(err)
	}
	follower = s.ask(success(ask)).Run
	s.down("a", false)
	return first, follower
}

// The cancel came too late, and the work was done: the run that waited for it
// must not do it again.
func TestAFollowerOfASuccessIsAnsweredByIt(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first, follower := s.canceledTooLate(keyed("k", "lines", "2", "1m"))
		ended := s.expectEnd(follower.ID, runner.Succeeded, problem.AlreadySucceeded)
		if ended.SameAs != first.ID || s.started(follower.ID) != 0 || s.log(follower.ID) != "line 1\nline 2" {
			t.Errorf("%+v %q", ended, s.log(follower.ID))
		}
	})
}

func TestALostRunHoldsItsKeyUntilItsHostAnswers(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "24h")).Run
		s.settle(time.Second)
		s.down("a", true)
		lost := s.expectEnd(first.ID, runner.Lost, problem.ContactLost)
		if !lost.Owed || lost.Log.Complete || lost.Log.Gap == "" {
			t.Errorf("%+v", lost)
		}
		follower := s.ask(success(keyed("k", "sleep", "24h"))).Run
		s.settle(time.Hour)
		s.expectState(follower.ID, runner.Queued)
		s.restart()
		s.settle(time.Hour)
		s.expectState(follower.ID, runner.Queued)
		s.down("a", false)
		s.settle(5 * time.Minute)
		s.expectState(follower.ID, runner.Running)
		if run := s.get(first.ID); run.Owed || run.State != runner.Lost {
			t.Errorf("%+v", run)
		}
		if s.left() != 1 {
			t.Errorf("%d containers", s.left())
		}
	})
}

// The container of a lost run did its work where nobody could see it: it is not
// done again.
func TestALostRunThatHadSucceeded(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "90m")).Run
		s.settle(time.Second)
		s.down("a", true)
		s.expectEnd(first.ID, runner.Lost, problem.ContactLost)
		follower := s.ask(success(keyed("k", "sleep", "90m"))).Run
		s.settle(time.Hour)
		s.down("a", false)
		ended := s.expectEnd(follower.ID, runner.Succeeded, problem.AlreadySucceeded)
		if ended.SameAs != first.ID || s.started(follower.ID) != 0 {
			t.Errorf("%+v", ended)
		}
	})
}

func TestRelease(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first := s.ask(keyed("k", "sleep", "24h")).Run
		s.settle(time.Second)
		if _, err := s.r.Release(context.Background(), first.ID); problem.CodeOf(err) != problem.NotReleasable {
			t.Errorf("a healthy run was released: %v", err)
		}
		s.down("a", true)
		s.settle(5 * time.Minute)
		released, err := s.r.Release(context.Background(), first.ID)
		if err != nil || released.State != runner.Lost || released.Reason != problem.Released || released.Owed {
			t.Errorf("%+v %v", released, err)
		}
		s.expectEnd(s.ask(keyed("k", "lines", "1")).Run.ID, runner.Succeeded, "")
		s.down("a", false)
		s.settle(10 * time.Minute)
		if s.left() != 0 {
			t.Error("the released container is left to itself")
		}
		if _, err := s.r.Release(context.Background(), first.ID); problem.CodeOf(err) != problem.NotReleasable {
			t.Errorf("released twice: %v", err)
		}
	})
}

// A success that answered another run is rejected with it: the result is the same.
func TestARejectedAnswerDoesNotAnswerAgain(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		first, follower := s.canceledTooLate(keyed("k", "lines", "2", "1m"))
		s.expectEnd(follower.ID, runner.Succeeded, problem.AlreadySucceeded)
		next := s.get(follower.ID) // and that one answered another
		next.ID, next.SameAs = "ffffffff-0000-7000-8000-000000000001", follower.ID
		if err := s.store.InsertRun(context.Background(), next, nil, nil); err != nil {
			t.Fatal(err)
		}
		if rejected, err := s.r.Reject(context.Background(), next.ID); err != nil || !rejected.Rejected {
			t.Fatalf("%+v %v", rejected, err)
		}
		anew := s.ask(success(keyed("k", "lines", "2", "1m")))
		if anew.Joined || anew.Run.ID == first.ID {
			t.Errorf("answered by %s: %+v", anew.Run.ID, anew)
		}
		s.expectEnd(anew.Run.ID, runner.Succeeded, "")
	})
}
