package warmer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// configured runs a test with a scene that is set up before it starts.
func configured(t *testing.T, hosts []string, set func(s *scene), test func(s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, hosts...)
		set(s)
		s.start()
		defer func() { s.stop() }()
		test(s)
	})
}

func TestCooldown(t *testing.T) {
	t.Parallel()
	configured(t, three, func(s *scene) { s.entry.Policy.Cooldown = 10 * time.Minute }, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(9*time.Minute + 59*time.Second)
		held := s.status().Held
		if len(held) != 1 || len(held[0].Holds) != 1 || held[0].Holds[0] != warmer.Cooldown || time.Until(held[0].HeldUntil) != time.Second {
			t.Fatalf("held: %+v", held)
		}
		if n := s.hosts["a"].Pulls(one); n != 0 {
			t.Fatal("pulled while it cools down")
		}
		s.settle(2 * time.Second)
		s.expectCurrent(one)
	})
}

// A push every minute does not keep a cooldown from ending.
func TestACooldownThatIsLongerThanManyPushes(t *testing.T) {
	t.Parallel()
	configured(t, three, func(s *scene) { s.entry.Policy.Cooldown = time.Hour }, func(s *scene) {
		var lives []registry.Pin
		for n := range 180 {
			s.push(n + 1)
			s.check()
			s.settle(time.Minute)
			if now := s.current(); !now.IsZero() && !slices.Contains(lives, now) {
				lives = append(lives, now)
			}
		}
		if len(lives) < 2 {
			t.Errorf("in three hours %d digests went live", len(lives))
		}
	})
}

// A digest that was warm and then went from the hosts is warmed again before it
// goes live, whatever let it pass.
func TestAnApprovalBelievesNoOldWarmth(t *testing.T) {
	t.Parallel()
	inTime(t, three, func(s *scene) {
		ctx := context.Background()
		s.push(1)
		s.check()
		s.settle(time.Second)
		two := s.push(2)
		s.check()
		s.settle(time.Second)
		if _, err := s.w.Rollback(ctx, "jobs", "", "ana"); err != nil {
			t.Fatal(err)
		}
		for _, name := range three {
			s.hosts[name].Forget(two)
			s.hosts[name].FailPull(two, errors.New("no space"), -1)
		}
		if _, err := s.w.Approve(ctx, "jobs", string(two.Digest()), "ben"); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Minute)
		if s.current() == two {
			t.Error("a digest went live that is on no host")
		}
	})
}

// One that goes from the hosts while it is held is not taken for warm when the
// time comes that ends that.
func TestAHeldDigestIsLookedAt(t *testing.T) {
	t.Parallel()
	configured(t, three, func(s *scene) { s.entry.Policy.Cooldown = 10 * time.Minute }, func(s *scene) {
		ctx := context.Background()
		if err := s.w.Hold(ctx, "jobs", "ana"); err != nil {
			t.Fatal(err)
		}
		one, two := s.push(1), registry.Pin{}
		for n := 1; n <= 2; n++ {
			two = s.push(n)
			s.check()
			s.settle(11 * time.Minute)
		}
		if err := s.w.Unhold(ctx, "jobs", "ana"); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Second)
		s.expectCurrent(two) // and one was overtaken, warm
		s.push(1)
		s.check()
		s.settle(time.Minute)
		if n := len(s.status().Held); n != 1 {
			t.Fatalf("%d are held, want the one that is still warm", n)
		}
		for _, name := range three {
			s.hosts[name].Forget(one)
			s.hosts[name].FailPull(one, errors.New("no space"), -1)
		}
		s.settle(20 * time.Minute)
		s.expectCurrent(two)
	})
}

func TestApproval(t *testing.T) {
	t.Parallel()
	configured(t, three, func(s *scene) { s.entry.Policy.Approve = true }, func(s *scene) {
		ctx := context.Background()
		one := s.push(1)
		s.check()
		s.settle(24 * time.Hour)
		if !s.current().IsZero() || s.hosts["a"].Pulls(one) != 0 {
			t.Fatal("warmed without an approval")
		}
		if _, _, _, err := s.w.Resolve("jobs"); !strings.Contains(err.Error(), "is held (approval)") {
			t.Errorf("a submit is told %v", err)
		}
		if _, err := s.w.Approve(ctx, "jobs", "sha256:ffff", "ana"); problem.CodeOf(err) != problem.RolloutNotFound {
			t.Errorf("an unknown digest: %v", err)
		}
		if _, err := s.w.Approve(ctx, "nope", "sha256:ffff", "ana"); problem.CodeOf(err) != problem.ImageNotManaged {
			t.Errorf("an unknown image: %v", err)
		}
		r, err := s.w.Approve(ctx, "jobs", one.Digest().Hex()[:12], "ana")
		if err != nil || r.Trust.ApprovedBy != "ana" {
			t.Fatalf("%+v %v", r, err)
		}
		s.settle(time.Second)
		s.expectCurrent(one)
		if _, acts, err := s.w.History(ctx, "jobs", 10); err != nil || len(acts) != 1 || acts[0].Verb != warmer.Approved || acts[0].Who != "ana" || acts[0].Digest != string(one.Digest()) {
			t.Errorf("the history says %+v %v", acts, err)
		}
	})
}

