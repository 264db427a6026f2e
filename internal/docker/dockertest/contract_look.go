package dockertest

import (
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func lookTests() []contractTest {
	return []contractTest{
		{"LookTellsHowItStands", lookTells},
		{"LookTellsAFailedStart", lookFailed},
		{"LookFindsNothing", lookNothing},
	}
}

// look looks at a container by its id and by its name, which must be the same.
func (b *bench) look(id, run string) runner.Look {
	b.Helper()
	got, err := b.Engine.Look(b.ctx, id)
	if err != nil {
		b.Fatalf("Look: %v", err)
	}
	named, err := b.Engine.Look(b.ctx, "prewarm-contract-"+run)
	if err != nil || named != got {
		b.Errorf("Look by name = %+v, %v; want %+v", named, err, got)
	}
	if got.Life != b.lives[id] {
		b.Errorf("Look tells life %q, Create told %q", got.Life, b.lives[id])
	}
	got.Life = ""
	return got
}

func (b *bench) wantLook(what string, got, want runner.Look) {
	b.Helper()
	if got != want {
		b.Errorf("Look at %s = %+v, want %+v", what, got, want)
	}
}

func lookTells(b *bench) {
	id := b.create("look", runner.Spec{Command: []string{"sleep", "1m"}})
	b.wantLook("a created one", b.look(id, "look"), runner.Look{ID: id, Fresh: true})
	if err := b.Engine.Start(b.ctx, id); err != nil {
		b.Fatalf("Start: %v", err)
	}
	b.wantLook("a running one", b.look(id, "look"), runner.Look{ID: id, Running: true})
	b.stop(id, 0)
	b.wait(id)
	b.wantLook("an ended one", b.look(id, "look"), runner.Look{ID: id})
}

func lookFailed(b *bench) {
	id := b.create("lookfailed", runner.Spec{Entrypoint: []string{"/no/such/program"}})
	b.wantCode("Start", b.Engine.Start(b.ctx, id), problem.StartFailed)
	got := b.look(id, "lookfailed")
	if got.Failed == "" {
		b.Error("Look does not tell why the start failed")
	}
	got.Failed = ""
	b.wantLook("one that could not be started", got, runner.Look{ID: id})
}

func lookNothing(b *bench) {
	id := b.create("lookgone", runner.Spec{})
	b.remove(id)
	for _, id := range []string{id, "prewarm-contract-lookgone"} {
		_, err := b.Engine.Look(b.ctx, id)
		b.wantCode("Look at a container that is gone", err, problem.ContainerLost)
	}
}
