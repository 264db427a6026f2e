package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

// writerDir is the variable that makes this program a writer to be killed.
const writerDir = "PREWARM_TEST_WRITER_DIR"

// writerPin is any pin.
var writerPin = func() registry.Pin {
	p, err := registry.ParsePin("registry.test/etl/jobs@sha256:" + strings.Repeat("a", 64))
	if err != nil {
		panic(err)
	}
	return p
}()

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDir); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
	}
	goleak.VerifyTestMain(m)
}

// writeUntilKilled inserts runs, each with secrets and a pin of its own, ends
// every other one, and prints what it has been told is on disk.
func writeUntilKilled(dir string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, dir)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		id := fmt.Sprintf("%06d", n)
		r := runner.Run{ID: id, State: runner.Queued, Terms: runner.Terms{Namespace: "default", Scope: "s"}}
		scope := runner.Scope{Namespace: "default", Name: "s", Pins: []runner.ScopePin{{Track: id, Pin: writerPin}}}
		if err := s.InsertRun(ctx, r, []byte("of "+id), &scope); err != nil {
			return err
		}
		fmt.Println("inserted", id)
		if n%2 == 1 {
			continue
		}
		r.State, r.Spec.SecretEnv = runner.Succeeded, []runner.SecretEnv{{Name: "TOKEN"}}
		if err := s.UpdateRun(ctx, r, notice.New(notice.RunSucceeded)); err != nil {
			return err
		}
		fmt.Println("ended", id)
	}
}

// What was said to be written is there after a kill -9 at any moment, and
// nothing by halves.
func TestKilledWriterLosesNothing(t *testing.T) {
	t.Parallel()
	for round := range 4 {
		dir := t.TempDir()
		told := killWriter(t, dir, 20+13*round)
		s := open(t, dir)
		runs, err := s.Runs(t.Context(), runner.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		pins := map[string]bool{}
		for _, scope := range scopes(t, s) {
			for _, p := range scope.Pins {
				pins[p.Track] = true
			}
		}
		if len(pins) != len(runs) {
			t.Errorf("%d runs and %d pins", len(runs), len(pins))
		}
		news := len(store.Told(t, dir))
		for _, r := range runs {
			if r.State == runner.Succeeded {
				news--
			}
			sealed, err := s.Secrets(t.Context(), r.ID)
			if err != nil || !pins[r.ID] || sealed != nil && string(sealed) != "of "+r.ID {
				t.Errorf("run %s: pin %v, secrets %q, %v", r.ID, pins[r.ID], sealed, err)
			}
			if told["ended "+r.ID] && (r.State != runner.Succeeded || sealed != nil) {
				t.Errorf("run %s was said to be ended: %s, %q", r.ID, r.State, sealed)
			}
			delete(told, "inserted "+r.ID)
			delete(told, "ended "+r.ID)
		}
		if news != 0 {
			t.Errorf("round %d: %d more notices than runs that ended", round, news)
		}
		if len(told) != 0 {
			t.Errorf("round %d: lost %v", round, told)
		}
	}
}

// killWriter kills a writer once it has told of so many writes, and gives what
// it told.
func killWriter(t *testing.T, dir string, after int) map[string]bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), writerDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if told[lines.Text()] = true; len(told) == after {
			_ = cmd.Process.Kill()
		}
		if strings.HasPrefix(lines.Text(), "failed") {
			t.Fatal(lines.Text())
		}
	}
	if err := cmd.Wait(); err == nil || len(told) < after {
		t.Fatalf("the writer was not killed: %v after %d lines", err, len(told))
	}
	return told
}
