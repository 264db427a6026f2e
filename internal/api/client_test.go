package api_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func TestEveryCall(t *testing.T) {
	t.Parallel()
	d := &domain{}
	c, ctx := ours(t, d), t.Context()
	images, err := c.Images(ctx)
	if err != nil || len(images.Images) != 1 || images.Images[0].Name != odd {
		t.Errorf("images: %+v %v", images, err)
	}
	image, err := c.Image(ctx, odd)
	if err != nil || image.Name != odd || image.Tracks[0].Tag != "latest" {
		t.Errorf("image: %+v %v", image, err)
	}
	checked, err := c.Check(ctx, odd)
	if err != nil || checked.Image != odd || !checked.Tracks[0].New {
		t.Errorf("check: %+v %v", checked, err)
	}
	if _, err := c.Warm(ctx, odd, []string{"a", "b"}); err != nil || !slices.Equal(d.hosts, []string{"a", "b"}) {
		t.Errorf("warm: %q %v", d.hosts, err)
	}
	if _, err := c.Warm(ctx, odd, nil); err != nil || d.hosts != nil {
		t.Errorf("warm everywhere: %q %v", d.hosts, err)
	}
	hosts, err := c.Hosts(ctx)
	if err != nil || len(hosts.Hosts) != 1 || hosts.Hosts[0].Name != "a" || hosts.Hosts[0].Running != 1 || hosts.Hosts[0].Runs != 2 {
		t.Errorf("hosts: %+v %v", hosts, err)
	}
	runs, err := c.Runs(ctx)
	if err != nil || len(runs.Runs) != 1 || runs.Runs[0].ID != odd {
		t.Errorf("runs: %+v %v", runs, err)
	}
	for what, call := range map[string]func() (api.Run, error){
		"run":    func() (api.Run, error) { return c.Run(ctx, odd) },
		"cancel": func() (api.Run, error) { return c.Cancel(ctx, odd) },
	} {
		run, err := call()
		if err != nil || run.ID != odd || run.State != "failed" || run.ExitCode == nil || *run.ExitCode != 3 || !run.Ended {
			t.Errorf("%s: %+v %v", what, run, err)
		}
	}
}

// What people do arrives with who they say they are; a name may hold a tag.
func TestEveryAct(t *testing.T) {
	t.Parallel()
	d := &domain{}
	c, ctx := ours(t, d), t.Context()
	approved, err := c.Approve(ctx, odd, api.ApproveRequest{Digest: "12", By: "ada"})
	if err != nil || approved.Image != odd || approved.Rollout.Digest == "" {
		t.Errorf("approve: %+v %v", approved, err)
	}
	back, err := c.Rollback(ctx, "jobs:v1", api.RollbackRequest{})
	if err != nil || back.Left == "" {
		t.Errorf("rollback: %+v %v", back, err)
	}
	for what, call := range map[string]func(context.Context, string, api.HoldRequest) (api.Image, error){"hold": c.Hold, "unhold": c.Unhold} {
		d.acts = nil
		if image, err := call(ctx, odd, api.HoldRequest{By: "ada"}); err != nil || image.Name != odd || d.acts[0] != what+" "+odd+" ada" {
			t.Errorf("%s: %+v %v %q", what, image, err, d.acts)
		}
	}
	for what, call := range map[string]func(context.Context, api.PauseRequest) (api.Pauses, error){"pause": c.Pause, "resume": c.Resume} {
		d.acts = nil
		all, err := call(ctx, api.PauseRequest{What: "warming", Host: "a", By: "ada"})
		if err != nil || len(all.Pauses) != 1 || all.Pauses[0].By != "ada" || d.acts[0] != what+" warming a ada" {
			t.Errorf("%s: %+v %v %q", what, all, err, d.acts)
		}
	}
	if all, err := c.Pauses(ctx); err != nil || len(all.Pauses) != 1 || all.Pauses[0].What != "watching" {
		t.Errorf("pauses: %+v %v", all, err)
	}
	history, err := c.History(ctx, odd, 1)
	if err != nil || len(history.Rollouts) != 1 || history.Rollouts[0].Hosts != nil || history.Acts[0].Verb != "hold" {
		t.Errorf("history: %+v %v", history, err)
	}
	diff, err := c.Diff(ctx, odd, "", "sha256:22")
	if err != nil || diff.A.Digest != string(d.pin(1).Digest()) || diff.B.Digest != string(d.pin(2).Digest()) {
		t.Errorf("diff: %+v %v", diff, err)
	}
	_, err = c.Diff(ctx, odd, "33", "")
	expectCode(t, err, problem.RolloutNotFound)
}