// judge is a Verifier that says what it is told to.
type judge struct {
	mu      sync.Mutex
	verdict warmer.Verdict
	asked   []warmer.VerifySubject
}

func (j *judge) Verify(_ context.Context, _ warmer.Verification, s warmer.VerifySubject) warmer.Verdict {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked = append(j.asked, s)
	v := j.verdict
	v.At = time.Now()
	return v
}

func (j *judge) says(v warmer.Verdict) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.verdict = v
}

func verified(s *scene) *judge {
	j := &judge{verdict: warmer.Verdict{OK: true}}
	s.opts.Verifier = j
	s.entry.Policy.Verify = &warmer.Verification{Command: []string{"cosign"}}
	return j
}

func TestVerification(t *testing.T) {
	t.Parallel()
	var j *judge
	configured(t, three, func(s *scene) { j = verified(s) }, func(s *scene) {
		ctx := context.Background()
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		s.expectCurrent(one)
		if len(j.asked) != 1 || j.asked[0].Pin != one.String() || j.asked[0].Tag != "latest" || j.asked[0].Image != "jobs" || j.asked[0].Repository != repository {
			t.Fatalf("asked about %+v", j.asked)
		}

		j.says(warmer.Verdict{ExitCode: 10, Output: "no matching signatures"})
		two := s.push(2)
		s.check()
		s.settle(24 * time.Hour)
		s.expectCurrent(one)
		held := s.status().Held
		if len(held) != 1 || held[0].Holds[0] != warmer.Refused || held[0].Trust.Verdict.Output != "no matching signatures" {
			t.Fatalf("held: %+v", held)
		}
		if len(j.asked) != 2 || s.hosts["a"].Pulls(two) != 0 {
			t.Errorf("asked %d times, pulled %d times", len(j.asked), s.hosts["a"].Pulls(two))
		}
		if _, err := s.w.Approve(ctx, "jobs", string(two.Digest()), "ana"); problem.CodeOf(err) != problem.NotVerified {
			t.Errorf("an approval of what was refused: %v", err)
		}

		j.says(warmer.Verdict{OK: true}) // it is signed now
		if _, err := s.w.Rewarm("jobs", nil); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Second)
		s.expectCurrent(two)
	})
}

func TestAVerificationThatCanNotBeCarriedOutIsTriedAgain(t *testing.T) {
	t.Parallel()
	var j *judge
	configured(t, []string{"a"}, func(s *scene) { j = verified(s) }, func(s *scene) {
		j.says(warmer.Verdict{Failure: "run cosign: no such file"})
		one := s.push(1)
		s.check()
		s.settle(21 * time.Minute)
		if len(j.asked) != 5 {
			t.Errorf("asked %d times in 21 minutes, want one each five", len(j.asked))
		}
		j.says(warmer.Verdict{OK: true})
		s.settle(5 * time.Minute)
		s.expectCurrent(one)
	})
}

func TestAVerdictSurvivesARestart(t *testing.T) {
	t.Parallel()
	var j *judge
	configured(t, []string{"a"}, func(s *scene) { j = verified(s) }, func(s *scene) {
		j.says(warmer.Verdict{ExitCode: 1})
		s.push(1)
		s.check()
		s.settle(time.Second)
		s.stop()
		s.start()
		s.settle(time.Hour)
		if len(j.asked) != 1 || len(s.status().Held) != 1 {
			t.Errorf("asked %d times; held: %+v", len(j.asked), s.status().Held)
		}
	})
}

func TestHoldAndUnhold(t *testing.T) {
	t.Parallel()
	inTime(t, three, func(s *scene) {
		ctx := context.Background()
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		for range 2 { // asking twice is no mistake
			if err := s.w.Hold(ctx, "jobs", "ana"); err != nil {
				t.Fatal(err)
			}
		}
		two := s.push(2)
		s.check()
		s.settle(time.Hour)
		s.expectCurrent(one)
		s.expectState("a", warmer.StateWarm) // warming goes on
		s.stop()
		s.start()
		s.settle(time.Hour)
		s.expectCurrent(one) // a restart does not let go
		if i, _ := s.w.Image("jobs"); i.State.HeldBy != "ana" || i.State.HeldAt.IsZero() {
			t.Errorf("status says %+v", i.State)
		}
		if err := s.w.Unhold(ctx, "jobs", "ben"); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Second)
		s.expectCurrent(two)
		if err := s.w.Hold(ctx, "nope", "ana"); problem.CodeOf(err) != problem.ImageNotManaged {
			t.Errorf("an unknown image: %v", err)
		}
		if n := len(s.store.acts); n != 2 {
			t.Errorf("%d acts written down, want hold and unhold", n)
		}
	})
}

