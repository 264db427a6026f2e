package runner_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// stubborn ends when it is killed.
func stubborn(ctx context.Context, _ *dockertest.Process) int {
	<-ctx.Done()
	return 137
}

func TestARestartFollowsWhatRuns(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		var runs []runner.Run
		for range 4 {
			runs = append(runs, s.submit("lines", "60", "1s"))
		}
		runs = append(runs, s.submit("lines", "2", "1s")) // queued
		for range 5 {
			s.settle(7 * time.Second)
			s.stop()
			time.Sleep(3 * time.Second)
			s.start()
		}
		for i, run := range runs {
			ended := s.expectEnd(run.ID, runner.Succeeded, "")
			lines := strings.Split(s.log(run.ID), "\n")
			if want := []int{60, 2}[i/4]; len(lines) != want || lines[0] != "line 1" || !ended.Log.Complete || int(ended.Log.Lines) != want {
				t.Errorf("%d lines, log %+v", len(lines), ended.Log)
			}
			if n := s.started(run.ID); n != 1 {
				t.Errorf("started %d times", n)
			}
		}
		s.settle(time.Minute)
		if s.left() != 0 {
			t.Errorf("%d containers are left", s.left())
		}
	})
}

func TestWhatEndedMeanwhileHasItsTrueOutcome(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		good, bad := s.submit("lines", "3", "1m"), s.submit("sleep", "1h")
		s.settle(time.Second)
		s.stop()
		time.Sleep(time.Hour / 2)
		if _, err := s.hosts[mustHost(t, s, bad.ID)].Stop(context.Background(), s.store.runs[bad.ID].ContainerID, time.Second); err != nil {
			t.Fatal(err)
		}
		s.start()
		if run := s.expectEnd(good.ID, runner.Succeeded, ""); s.log(good.ID) != "line 1\nline 2\nline 3" || !run.Log.Complete {
			t.Errorf("%q %+v", s.log(good.ID), run.Log)
		}
		if run := s.expectEnd(bad.ID, runner.Failed, problem.ExitCode); run.ExitCode != 7 {
			t.Errorf("%+v", run)
		}
		interrupted := s.submit("sleep", "1h")
		s.settle(time.Second)
		s.stop()
		s.hosts[mustHost(t, s, interrupted.ID)].Restart()
		s.start()
		s.expectEnd(interrupted.ID, runner.Interrupted, problem.EngineRestarted)
	})
}

func mustHost(t *testing.T, s *scene, id string) string {
	t.Helper()
	run, err := s.store.Run(context.Background(), id)
	if err != nil || run.Host == "" {
		t.Fatalf("run %s: %v on %q", id, err, run.Host)
	}
	return run.Host
}

// A container that is on disk and was never started is started once, and only
// after a while: a start may be under way within the engine.
func TestALostReplyToAStart(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		for _, after := range []bool{false, true} {
			for _, h := range s.hosts {
				h.Fail(dockertest.CallStart, after)
			}
			run := s.submit("lines", "3", "1s")
			ended := s.expectEnd(run.ID, runner.Succeeded, "")
			if s.started(run.ID) != 1 || s.log(run.ID) != "line 1\nline 2\nline 3" || !ended.Log.Complete {
				t.Errorf("started %d times: %q %+v", s.started(run.ID), s.log(run.ID), ended.Log)
			}
			for _, h := range s.hosts {
				h.Calm()
			}
		}
	})
}

func TestALostReplyToACreate(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		s.hosts["a"].Fail(dockertest.CallCreate, true)
		run := s.submit("lines", "1")
		s.expectEnd(run.ID, runner.Succeeded, "")
		s.settle(10 * time.Minute)
		if s.left() != 0 || s.started(run.ID) != 1 {
			t.Errorf("%d containers are left; started %d times", s.left(), s.started(run.ID))
		}
	})
}

