package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
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
	if err != nil || len(hosts.Hosts) != 1 || hosts.Hosts[0].Name != "a" || hosts.Hosts[0].Running != 1 || hosts.Hosts[0].Runs != 2 || hosts.Hosts[0].MemoryAsked != 3 || hosts.Hosts[0].CPUsAsked != 0.5 {
		t.Errorf("hosts: %+v %v", hosts, err)
	}
	runs, err := c.Runs(ctx)
	if err != nil || len(runs.Runs) != 1 || runs.Runs[0].ID != odd {
		t.Errorf("runs: %+v %v", runs, err)
	}
	for what, call := range map[string]func() (api.Run, error){
		"run":     func() (api.Run, error) { return c.Run(ctx, odd) },
		"cancel":  func() (api.Run, error) { return c.Cancel(ctx, odd) },
		"reject":  func() (api.Run, error) { return c.Reject(ctx, odd) },
		"release": func() (api.Run, error) { return c.Release(ctx, odd) },
	} {
		d.acts = nil
		run, err := call()
		if err != nil || run.ID != odd || run.State != "failed" || run.ExitCode == nil || *run.ExitCode != 3 || !run.Ended {
			t.Errorf("%s: %+v %v", what, run, err)
		}
		if what != "run" && !slices.Equal(d.acts, []string{what + " " + odd}) {
			t.Errorf("%s: %q", what, d.acts)
		}
	}
}

