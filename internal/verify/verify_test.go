package verify_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/prewarm/prewarm/internal/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script  string
		code    int
		output  string // its end
		failure string
	}{
		"it agrees":             {"echo signed; exit 0", 0, "signed", ""},
		"it refuses":            {"echo 'no matching signatures' >&2; exit 10", 10, "no matching signatures", ""},
		"it is killed":          {"kill -9 $$", 0, "", "signal: killed"},
		"it takes too long":     {"echo waiting; sleep 30", 0, "waiting", "did not end within 300ms"},
		"it leaves one behind":  {"sleep 30 & exit 3", 3, "", ""},
		"and agrees":            {"sleep 30 & exit 0", 0, "", ""},
		"what is not text":      {`printf 'a\377b'`, 0, "a\uFFFDb", ""},
		"the end of much":       {"seq 1 100000; exit 1", 1, "99999\n100000", ""},
		"nothing to read from":  {"cat; echo done", 0, "done", ""},
		"both streams, as came": {"echo a; echo b >&2; echo c", 0, "a\nb\nc", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := 20 * time.Second
			if c.failure != "" {
				limit = 300 * time.Millisecond
			}
			begun := time.Now()
			r := verify.Run(t.Context(), []string{"sh", "-c", c.script}, limit)
			if r.ExitCode != c.code || !strings.HasSuffix(r.Output, c.output) || len(r.Output) > 8<<10 {
				t.Errorf("code %d, output %q", r.ExitCode, r.Output)
			}
			if c.failure == "" && r.Failure != "" || !strings.Contains(r.Failure, c.failure) {
				t.Errorf("failure %q, want %q", r.Failure, c.failure)
			}
			if took := time.Since(begun); took > 10*time.Second || r.Took == 0 {
				t.Errorf("took %s, says %s", took, r.Took)
			}
		})
	}
}

func TestNoSuchProgram(t *testing.T) {
	t.Parallel()
	r := verify.Run(t.Context(), []string{"/nowhere/cosign", "verify"}, time.Second)
	if r.Failure == "" || !strings.Contains(r.Failure, "/nowhere/cosign") || strings.Contains(r.Failure, "within") {
		t.Errorf("failure %q", r.Failure)
	}
}

func TestACallerThatLeavesEndsIt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	begun := time.Now()
	if r := verify.Run(ctx, []string{"sleep", "30"}, time.Minute); r.Failure == "" || time.Since(begun) > 10*time.Second {
		t.Errorf("%+v after %s", r, time.Since(begun))
	}
}