func TestRollback(t *testing.T) {
	t.Parallel()
	inTime(t, three, func(s *scene) {
		ctx := context.Background()
		if _, err := s.w.Rollback(ctx, "jobs", "", "ana"); problem.CodeOf(err) != problem.NoCurrent {
			t.Errorf("with nothing current: %v", err)
		}
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		if _, err := s.w.Rollback(ctx, "jobs", "", "ana"); problem.CodeOf(err) != problem.RolloutNotFound {
			t.Errorf("with nothing before: %v", err)
		}
		two := s.push(2)
		s.check()
		s.settle(time.Second)
		s.expectCurrent(two)

		r, err := s.w.Rollback(ctx, "jobs", "", "ana")
		if err != nil || r.Pin != one || r.Phase != warmer.Current {
			t.Fatalf("%+v %v", r, err)
		}
		s.expectCurrent(one) // at once
		s.check()            // the tag still shows two
		s.settle(time.Hour)
		s.expectCurrent(one)

		three := s.push(3) // other new digests go live as usual
		s.check()
		s.settle(time.Second)
		s.expectCurrent(three)
		s.push(2) // but not the rejected one
		s.check()
		s.settle(time.Hour)
		s.expectCurrent(three)
		s.stop()
		s.start()
		s.settle(time.Minute)
		s.expectCurrent(three)
		if _, err := s.w.Approve(ctx, "jobs", string(two.Digest()), "ben"); err != nil {
			t.Fatal(err)
		}
		s.settle(time.Second)
		s.expectCurrent(two)
	})
}

// The digest that was gone back from is approved while the tag still shows it.
func TestAnApprovalUndoesARollback(t *testing.T) {
	t.Parallel()
	inTime(t, three, func(s *scene) {
		ctx := context.Background()
		for n := 1; n <= 2; n++ {
			s.push(n)
			s.check()
			s.settle(time.Second)
		}
		two := s.current()
		if _, err := s.w.Rollback(ctx, "jobs:latest", "", "ana"); err != nil {
			t.Fatal(err)
		}
		if r, err := s.w.Approve(ctx, "jobs", string(two.Digest()), "ben"); err != nil || r.Origin != warmer.FromApproval {
			t.Fatalf("%+v %v", r, err)
		}
		s.settle(time.Second)
		s.expectCurrent(two)
		before := len(s.store.rollouts)
		s.check()
		if len(s.store.rollouts) != before {
			t.Error("the tag's digest was taken for a new one")
		}
	})
}

func TestARollbackToWhatIsNotWarmWarmsItFirst(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { s.entry.Policy.Keep = 0 }, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		two := s.push(2)
		s.check()
		s.settle(time.Second)
		s.hosts["a"].Forget(one)
		s.settle(2 * time.Minute)
		s.hosts["a"].HoldPulls()
		r, err := s.w.Rollback(context.Background(), "jobs", string(one.Digest()), "ana")
		if err != nil || r.Phase != warmer.Warming {
			t.Fatalf("%+v %v", r, err)
		}
		s.settle(time.Minute)
		s.expectCurrent(two)
		s.hosts["a"].ReleasePulls()
		s.settle(time.Second)
		s.expectCurrent(one)
		s.check() // the tag shows two, which is rejected
		s.settle(time.Hour)
		s.expectCurrent(one)
	})
}

func TestKeptDigestsStayWarmForARollback(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { s.entry.Policy.Keep = 1 }, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		two := s.push(2)
		s.check()
		s.settle(time.Second)
		s.push(3)
		s.check()
		s.settle(time.Second)
		s.hosts["a"].Wipe()
		s.settle(2 * time.Minute)
		for pin, want := range map[string]bool{one.String(): false, two.String(): true} {
			image, _, found, err := s.w.Resolve(pin) // what is kept can be run by its digest
			if want != (err == nil) || want && (image != "jobs" || found.String() != pin) {
				t.Errorf("%s: %v", pin, err)
			}
		}
		if warm, _ := s.w.WarmHosts("jobs", two); len(warm) != 1 {
			t.Error("the kept digest was not warmed again")
		}
		if warm, _ := s.w.WarmHosts("jobs", one); len(warm) != 0 {
			t.Error("a digest was warmed again that nobody wants")
		}
	})
}