func TestARunIsChecked(t *testing.T) {
	t.Parallel()
	d := &domain{}
	c := ours(t, d)
	got, err := c.CheckRun(t.Context(), api.SubmitRun{Image: odd, Key: odd})
	want := api.RunCheck{Image: odd, Hosts: []string{odd}, Warm: []string{}, Problems: []api.RunProblem{{Code: "no_current", Detail: "none", Mend: "wait"}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" || d.ask.Spec.Image != odd || d.ask.Terms.Key != odd {
		t.Errorf("%v, asked %+v (-want +got):\n%s", err, d.ask, diff)
	}
	_, err = c.CheckRun(t.Context(), api.SubmitRun{})
	expectCode(t, err, problem.InvalidRequest)
}

func TestRunsAreFiltered(t *testing.T) {
	t.Parallel()
	d := &domain{}
	c := ours(t, d)
	f := api.RunFilter{
		States: []string{"running", "timed_out"}, Active: true, Image: "a b", Host: "h&x=1", Key: odd, Scope: "etl/é", Limit: 7, Before: "01/2",
	}
	if _, err := c.RunsBy(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	want := runner.Filter{
		States: []runner.State{runner.Running, runner.TimedOut}, Active: true, Image: "a b", Host: "h&x=1", Key: odd, Scope: "etl/é", Limit: 8, Before: "01/2",
	}
	if diff := cmp.Diff(want, d.filter); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := c.Runs(t.Context()); err != nil || !cmp.Equal(d.filter, runner.Filter{Limit: 101}) {
		t.Errorf("%+v %v", d.filter, err)
	}
	_, err := c.RunsBy(t.Context(), api.RunFilter{States: []string{"dead"}})
	expectCode(t, err, problem.InvalidRequest)
}

func TestAWaitAsksAgain(t *testing.T) {
	t.Parallel()
	d := &domain{waits: 2}
	c := ours(t, d)
	if run, err := c.Wait(t.Context(), odd, time.Second); err != nil || run.Ended || d.waits != 1 {
		t.Errorf("%+v %v, %d waits left", run, err, d.waits)
	}
	if run, err := c.Wait(t.Context(), odd, 0); err != nil || run.Ended || d.waits != 0 {
		t.Errorf("%+v %v, %d waits left", run, err, d.waits)
	}
	if run, err := c.Wait(t.Context(), odd, 1<<62); err != nil || !run.Ended {
		t.Errorf("%+v %v", run, err)
	}
	_, err := c.Wait(t.Context(), "nope", time.Hour)
	expectCode(t, err, problem.RunNotFound)
}

// However long somebody waits, no request is silent for so long that a proxy
// would cut it.
func TestAWaitIsCutIntoPieces(t *testing.T) {
	t.Parallel()
	var asked []string
	c := foreign(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"id":"1","ended":%t}`, len(asked) == 3)
	})
	if run, err := c.Wait(t.Context(), "1", time.Hour); err != nil || !run.Ended {
		t.Errorf("%+v %v", run, err)
	}
	if want := []string{"timeout=50", "timeout=50", "timeout=50"}; !slices.Equal(asked, want) {
		t.Errorf("%q", asked)
	}
}

func TestEveryScopeCall(t *testing.T) {
	t.Parallel()
	d := &domain{}
	c, ctx := ours(t, d), t.Context()
	if all, err := c.Scopes(ctx); err != nil || len(all.Scopes) != 1 || all.Scopes[0].Name != odd {
		t.Errorf("%+v %v", all, err)
	}
	if s, err := c.Scope(ctx, odd); err != nil || s.Name != odd || !s.Live || s.Pins[0].Pin != d.pin(1).String() {
		t.Errorf("%+v %v", s, err)
	}
	if s, err := c.EndScope(ctx, odd); err != nil || s.Live || s.Ended == nil {
		t.Errorf("%+v %v", s, err)
	}
	moved, err := c.Repin(ctx, odd, "jobs")
	if err != nil || moved.Old != d.pin(1).String() || moved.New != d.pin(2).String() || moved.Scope.Name != odd || d.acts[0] != "repin "+odd+" jobs" {
		t.Errorf("%+v %v %q", moved, err, d.acts)
	}
	_, err = c.EndScope(ctx, "nope")
	expectCode(t, err, problem.ScopeNotFound)
}

func TestAHostIsDrainedByItsName(t *testing.T) {
	t.Parallel()
	d := &domain{}
	c, ctx := ours(t, d), t.Context()
	for verb, call := range map[string]func(context.Context, string, string) (api.Host, error){"pause": c.Drain, "resume": c.Undrain} {
		d.acts = nil
		if h, err := call(ctx, odd, "ada"); err != nil || h.Name != odd || !slices.Equal(d.acts, []string{verb + " placing " + odd + " ada"}) {
			t.Errorf("%s: %+v %v %q", verb, h, err, d.acts)
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

func TestASubmitIsRepeatable(t *testing.T) {
	t.Parallel()
	d := &domain{}
	c := ours(t, d)
	run, err := c.Submit(t.Context(), api.SubmitRun{Image: "jobs", Key: "k", WaitWarm: api.Duration(90 * time.Second)}, "once more")
	if err != nil || run.ID != odd || run.Key != "k" || !run.Joined || run.Scope != "renewed" || !slices.Equal(run.Differs, []string{"env"}) {
		t.Fatalf("%+v %v", run, err)
	}
	if d.ask.Idempotency != "once more" || d.ask.Terms.WaitWarm != 90*time.Second {
		t.Errorf("%+v", d.ask)
	}
	if run, err = c.Submit(t.Context(), api.SubmitRun{Image: "jobs"}, ""); err != nil || run.Joined || d.ask.Idempotency != "" {
		t.Errorf("%+v %+v %v", run, d.ask, err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	r := api.SubmitRun{SecretEnv: []api.SecretEnv{{Name: "TOKEN", Value: "hunter2"}}}
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, v := range []any{r, &r, r.SecretEnv, r.SecretEnv[0], &r.SecretEnv[0]} {
			if text := fmt.Sprintf(form, v); strings.Contains(text, "hunter2") {
				t.Errorf("%s: %s", form, text)
			}
		}
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
	_, err = c.Submit(ctx, api.SubmitRun{}, "")
	expectCode(t, err, problem.InvalidRequest)
	_, err = c.Check(ctx, "") // no name at all
	expectCode(t, err, problem.PathNotFound)
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

func TestLogsAsTheyCame(t *testing.T) {
	t.Parallel()
	c := ours(t, &domain{lines: 3})
	for _, f := range []struct {
		after  int64
		follow bool
		want   []int64
	}{{0, false, []int64{1, 2, 3}}, {2, true, []int64{3, 4}}, {3, false, nil}} {
		var out bytes.Buffer
		last, err := c.CopyLogs(t.Context(), odd, f.after, f.follow, &out)
		var got []int64
		for line := range strings.Lines(out.String()) {
			l, err := api.DecodeLine([]byte(line))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, l.Seq)
		}
		if want := f.after + int64(len(f.want)); err != nil || last != want || !slices.Equal(got, f.want) {
			t.Errorf("%+v: %q, last %d, %v", f, out.String(), last, err)
		}
	}
	own := errors.New("the pipe is closed")
	if last, err := c.CopyLogs(t.Context(), odd, 0, false, broken{own}); err != own || last != 0 { //nolint:errorlint // the very error is meant
		t.Errorf("got %d %v", last, err)
	}
	_, err := c.CopyLogs(t.Context(), "nope", 0, false, io.Discard)
	expectCode(t, err, problem.RunNotFound)
}

// broken is a writer that fails.
type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

// Lines longer than any buffer arrive, whole.
func TestLongLines(t *testing.T) {
	t.Parallel()
	long := func(n int64) string { return strings.Repeat("x", 1<<(15+n)) }
	c := foreign(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		for n := range int64(7) {
			_, _ = w.Write(lineOf(spool.Entry{Seq: n + 1, Stream: "stdout", Text: long(n)}))
		}
	})
	var seen, size int64
	err := c.Logs(t.Context(), "1", 0, false, func(l api.LogLine) error {
		if l.Seq != seen+1 || l.Text != long(seen) {
			return fmt.Errorf("line %d has %d bytes", l.Seq, len(l.Text))
		}
		seen++
		size += int64(len(lineOf(spool.Entry{Seq: l.Seq, Stream: "stdout", Text: l.Text})))
		return nil
	})
	if err != nil || seen != 7 {
		t.Fatalf("%d lines: %v", seen, err)
	}
	var out bytes.Buffer
	if last, err := c.CopyLogs(t.Context(), "1", 0, false, &out); err != nil || last != 7 || int64(out.Len()) != size {
		t.Errorf("copied %d bytes of %d to line %d: %v", out.Len(), size, last, err)
	}
}
