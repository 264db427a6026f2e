package dockertest

import (
	"runtime"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func launchTests() []contractTest {
	return []contractTest{
		{"CreateNeedsTheImage", createNeedsImage},
		{"CreateAgainGivesTheSame", createAgain},
		{"CreateRefusesAForeignName", createForeignName},
		{"CreateRefusesAnEndedOne", createEnded},
		{"StartOnce", startOnce},
		{"StartKnowsNoSuchCommand", startNoCommand},
		{"EntrypointReplacesCommand", entrypoint},
		{"SpecReachesTheProgram", specReaches},
		{"EnvironmentIsTheContainers", containersEnv},
		{"PlatformIsPassedOn", platformPassed},
		{"AliasesNeedANetwork", aliasesAlone},
	}
}

func createNeedsImage(b *bench) {
	_, err := b.Engine.Create(b.ctx, b.container("cold", runner.Spec{}))
	b.wantCode("Create of a cold image", err, problem.ImageLost)
}

func createAgain(b *bench) {
	id := b.create("again", runner.Spec{Command: []string{"print", "x"}})
	again, err := b.Engine.Create(b.ctx, b.container("again", runner.Spec{Command: []string{"print", "x"}}))
	if err != nil || again.ID != id {
		b.Fatalf("Create again = %+v, %v; want %q: its reply may have been lost", again, err, id)
	}
	if err := b.Engine.Start(b.ctx, id); err != nil {
		b.Fatalf("Start: %v", err)
	}
	b.wait(id)
	b.wantTexts("log", texts(b.log(id, time.Time{}), runner.Stdout), "x")
}

func createForeignName(b *bench) {
	b.create("mine", runner.Spec{})
	c := b.container("mine", runner.Spec{})
	c.Run = "other"
	_, err := b.Engine.Create(b.ctx, c)
	b.wantCode("Create under another run's name", err, problem.EngineAPI)
}

func createEnded(b *bench) {
	id := b.start("ended", "print", "once")
	b.wait(id)
	_, err := b.Engine.Create(b.ctx, b.container("ended", runner.Spec{Command: []string{"print", "once"}}))
	b.wantCode("Create for a run that has ended", err, problem.EngineAPI)
}

// startOnce guards against executing a job twice: an engine asked to start an
// ended container runs it again.
func startOnce(b *bench) {
	id := b.start("once", "sleep", "200ms")
	b.wantCode("Start of a running container", b.Engine.Start(b.ctx, id), problem.StartFailed)
	b.wait(id)
	b.wantCode("Start of an ended container", b.Engine.Start(b.ctx, id), problem.StartFailed)
	b.wantTexts("log", texts(b.log(id, time.Time{}), runner.Stdout), "sleeping")
}

func startNoCommand(b *bench) {
	id := b.create("nocommand", runner.Spec{Entrypoint: []string{"/no/such/program"}})
	b.wantCode("Start", b.Engine.Start(b.ctx, id), problem.StartFailed)
	b.wantCode("Start again", b.Engine.Start(b.ctx, id), problem.StartFailed)
	_, err := b.Engine.Wait(b.ctx, id, b.lives[id])
	b.wantCode("Wait", err, problem.StartFailed)
	if err := b.Engine.Remove(b.ctx, id); err != nil {
		b.Errorf("Remove: %v", err)
	}
}

func entrypoint(b *bench) {
	got := b.output("entrypoint", runner.Spec{Entrypoint: []string{"/program", "print", "a"}, Command: []string{"b"}})
	b.wantTexts("entrypoint and command", got, "a", "b")
	got = b.output("bare", runner.Spec{Entrypoint: []string{"/program", "print", "a"}})
	b.wantTexts("entrypoint alone", got, "a")
}

func specReaches(b *bench) {
	got := b.output("env", runner.Spec{Command: []string{"env"}, Env: []string{"GREETING=good day", "EMPTY="}})
	for _, want := range []string{"GREETING=good day", "EMPTY="} {
		if !slices.Contains(got, want) {
			b.Errorf("environment %q lacks %q", got, want)
		}
	}
	got = b.output("whoami", runner.Spec{Command: []string{"whoami"}, User: "1000:1001", Workdir: "/tmp"})
	b.wantTexts("whoami", got, "1000", "1001", "/tmp")
}

// containersEnv: the spec's variables stand without the host's and the secret
// ones, and are not what a container gets.
func containersEnv(b *bench) {
	c := b.container("secret", runner.Spec{Command: []string{"env"}, Env: []string{"OPEN=spec"}})
	c.Env = []string{"OPEN=container", "TOKEN=a=b c", "TWICE=1", "TWICE=2"}
	id := b.launch(c)
	b.wait(id)
	got := texts(b.log(id, time.Time{}), runner.Stdout)
	for _, want := range []string{"OPEN=container", "TOKEN=a=b c", "TWICE=2"} {
		if !slices.Contains(got, want) {
			b.Errorf("environment %q lacks %q", got, want)
		}
	}
	values, err := b.Engine.Secrets(b.ctx, id, []string{"TWICE", "NOSUCH", "TOKEN"})
	if err != nil || !slices.Equal(values, []string{"2", "", "a=b c"}) {
		b.Errorf("Secrets = %q, %v", values, err)
	}
	_, err = b.Engine.Secrets(b.ctx, "nosuchcontainer", []string{"TOKEN"})
	b.wantCode("Secrets of a container that is gone", err, problem.ContainerLost)
}

func platformPassed(b *bench) {
	b.wantTexts("log", b.output("platform", runner.Spec{Command: []string{"print", "x"}, Platform: "linux/" + runtime.GOARCH}), "x")
}

func aliasesAlone(b *bench) {
	b.keep(b.Good)
	c := b.container("aliases", runner.Spec{Aliases: []string{"db"}})
	c.Spec.Network = ""
	_, err := b.Engine.Create(b.ctx, c)
	b.wantCode("Create with aliases in no network", err, problem.InvalidRequest)
}