func TestAnActArrivesAsItWasMeant(t *testing.T) {
	t.Parallel()
	d := &domain{}
	c, ctx := ours(t, d), t.Context()
	if _, err := c.Approve(ctx, odd, api.ApproveRequest{Digest: "12", By: "ada"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Rollback(ctx, "jobs:v1", api.RollbackRequest{Digest: "34", By: "bob"}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"approve " + odd + " 12 ada", "rollback jobs:v1 34 bob"}; !slices.Equal(d.acts, want) {
		t.Errorf("got %q", d.acts)
	}
}

func TestASubmitArrivesAsItWasMeant(t *testing.T) {
	t.Parallel()
	d := &domain{}
	c := ours(t, d)
	run, err := c.Submit(t.Context(), api.SubmitRun{
		Image: "jobs", Command: []string{"a b", "", "<&>\n\"é\""}, Entrypoint: []string{"/bin/sh", "-c"}, Env: []string{"A=", "B=c=d"},
		Network: "none", User: "1:2", Workdir: "/w", Memory: 1 << 40, CPUs: 0.3, WaitWarm: api.Duration(90 * time.Second),
	})
	if err != nil || run.ID != odd {
		t.Fatalf("%+v %v", run, err)
	}
	want := runner.Spec{
		Image: "jobs", Command: []string{"a b", "", "<&>\n\"é\""}, Entrypoint: []string{"/bin/sh", "-c"}, Env: []string{"A=", "B=c=d"},
		Network: "none", User: "1:2", Workdir: "/w", Memory: 1 << 40, NanoCPUs: 300_000_000,
	}
	if diff := cmp.Diff(want, d.spec); diff != "" || d.waitWarm != 90*time.Second {
		t.Errorf("wait %s, spec (-want +got):\n%s", d.waitWarm, diff)
	}
	if _, err := c.Submit(t.Context(), api.SubmitRun{Image: "jobs"}); err != nil || !cmp.Equal(d.spec, runner.Spec{Image: "jobs"}) || d.waitWarm != 0 {
		t.Errorf("nothing but an image: %+v %s %v", d.spec, d.waitWarm, err)
	}
}

func TestTheServersProblemsArriveWhole(t *testing.T) {
	t.Parallel()
	c, ctx := ours(t, &domain{}), t.Context()
	for _, name := range []string{"nope", "..", ".", "a/../b"} {
		_, err := c.Image(ctx, name)
		if p := problemOf(t, err, problem.ImageNotManaged); p.Mend != "ask for another" || p.RetryAfter != 90*time.Second || p.Message != `no "`+name+`" here` {
			t.Errorf("%+v", p)
		}
	}
	_, err := c.Run(ctx, "nope")
	expectCode(t, err, problem.RunNotFound)
	expectCode(t, c.Logs(ctx, "nope", 0, true, nil), problem.RunNotFound)
	_, err = c.Submit(ctx, api.SubmitRun{})
	expectCode(t, err, problem.InvalidRequest)
	_, err = c.Check(ctx, "") // no name at all
	expectCode(t, err, problem.InvalidRequest)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	c := ours(t, &domain{lines: 3})
	read := func(after int64, follow bool) (events []api.Event) {
		if err := c.Events(t.Context(), after, follow, func(e api.Event) error { events = append(events, e); return nil }); err != nil {
			t.Fatal(err)
		}
		return events
	}
	if got := read(0, false); len(got) != 3 || got[0].Seq != 1 || got[2].Kind != "act" || got[2].State != "hold" {
		t.Errorf("%+v", got)
	}
	if got := read(2, true); len(got) != 2 || got[0].Seq != 3 || got[1].Host != "a" {
		t.Errorf("%+v", got)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	c := ours(t, &domain{lines: 3})
	read := func(after int64, follow bool) (lines []api.LogLine) {
		if err := c.Logs(t.Context(), odd, after, follow, func(l api.LogLine) error { lines = append(lines, l); return nil }); err != nil {
			t.Fatal(err)
		}
		return lines
	}
	if got := read(0, false); len(got) != 3 || got[0].Seq != 1 || got[2].Text != "line 3" || got[0].Stream != "stderr" {
		t.Errorf("%+v", got)
	}
	if got := read(2, true); len(got) != 2 || got[0].Seq != 3 || got[1].Text != "last" || !got[1].Open {
		t.Errorf("%+v", got)
	}
	if got := read(3, false); got != nil {
		t.Errorf("%+v", got)
	}
	own := errors.New("the pipe is closed")
	if err := c.Logs(t.Context(), odd, 0, true, func(api.LogLine) error { return own }); err != own { //nolint:errorlint // the very error is meant
		t.Errorf("got %v", err)
	}
}