func TestContainersThatNoRunClaims(t *testing.T) {
	t.Parallel()
	for _, policy := range []runner.Unclaimed{runner.UnclaimedStop, runner.UnclaimedKeep} {
		inTimeWith(t, runner.Setup{Unclaimed: policy}, func(s *scene) {
			mine := s.submit("sleep", "1h")
			made, err := s.hosts["a"].Create(context.Background(), runner.Container{Name: "prewarm-x", Run: "unknown", Pin: one, Spec: runner.Spec{Command: []string{"sleep", "1h"}}})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.hosts["a"].Start(context.Background(), made.ID); err != nil {
				t.Fatal(err)
			}
			s.settle(6 * time.Minute)
			want := map[runner.Unclaimed]int{runner.UnclaimedStop: 1, runner.UnclaimedKeep: 2}[policy]
			if got := s.left(); got != want {
				t.Errorf("%s: %d containers, want %d", policy, got, want)
			}
			if kept := s.r.Hosts()["a"].Unclaimed; len(kept) != want-1 {
				t.Errorf("%s: unclaimed %v", policy, kept)
			}
			s.expectState(mine.ID, runner.Running)
		})
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	const secret, filed = "s3cret-by-value", "s3cret-by-file"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(filed+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	setup := runner.Setup{Policy: runner.Policy{SecretFiles: []string{filepath.Dir(file)}}}
	inTimeWith(t, setup, func(s *scene) {
		talks := func(ctx context.Context, p *dockertest.Process) int {
			for _, e := range p.Env {
				if _, err := p.Stdout.Write([]byte(e + "\n")); err != nil {
					return 1
				}
			}
			time.Sleep(time.Minute)
			if _, err := p.Stderr.Write([]byte("again: " + secret + "\n")); err != nil {
				return 1
			}
			return 0
		}
		for _, h := range s.hosts {
			h.Program("talks", talks)
		}
		ask := command("talks")
		ask.Spec.SecretEnv = []runner.SecretEnv{{Name: "BY_VALUE"}, {Name: "BY_FILE", File: file}}
		ask.Secrets = map[string]string{"BY_VALUE": secret}
		run := s.ask(ask).Run
		s.settle(10 * time.Second)
		if b, _ := s.store.Secrets(context.Background(), run.ID); b != nil {
			t.Error("the secrets stay in the store")
		}
		s.restart() // the values are in the container only
		s.expectEnd(run.ID, runner.Succeeded, "")
		log := s.log(run.ID)
		if !strings.Contains(log, "BY_VALUE=***") || !strings.Contains(log, "BY_FILE=***") || !strings.Contains(log, "again: ***") {
			t.Errorf("log %s", log)
		}
		everywhere := s.words.Bytes()
		err := filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				b, err := os.ReadFile(path)
				everywhere = append(everywhere, b...)
				return err
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{secret, filed} {
			if bytes.Contains(everywhere, []byte(word)) {
				t.Errorf("%s is in a file or a log", word)
			}
		}
		open := ask
		open.Terms.Unmasked = true
		if run := s.expectEnd(s.ask(open).Run.ID, runner.Succeeded, ""); !strings.Contains(s.log(run.ID), secret) {
			t.Error("masked, though that was not wanted")
		}
	})
}

func TestResults(t *testing.T) {
	t.Parallel()
	inTimeWith(t, runner.Setup{MaxResult: 100}, func(s *scene) {
		const path = "/airflow/xcom/return.json"
		tests := map[string]struct {
			command []string
			want    string
			reason  problem.Code
		}{
			"a value":  {[]string{"write", path, "{\"rows\": 3}\n"}, `{"rows":3}`, ""},
			"none":     {[]string{"exit", "0"}, "", problem.ResultMissing},
			"no JSON":  {[]string{"write", path, "rows: 3"}, "", problem.ResultInvalid},
			"too long": {[]string{"write", path, `"` + strings.Repeat("x", 100) + `"`}, "", problem.ResultTooLarge},
		}
		for name, test := range tests {
			ask := command(test.command...)
			ask.Spec.Result = path
			run := s.expectEnd(s.ask(ask).Run.ID, runner.Succeeded, test.reason)
			if string(run.Result) != test.want {
				t.Errorf("%s: %q, %s", name, run.Result, run.Detail)
			}
		}
	})
}

func TestRetention(t *testing.T) {
	t.Parallel()
	setup := runner.Setup{KeepRuns: 48 * time.Hour, Logs: runner.LogRules{Keep: 12 * time.Hour}}
	inTimeWith(t, setup, func(s *scene) {
		old := s.submit("lines", "3")
		s.end(old.ID)
		s.settle(11 * time.Hour)
		if s.log(old.ID) != "line 1\nline 2\nline 3" {
			t.Error("the log is gone too early")
		}
		s.settle(3 * time.Hour)
		err := s.r.CopyLog(context.Background(), old.ID, 0, false, func([]byte) error { return nil })
		if problem.CodeOf(err) != problem.LogRemoved {
			t.Errorf("got %v", err)
		}
		s.settle(48 * time.Hour)
		if _, err := s.r.Get(context.Background(), old.ID); problem.CodeOf(err) != problem.RunNotFound {
			t.Errorf("got %v", err)
		}
	})
}

// Above the total the oldest logs go first: none stays because it is small.
func TestTheOldestLogsGoFirst(t *testing.T) {
	t.Parallel()
	inTimeWith(t, runner.Setup{Logs: runner.LogRules{Total: 10 << 10}}, func(s *scene) {
		var ids []string
		for _, lines := range []string{"3", "30000", "3", "3"} {
			id := s.submit("lines", lines).ID
			s.end(id)
			ids = append(ids, id)
		}
		s.settle(2 * time.Hour)
		for i, id := range ids {
			run, err := s.r.Get(context.Background(), id)
			if err != nil || run.Log.Removed != (i < 2) {
				t.Errorf("log %d is removed: %t %v", i, run.Log.Removed, err)
			}
		}
	})
}

func TestAClockThatIsSetBack(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit("lines", "60", "1s")
		s.settle(20 * time.Second)
		s.hosts["a"].SetClockOffset(-time.Hour)
		s.settle(5 * time.Second)
		s.down("a", true)
		s.settle(5 * time.Second)
		s.down("a", false)
		ended := s.expectEnd(run.ID, runner.Succeeded, "")
		all := s.entries(run.ID)
		if len(all) != 60 || !ended.Log.Complete {
			t.Errorf("%d lines, %+v", len(all), ended.Log)
		}
		for i := 1; i < len(all); i++ {
			if !all[i].Time.After(all[i-1].Time) {
				t.Errorf("line %d is not later than the one before", i+1)
			}
		}
	})
}

