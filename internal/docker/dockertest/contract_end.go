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
		{"WaitIsCancelled", waitCancelled},
		{"WaitForNothing", waitForNothing},
		{"StopIsGraceful", stopGraceful},
		{"StopKills", stopKills},
		{"StopOfWhatEnded", stopEnded},
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
	exit, err := b.Engine.Wait(b.ctx, id)
	if err == nil {
		b.Errorf("Wait for a container that never started = %+v; want an error", exit)
	}
}

func waitCancelled(b *bench) {
	id := b.start("patient", "sleep", "1m")
	ctx, cancel := context.WithCancel(b.ctx)
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := b.Engine.Wait(ctx, id)
	b.wantCancelled("Wait", err)
	if err := b.Engine.Stop(b.ctx, id, 0); err != nil {
		b.Errorf("Stop: %v", err)
	}
}

func waitForNothing(b *bench) {
	_, err := b.Engine.Wait(b.ctx, "nosuchcontainer")
	b.wantCode("Wait for a container that is gone", err, problem.ContainerLost)
}

func stopGraceful(b *bench) {
	id := b.start("graceful", "sleep", "1m")
	b.followUntil(id, "sleeping")
	if err := b.Engine.Stop(b.ctx, id, 30*time.Second); err != nil {
		b.Fatalf("Stop: %v", err)
	}
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
	if err := b.Engine.Stop(b.ctx, id, 0); err != nil {
		b.Fatalf("Stop: %v", err)
	}
	if exit := b.wait(id); exit.Code != exitKilled && exit.Code != exitTerminated {
		b.Errorf("Wait = %+v, want %d, or %d where the program was quicker", exit, exitKilled, exitTerminated)
	}
}

func stopEnded(b *bench) {
	id := b.start("over", "exit", "5")
	b.wait(id)
	if err := b.Engine.Stop(b.ctx, id, time.Second); err != nil {
		b.Errorf("Stop of an ended container: %v", err)
	}
	if exit := b.wait(id); exit.Code != 5 {
		b.Errorf("a late Stop changed the outcome to %+v", exit)
	}
	if err := b.Engine.Stop(b.ctx, "nosuchcontainer", time.Second); err != nil {
		b.Errorf("Stop of a container that is gone: %v", err)
	}
}

func removeRunning(b *bench) {
	id := b.start("busy", "sleep", "1m")
	if err := b.Engine.Remove(b.ctx, id); err == nil {
		b.Fatal("Remove took a running container")
	}
	if err := b.Engine.Stop(b.ctx, id, 0); err != nil {
		b.Fatalf("Stop: %v", err)
	}
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
	created := b.create("owned-created", runner.Spec{})
	running := b.start("owned-running", "sleep", "1m")
	ended := b.start("owned-ended", "exit", "0")
	b.wait(ended)
	got, err := b.Engine.Owned(b.ctx)
	if err != nil {
		b.Fatalf("Owned: %v", err)
	}
	for _, want := range []runner.Owned{
		{ID: created, Run: "owned-created"},
		{ID: running, Run: "owned-running", Running: true},
		{ID: ended, Run: "owned-ended"},
	} {
		if !slices.Contains(got, want) {
			b.Errorf("Owned = %+v lacks %+v", got, want)
		}
	}
	if len(got) != 3 {
		b.Errorf("Owned lists %d containers, want 3", len(got))
	}
	if err := b.Engine.Stop(b.ctx, running, 0); err != nil {
		b.Errorf("Stop: %v", err)
	}
}

func confirmGreets(b *bench) {
	if err := b.Engine.Confirm(b.ctx); err != nil {
		b.Errorf("Confirm: %v", err)
	}
}
