package dockertest

import (
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func roomTests() []contractTest {
	return []contractTest{
		{"ResultIsGiven", resultGiven},
		{"ResultOfAContainerThatIsGone", resultGone},
		{"ResultInMemoryIsRefused", resultInMemory},
		{"ScratchIsWritable", scratchWritable},
		{"VolumesGoWithTheContainer", volumesGo},
		{"ScopeVolumeIsShared", scopeShared},
		{"ForeignVolumesAreLeft", foreignVolumes},
	}
}

const resultPath = "/airflow/xcom/return.json"

// somebody is no user of the image's.
const somebody = "1000:1000"

// resultGiven: any user may write it, whatever the root file system is.
func resultGiven(b *bench) {
	for run, s := range map[string]runner.Spec{
		"result":                    {},
		"result-readonly":           {ReadOnly: true},
		"result-volume":             {Mounts: []runner.Mount{{Kind: runner.Volume, Source: "contract-result", Target: "/airflow/xcom"}}},
		"result-in-readonly-volume": {ReadOnly: true, Mounts: []runner.Mount{{Kind: runner.Volume, Source: "contract-result", Target: "/airflow"}}},
	} {
		s.User, s.Result, s.Command = somebody, resultPath, []string{"write", resultPath, `{"rows": 7}`}
		id := b.launch(b.container(run, s))
		if exit := b.wait(id); exit.Code != 0 {
			b.Errorf("%s: Wait = %+v; log %+v", run, exit, b.log(id, time.Time{}))
			continue
		}
		if got, err := b.Engine.Result(b.ctx, id, resultPath, 11); err != nil || string(got) != `{"rows": 7}` {
			b.Errorf("%s: Result = %q, %v", run, got, err)
		}
		_, err := b.Engine.Result(b.ctx, id, resultPath, 10)
		b.wantCode(run+": Result of a file that is too long", err, problem.ResultTooLarge)
		for _, path := range []string{"/airflow/xcom/other.json", "/no/such/folder.json"} {
			_, err := b.Engine.Result(b.ctx, id, path, 1<<20)
			b.wantCode(run+": Result that is not there", err, problem.ResultMissing)
		}
		b.remove(id)
	}
}

func resultGone(b *bench) {
	_, err := b.Engine.Result(b.ctx, "nosuchcontainer", resultPath, 1<<20)
	b.wantCode("Result of a container that is gone", err, problem.ContainerLost)
}

func resultInMemory(b *bench) {
	b.keep(b.Good)
	for run, s := range map[string]runner.Spec{
		"memory":  {Mounts: []runner.Mount{{Kind: runner.Tmpfs, Target: "/airflow"}}},
		"scratch": {Scratch: &runner.Scratch{Kind: runner.Tmpfs, Target: "/airflow/xcom"}},
	} {
		s.Result = resultPath
		_, err := b.Engine.Create(b.ctx, b.container(run, s))
		b.wantCode(run, err, problem.InvalidRequest)
	}
}

func scratchWritable(b *bench) {
	for run, s := range map[string]runner.Spec{
		"volume":          {Scratch: &runner.Scratch{Kind: runner.Volume, Target: "/scratch"}},
		"volume-readonly": {Scratch: &runner.Scratch{Kind: runner.Volume, Target: "/scratch"}, ReadOnly: true},
		"tmpfs":           {Scratch: &runner.Scratch{Kind: runner.Tmpfs, Target: "/scratch", Size: 1 << 20}, ReadOnly: true},
	} {
		s.User, s.Command = somebody, []string{"write", "/scratch/x", "y"}
		id := b.launch(b.container(run, s))
		if exit := b.wait(id); exit.Code != 0 {
			b.Errorf("%s: Wait = %+v; log %+v", run, exit, b.log(id, time.Time{}))
		}
		s.Command = []string{"env"}
		if got := b.output(run+"-env", s); !slices.Contains(got, "TMPDIR=/scratch") {
			b.Errorf("%s: environment %q lacks TMPDIR", run, got)
		}
	}
	s := runner.Spec{Scratch: &runner.Scratch{Kind: runner.Tmpfs, Target: "/scratch"}, Command: []string{"env"}, Env: []string{"TMPDIR=/mine"}}
	if got := b.output("own", s); !slices.Contains(got, "TMPDIR=/mine") {
		b.Errorf("environment %q lacks the caller's own TMPDIR", got)
	}
}

// volumes are the names of all volumes on the engine.
func (b *bench) volumes() []string {
	b.Helper()
	all, err := b.Others.Volumes(b.ctx)
	if err != nil {
		b.Fatal(err)
	}
	return all
}

// volumesGo: what was made for one run is gone with it, helpers included.
func volumesGo(b *bench) {
	before := b.volumes()
	for run, s := range map[string]runner.Spec{
		"plain": {}, "readonly": {ReadOnly: true},
	} {
		s.Scratch, s.Result = &runner.Scratch{Kind: runner.Volume, Target: "/scratch"}, resultPath
		id := b.create(run, s)
		if again, err := b.Engine.Create(b.ctx, b.container(run, s)); err != nil || again.ID != id {
			b.Errorf("Create again = %+v, %v; want %s", again, err, id)
		}
		if owned, err := b.Engine.Owned(b.ctx); err != nil || len(owned) != 1 {
			b.Errorf("%s: Owned = %+v, %v; want one", run, owned, err)
		}
		b.remove(id)
	}
	b.wantTexts("volumes", b.volumes(), before...)
}

// scopeShared: what a run leaves in the volume of its scope, the next one finds,
// be it another user's.
func scopeShared(b *bench) {
	for name, readOnly := range map[string]bool{"contract-scope": false, "contract-scope-readonly": true} {
		for range 2 { // one that is there is no error
			if err := b.Engine.MakeVolume(b.ctx, name, map[string]string{"prewarm.scope": "daily"}); err != nil {
				b.Fatalf("MakeVolume: %v", err)
			}
		}
		run := func(run, user string, command ...string) string {
			c := b.container(name+run, runner.Spec{User: user, ScopeVolume: "/share", ReadOnly: readOnly, Command: command})
			c.ScopeVolume = name
			id := b.launch(c)
			if exit := b.wait(id); exit.Code != 0 {
				b.Errorf("%q: Wait = %+v; log %+v", command, exit, b.log(id, time.Time{}))
			}
			return id
		}
		first := run("1", somebody, "write", "/share/a", "for the next")
		b.remove(first)
		second := run("2", "1001:1001", "cat", "/share/a")
		b.wantTexts("the next run reads", texts(b.log(second, time.Time{}), runner.Stdout), "for the next")
		third := run("3", "1001:1001", "write", "/share/b", "")
		b.remove(third)
		b.wantCode("RemoveVolume in use", b.Engine.RemoveVolume(b.ctx, name), problem.VolumeInUse)
		b.remove(second)
		for range 2 { // one that is gone is no error
			if err := b.Engine.RemoveVolume(b.ctx, name); err != nil {
				b.Errorf("RemoveVolume: %v", err)
			}
		}
		if slices.Contains(b.volumes(), name) {
			b.Errorf("the volume %s is still there", name)
		}
	}
}

func foreignVolumes(b *bench) {
	const name = "contract-foreign"
	if err := b.Others.MakeVolume(b.ctx, name); err != nil {
		b.Fatal(err)
	}
	b.wantCode("MakeVolume of somebody else's name", b.Engine.MakeVolume(b.ctx, name, nil), problem.EngineAPI)
	b.wantCode("RemoveVolume of somebody else's", b.Engine.RemoveVolume(b.ctx, name), problem.EngineAPI)
	if !slices.Contains(b.volumes(), name) {
		b.Error("somebody else's volume was removed")
	}
}
