//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/test/fleet"
)

func codeOf(err error) problem.Code { return problem.CodeOf(err) }

// ready starts a server on which jobs is current.
func ready(t *testing.T) *bench {
	t.Helper()
	digest := push(t, repo(t)+":latest", fleet.ProgramImage("one"))
	b := newBench(t, image(t))
	b.awaitCurrent(digest)
	return b
}

func TestWhatARunIsGiven(t *testing.T) {
	t.Parallel()
	b := ready(t)
	envFile := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(envFile, []byte("# comment\nFROM_FILE=a b\nBOTH=file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := b.mustCLI("run", "jobs", "-e", "K=V", "--env-file", envFile, "-e", "BOTH=flag", "--", "env")
	for _, want := range []string{"K=V\n", "FROM_FILE=a b\n", "BOTH=flag\n", "PROGRAM_VERSION=one\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("environment lacks %q:\n%s", want, out)
		}
	}
	if out := b.mustCLI("run", "jobs", "-u", "1000:1001", "-w", "/somewhere", "--", "whoami"); out != "1000\n1001\n/somewhere\n" {
		t.Errorf("whoami: %q", out)
	}
	if out := b.mustCLI("run", "jobs", "--entrypoint", "/program", "--memory", "64m", "--cpus", "0.5", "--network", "none"); out != "program one\n" {
		t.Errorf("with limits: %q", out)
	}
}

func TestStreamsAndExitCodes(t *testing.T) {
	t.Parallel()
	b := ready(t)
	r := b.cli("run", "jobs", "--", "both", "3")
	if r.code != 0 || r.stdout != "out 1\nout 2\nout 3\n" || r.stderr != "err 1\nerr 2\nerr 3\n" {
		t.Errorf("both: %s", r)
	}
	if r := b.cli("run", "jobs", "--", "noeol", "no end"); r.stdout != "no end" {
		t.Errorf("noeol: %s", r)
	}
	if r := b.cli("run", "jobs", "--", "long", "100000"); len(r.stdout) != 100001 {
		t.Errorf("long: %d bytes", len(r.stdout))
	}
	for _, code := range []int{1, 42, 255} {
		if r := b.cli("run", "jobs", "--", "exit", fmt.Sprint(code)); r.code != code || r.stderr != "" {
			t.Errorf("exit %d: %s", code, r)
		}
	}
	b.cli("run", "jobs", "-m", "32m", "--", "oom").expect(t, 137, "out of memory")
	for _, h := range shared.Hosts {
		await(t, "no container is left on "+h.Name, func() bool { return b.containers(h) == "" })
	}
}

// containers lists the containers of this server's runs on a host. Other tests
// use the host, too, and leave what their killed servers knew of.
func (b *bench) containers(h *fleet.Host) string {
	b.t.Helper()
	runs, err := b.client().Runs(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	var ours []string
	for line := range strings.Lines(docker(b.t, h, "ps", "-a", "--format", `{{.Label "prewarm.run"}} {{.ID}} {{.Status}}`)) {
		id, _, _ := strings.Cut(line, " ")
		if slices.ContainsFunc(runs.Runs, func(r api.Run) bool { return r.ID == id }) {
			ours = append(ours, line)
		}
	}
	return strings.Join(ours, "")
}

func TestLinesComeAsTheyArePrinted(t *testing.T) {
	t.Parallel()
	b := ready(t)
	cmd := b.Command(t.Context(), "run", "jobs", "--", "lines", "5", "1s")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var at []time.Time
	for lines := bufio.NewScanner(out); lines.Scan(); {
		at = append(at, time.Now())
		if want := fmt.Sprint("line ", len(at)); lines.Text() != want {
			t.Errorf("got %q, want %q", lines.Text(), want)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if len(at) != 5 || at[4].Sub(at[0]) < time.Second { // four of which the first ones may be late
		t.Errorf("lines at %v, which were printed one a second", at)
	}
}

func TestSignalsCancel(t *testing.T) {
	t.Parallel()
	b := ready(t)
	for s, code := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130} {
		cmd := b.Command(t.Context(), "run", "jobs", "--", "sleep", "1h")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || line != "sleeping\n" {
			t.Fatalf("got %q %v", line, err)
		}
		begun := time.Now()
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // its code is what counts
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Errorf("%s: code %d, want %d", s, got, code)
		}
		// Long before the engine would kill it: its program answers SIGTERM.
		if took := time.Since(begun); s == syscall.SIGTERM && took > 8*time.Second {
			t.Errorf("%s: took %s", s, took)
		}
	}
	await(t, "both runs are recorded as canceled", func() bool {
		runs, err := b.client().Runs(t.Context())
		return err == nil && len(runs.Runs) == 2 && runs.Runs[0].State == "canceled" && runs.Runs[1].State == "canceled"
	})
}

func TestWaitWarmRunsAtTheFirstPromotion(t *testing.T) {
	t.Parallel()
	b := newBench(t, image(t))
	b.cli("run", "jobs").expect(t, 125, "has no current digest yet")
	done := make(chan result, 1)
	go func() { done <- b.cli("run", "jobs", "--wait-warm", "1m", "--", "version") }()
	time.Sleep(time.Second) // let it queue; if it doesn't get to, the test is merely weaker
	push(t, repo(t)+":latest", fleet.ProgramImage("late"))
	if r := <-done; r.code != 0 || r.stdout != "late\n" {
		t.Errorf("got %s", r)
	}
	if code := apiError(t, b, api.SubmitRun{Image: "nope", WaitWarm: api.Duration(time.Minute)}); code != "image_not_managed" {
		t.Errorf("an unknown image waits: %s", code)
	}
}