// An approval after a rollback is for good, however many digests come after it.
func TestAPardonIsNotForgotten(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a"}, func(s *scene) {
		ctx := context.Background()
		for n := 1; n <= 2; n++ {
			s.push(n)
			s.check()
			s.settle(time.Second)
		}
		two := s.current()
		if _, err := s.w.Rollback(ctx, "jobs", "", "ana"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.w.Approve(ctx, "jobs", string(two.Digest()), "ben"); err != nil {
			t.Fatal(err)
		}
		for n := 10; n < 140; n++ {
			s.push(n)
			s.check()
			s.settle(time.Second)
		}
		s.stop()
		s.start()
		s.push(2)
		s.check()
		s.settle(time.Minute)
		s.expectCurrent(two)
	})
}

// A push that goes live while a rollback still warms has the last word, as it
// would after a rollback at once; what was left is rejected all the same.
func TestAPushOutrunsARollback(t *testing.T) {
	t.Parallel()
	configured(t, []string{"a"}, func(s *scene) { s.entry.Policy.Keep = 0 }, func(s *scene) {
		one := s.push(1)
		s.check()
		s.settle(time.Second)
		s.push(2)
		s.check()
		s.settle(time.Second)
		s.hosts["a"].Forget(one)
		s.settle(2 * time.Minute)
		s.hosts["a"].HoldPulls()
		three := s.push(3)
		s.check()
		if _, err := s.w.Rollback(context.Background(), "jobs", string(one.Digest()), "ana"); err != nil {
			t.Fatal(err)
		}
		s.hosts["a"].ReleasePulls()
		s.settle(time.Minute)
		s.expectCurrent(three)
		s.push(2)
		s.check()
		s.settle(time.Hour)
		s.expectCurrent(three)
	})
}

// A tag that moves away and back leaves several rollouts of one digest: a
// rejection counts for all of them.
func TestARejectionCountsForEachSighting(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cooldown time.Duration
		act      func(s *scene, verb warmer.Verb) error // around the other sighting
	}{
		"the other one cools down": {time.Hour, func(*scene, warmer.Verb) error { return nil }},
		"the other one is on its way": {0, func(s *scene, verb warmer.Verb) error {
			if verb == warmer.Holding {
				return s.w.Hold(context.Background(), "jobs", "ana")
			}
			return s.w.Unhold(context.Background(), "jobs", "ana")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			configured(t, []string{"a"}, func(s *scene) { s.entry.Policy.Cooldown = c.cooldown }, func(s *scene) {
				push := func(n int, d time.Duration) registry.Pin {
					pin := s.push(n)
					s.check()
					s.settle(d)
					return pin
				}
				one, two := push(1, 2*time.Hour), push(2, 2*time.Hour)
				s.expectCurrent(two)
				if err := c.act(s, warmer.Holding); err != nil {
					t.Fatal(err)
				}
				push(3, time.Minute)
				push(2, time.Minute)
				s.rollback(string(one.Digest()))
				s.expectCurrent(one)
				if err := c.act(s, warmer.Unholding); err != nil {
					t.Fatal(err)
				}
				s.settle(3 * time.Hour)
				if s.current() == two {
					t.Error("a rejected digest went live without an approval")
				}
			})
		})
	}
}

// A rollback that has to warm first takes nothing out of the queue of pushes.
func TestARollbackLeavesTheNewestDigestOnItsWay(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a", "b"}, func(s *scene) {
		one := s.live(1)
		s.live(2)
		for _, h := range s.hosts {
			h.Forget(one)
		}
		s.settle(time.Minute)
		three := s.push(3)
		for _, h := range s.hosts {
			h.FailPull(three, errors.New("for a while"), 2)
		}
		s.check()
		s.rollback(string(one.Digest()))
		s.settle(time.Second)
		s.expectCurrent(one)
		s.settle(15 * time.Minute)
		s.expectCurrent(three)
	})
}

// Nor is it taken out by pushes that are not warm themselves.
func TestAPushThatIsNotWarmOvertakesNoRollback(t *testing.T) {
	t.Parallel()
	inTime(t, []string{"a", "b"}, func(s *scene) {
		one := s.live(1)
		s.live(2)
		for _, h := range s.hosts {
			h.Forget(one)
		}
		s.settle(time.Minute)
		three := s.push(3)
		for _, h := range s.hosts {
			h.FailPull(three, errors.New("no"), -1)
		}
		s.check()
		for _, h := range s.hosts {
			h.SetPullSpeed(1) // some 20 min
		}
		back := s.rollback(string(one.Digest()))
		for n := 4; n < 8; n++ {
			s.push(n)
			s.check()
			s.settle(time.Second)
		}
		rollouts, err := s.store.Rollouts(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rollouts {
			if r.ID == back.ID && r.Phase != warmer.Warming {
				t.Errorf("the rollback is %s", r.Phase)
			}
		}
	})
}