func TestALongLog(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit("count", "30000", "20")
		ended := s.expectEnd(run.ID, runner.Succeeded, "")
		all := s.entries(run.ID)
		if len(all) != 30000 || !ended.Log.Complete || strings.TrimSpace(all[29999].Text) != "30000" {
			t.Errorf("%d lines, %+v", len(all), ended.Log)
		}
		for _, h := range s.hosts {
			h.Program("count-slowly", func(_ context.Context, p *dockertest.Process) int {
				for i := range 30000 {
					if i == 20000 {
						time.Sleep(time.Minute)
					}
					if _, err := p.Stdout.Write([]byte(strings.Repeat("x", i%7) + "\n")); err != nil {
						return 1
					}
				}
				return 0
			})
		}
		run = s.submit("count-slowly")
		s.settle(30 * time.Second)
		h := s.host(run.ID)
		h.Rotate(s.store.runs[run.ID].ContainerID, 1)
		if ended := s.expectEnd(run.ID, runner.Succeeded, ""); ended.Log.Complete || ended.Log.Lines != 30000 {
			t.Errorf("%+v", ended.Log)
		}
	})
}

func TestALogThatWasRotatedAwayIsNotComplete(t *testing.T) {
	t.Parallel()
	inTime(t, func(s *scene) {
		run := s.submit("lines", "60", "1s")
		s.settle(20 * time.Second)
		s.down("a", true)
		s.settle(20 * time.Second)
		s.hosts["a"].Rotate(s.store.runs[run.ID].ContainerID, 5)
		s.down("a", false)
		if ended := s.expectEnd(run.ID, runner.Succeeded, ""); ended.Log.Complete || ended.Log.Gap == "" {
			t.Errorf("%+v", ended.Log)
		}
	})
}
