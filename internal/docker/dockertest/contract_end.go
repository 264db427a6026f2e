package dockertest

import (
	"context"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func endTests() []contractTest {
	return []contractTest{
		{"WaitGivesTheCode", waitGivesCode},
		{"WaitAfterTheEnd", waitAfterEnd},
		{"WaitRefusesWhatNeverStarted", waitNeverStarted},
		{"WaitInAnotherLife", waitElsewhere},
		{"WaitIsCancelled", waitCancelled},
		{"WaitForNothing", waitForNothing},
		{"StopIsGraceful", stopGraceful},
		{"StopKills", stopKills},
		{"StopOfWhatEnded", stopEnded},
		{"StopSignalIsTheSpecs", stopSignal},
		{"RemoveLeavesTheRunning", removeRunning},
		{"OwnedLists", ownedLists},
		{"ConfirmGreets", confirmGreets},
	}
}

func waitGivesCode(b *bench) {
	exit := b.wait(b.start("code", "exit", "3"))
	if exit.Code != 3 || exit.OOMKilled {
		b.Errorf("Wait = %+v, want code 3", exit)
	}
	if exit.Started.IsZero() || exit.Finished.Before(exit.Started) {
		b.Errorf("Wait = %+v: want it started, then finished", exit)
	}
}

func waitAfterEnd(b *bench) {
	id := b.start("late", "exit", "4")
	first := b.wait(id)
	if again := b.wait(id); again != first || again.Code != 4 {
		b.Errorf("Wait = %+v, then %+v; want code 4 twice", first, again)
	}
}

// waitNeverStarted guards against the engine's own answer: a created container
// is "not running", with code 0.
func waitNeverStarted(b *bench) {
	id := b.create("created", runner.Spec{})
	exit, err := b.Engine.Wait(b.ctx, id, b.lives[id])
	if err == nil {
		b.Errorf("Wait for a container that never started = %+v; want an error", exit)
	}
}

func waitCancelled(b *bench) {
	id := b.start("patient", "sleep", "1m")
	ctx, cancel := context.WithCancel(b.ctx)
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := b.Engine.Wait(ctx, id, b.lives[id])
	b.wantCancelled("Wait", err)
	b.stop(id, 0)
}

func waitForNothing(b *bench) {
	_, err := b.Engine.Wait(b.ctx, "nosuchcontainer", "")
	b.wantCode("Wait for a container that is gone", err, problem.ContainerLost)
}

func stopGraceful(b *bench) {
	id := b.start("graceful", "sleep", "1m")
	b.followUntil(id, "sleeping")
	b.stop(id, 30*time.Second)
	if exit := b.wait(id); exit.Code != exitTerminated {
		b.Errorf("Wait = %+v, want the program's own code %d", exit, exitTerminated)
	}
	b.wantTexts("log", texts(b.log(id, time.Time{}), runner.Stdout), "sleeping", "terminated")
}

// stopKills: without grace the kill follows the signal at once, and the program
// may be quicker than it.
func stopKills(b *bench) {
	id := b.start("killed", "sleep", "1m")
	b.followUntil(id, "sleeping")
	b.stop(id, 0)
	if exit := b.wait(id); exit.Code != exitKilled && exit.Code != exitTerminated {
		b.Errorf("Wait = %+v, want %d, or %d where the program was quicker", exit, exitKilled, exitTerminated)
	}
}

// stopEnded: who cancels a run that has ended did not end it.
func stopEnded(b *bench) {
	id := b.start("over", "exit", "5")
	b.wait(id)
	for what, id := range map[string]string{"an ended container": id, "one that never started": b.create("idle", runner.Spec{}), "one that is gone": "nosuchcontainer"} {
		if ran, err := b.Engine.Stop(b.ctx, id, time.Second); err != nil || ran {
			b.Errorf("Stop of %s = %v, %v; want that it did not run", what, ran, err)
		}
	}
	if exit := b.wait(id); exit.Code != 5 {
		b.Errorf("a late Stop changed the outcome to %+v", exit)
	}
}

// stopSignal: a spec's signal reaches the program.
func stopSignal(b *bench) {
	id := b.launch(b.container("signal", runner.Spec{Command: []string{"sleep", "1m"}, StopSignal: "SIGTERM"}))
	b.followUntil(id, "sleeping")
	b.stop(id, 30*time.Second)
	if exit := b.wait(id); exit.Code != exitTerminated {
		b.Errorf("Wait = %+v, want the program's own code %d", exit, exitTerminated)
	}
}

// waitElsewhere: whoever runs in another life than expected survived; whoever
// ended in one was not witnessed.
func waitElsewhere(b *bench) {
	id := b.start("survivor", "sleep", "300ms")
	exit, err := b.Engine.Wait(b.ctx, id, "another")
	if err != nil || exit.Unwitnessed || exit.Code != 0 {
		b.Errorf("Wait for one that runs = %+v, %v; want it witnessed", exit, err)
	}
	exit, err = b.Engine.Wait(b.ctx, id, "another")
	if err != nil || !exit.Unwitnessed {
		b.Errorf("Wait for one that has ended = %+v, %v; want it unwitnessed", exit, err)
	}
	exit, err = b.Engine.Wait(b.ctx, id, "")
	if err != nil || exit.Unwitnessed {
		b.Errorf("Wait with no life to tell by = %+v, %v; want it believed", exit, err)
	}
}

func removeRunning(b *bench) {
	id := b.start("busy", "sleep", "1m")
	if err := b.Engine.Remove(b.ctx, id); err == nil {
		b.Fatal("Remove took a running container")
	}
	b.stop(id, 0)
	for _, try := range []string{"first", "second"} {
		if err := b.Engine.Remove(b.ctx, id); err != nil {
			b.Errorf("%s Remove: %v", try, err)
		}
	}
	if err := b.Engine.Start(b.ctx, id); err == nil {
		b.Error("Start found a removed container")
	}
}

func ownedLists(b *bench) {
	before := time.Now().Add(-time.Minute) // the engine's clock counts in seconds here
	created := b.create("owned-created", runner.Spec{})
	failed := b.create("owned-failed", runner.Spec{Entrypoint: []string{"/no/such/program"}})
	b.wantCode("Start", b.Engine.Start(b.ctx, failed), problem.StartFailed)
	running := b.start("owned-running", "sleep", "1m")
	ended := b.start("owned-ended", "exit", "0")
	b.wait(ended)
	got, err := b.Engine.Owned(b.ctx)
	if err != nil {
		b.Fatalf("Owned: %v", err)
	}
	for i := range got {
		if got[i].Created.Before(before) || got[i].Created.After(time.Now().Add(time.Minute)) {
			b.Errorf("%+v was created at %s, want now", got[i], got[i].Created)
		}
		got[i].Created = time.Time{}
	}
	for _, want := range []runner.Owned{
		{ID: created, Run: "owned-created", Fresh: true},
		{ID: failed, Run: "owned-failed"},
		{ID: running, Run: "owned-running", Running: true},
		{ID: ended, Run: "owned-ended"},
	} {
		if !slices.Contains(got, want) {
			b.Errorf("Owned = %+v lacks %+v", got, want)
		}
	}
	if len(got) != 4 {
		b.Errorf("Owned lists %d containers, want 4", len(got))
	}
	b.stop(running, 0)
}

func confirmGreets(b *bench) {
	if err := b.Engine.Confirm(b.ctx); err != nil {
		b.Errorf("Confirm: %v", err)
	}
}
