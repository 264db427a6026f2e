//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// bench is one test's server.
type bench struct {
	*prewarmtest.Server
	t       *testing.T
	dir     string
	address string
	log     *logBuffer
}

// logBuffer is read while the server writes.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logBuffer) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

// repo is a repository of the test's own.
func repo(t *testing.T) string {
	return strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
}

func push(t *testing.T, ref string, img fleet.Image) string {
	t.Helper()
	return pushTo(t, shared.Registry, ref, img)
}

func pushTo(t *testing.T, r *fleet.Registry, ref string, img fleet.Image) string {
	t.Helper()
	digest, err := r.Push(t.Context(), ref, img)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// image is the configuration of an image called jobs.
func image(t *testing.T) string {
	return fmt.Sprintf("{name: jobs, repository: %s/%s, watch: '@every 1s'}", shared.Registry.Addr, repo(t))
}

// newBench starts a server for the images on the shared fleet.
func newBench(t *testing.T, images ...string) *bench {
	t.Helper()
	return newBenchOn(t, shared, images...)
}

func newBenchOn(t *testing.T, f *fleet.Fleet, images ...string) *bench {
	t.Helper()
	setup := prewarmtest.SetupOf(f, "", "")
	setup.Images = images
	return newBenchOf(t, setup)
}

// newBenchOf starts a server with a configuration, of which the address and the
// state are its own affair.
func newBenchOf(t *testing.T, setup prewarmtest.Setup) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), log: &logBuffer{}}
	var err error
	if b.address, err = prewarmtest.FreeAddress(); err != nil {
		t.Fatal(err)
	}
	b.set(setup)
	b.serve()
	t.Cleanup(func() {
		end := b.Kill
		if t.Failed() {
			end = b.Dump
		}
		if err := end(); err != nil {
			t.Log(err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", b.log)
		}
	})
	return b
}

func (b *bench) configFile() string { return filepath.Join(b.dir, "prewarm.yaml") }

func (b *bench) configure(text string) {
	b.t.Helper()
	if err := os.WriteFile(b.configFile(), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) set(setup prewarmtest.Setup) {
	b.t.Helper()
	setup.Address, setup.State = b.address, filepath.Join(b.dir, "state")
	replace(b.t, b.configFile(), setup.String())
}

// replace writes a file in one step, as whoever changes it under a running
// server should.
func replace(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file+".next", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".next", file); err != nil {
		t.Fatal(err)
	}
}

// serve starts the server; env is further environment of it.
func (b *bench) serve(env ...string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	s, err := prewarmtest.Serve(ctx, binary, b.configFile(), b.address, b.log, env...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Server = s
}

// begin starts the server and does not wait until it serves: it may die before.
func (b *bench) begin(env ...string) {
	b.t.Helper()
	s, err := prewarmtest.Start(binary, b.configFile(), b.address, b.log, env...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Server = s
}

// died tells whether the server was killed, by its failpoint.
func (b *bench) died() bool {
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Millisecond)
	defer cancel()
	return b.AwaitDeath(ctx) == nil
}

// result is how a command line ended.
type result struct {
	stdout, stderr string
	code           int
}

func (r result) String() string {
	return fmt.Sprintf("code %d\nstdout: %s\nstderr: %s", r.code, r.stdout, r.stderr)
}

// cli runs a command line to its end.
func (b *bench) cli(args ...string) result {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*patience)
	defer cancel()
	return finish(b.t, b.Command(ctx, args...))
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// mustCLI wants code 0.
func (b *bench) mustCLI(args ...string) string {
	b.t.Helper()
	r := b.cli(args...)
	if r.code != 0 {
		b.t.Fatalf("prewarm %v: %s", args, r)
	}
	return r.stdout
}

// current gives the digest that jobs runs on now.
func (b *bench) current() string {
	b.t.Helper()
	image, err := b.client().Image(b.t.Context(), "jobs")
	if err != nil {
		b.t.Fatal(err)
	}
	if image.Tracks[0].Current == nil {
		return ""
	}
	return image.Tracks[0].Current.Digest
}

func (b *bench) client() *api.Client { return &api.Client{URL: b.URL} }

// awaitCurrent waits until jobs runs on a digest.
func (b *bench) awaitCurrent(digest string) {
	b.t.Helper()
	await(b.t, "current digest "+digest, func() bool { return b.current() == digest })
}

// patience is for a slow machine, and for a registry's breaker, which is open
// for half a minute.
const patience = 2 * time.Minute

// await polls for something that other processes bring about.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// docker runs Debian's docker client against a host.
func docker(t *testing.T, h *fleet.Host, args ...string) string {
	t.Helper()
	r := finish(t, exec.CommandContext(t.Context(), "docker", append([]string{"-H", h.Socket}, args...)...))
	if r.code != 0 {
		t.Fatalf("docker %v on %s: %s", args, h.Name, r)
	}
	return strings.TrimSpace(r.stdout)
}

// decode reads what -o json printed.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return v
}

// eachRuns wants a run on every host of the names, all at once: the least
// loaded is the one that has none yet.
func (b *bench) eachRuns(hosts ...*fleet.Host) {
	b.t.Helper()
	ran := make(map[string]bool)
	var runs []api.Run
	for range hosts {
		runs = append(runs, b.running("sleep", "1h"))
		ran[runs[len(runs)-1].Host] = true
	}
	for _, r := range runs {
		if _, err := b.client().Cancel(b.t.Context(), r.ID); err != nil {
			b.t.Error(err)
		}
	}
	for _, r := range runs {
		b.ended(r.ID)
	}
	for _, h := range hosts {
		if !ran[h.Name] {
			b.t.Errorf("nothing ran on %s: %v", h.Name, ran)
		}
	}
}

// allWarm waits until a digest is current, and warm on all hosts of the image.
func (b *bench) allWarm(digest string) {
	b.t.Helper()
	await(b.t, digest+" is current and warm everywhere", func() bool {
		image, err := b.client().Image(b.t.Context(), "jobs")
		if err != nil || image.Tracks[0].Current == nil || image.Tracks[0].Current.Digest != digest {
			return false
		}
		for _, h := range image.Tracks[0].Current.Hosts {
			if h.State != "warm" {
				return false
			}
		}
		return true
	})
}

// awaitLogged waits until the server has logged something.
func (b *bench) awaitLogged(words string) {
	b.t.Helper()
	await(b.t, "the log says "+words, func() bool { return strings.Contains(b.log.String(), words) })
}
