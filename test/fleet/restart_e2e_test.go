//go:build e2e

package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestContainersWhileTheirEngineIsAway(t *testing.T) {
	t.Parallel()
	whileAway(t, HostOptions{}, HostOptions{LiveRestore: true})
}

// whileAway states what becomes of a container when its engine goes away and
// comes back, with and without live-restore.
func whileAway(t *testing.T, each ...HostOptions) {
	t.Helper()
	f := up(t, Options{Each: each})
	pin := push(t, f.Registry, "etl/jobs:v1", ProgramImage("v1"))
	for n, h := range f.Hosts {
		live := each[n].LiveRestore
		for _, end := range []struct {
			name string
			end  func() error
			runs bool   // the container runs while the engine is away
			code string // with which it has ended afterwards, where it does not run
		}{
			{"stop", h.Stop, live, "7"},   // it had its SIGTERM
			{"crash", h.Crash, true, "7"}, // the next engine sends one
			{"kill", h.Kill, false, "255"},
		} {
			id := mustDocker(t, h.Socket, "run", "--detach", pin, "sleep", "1h")
			if err := end.end(); err != nil {
				t.Fatalf("%s of %s: %v", end.name, h.Name, err)
			}
			if left, err := h.engine.mark.processes(); err != nil || (len(left) > 0) != end.runs {
				t.Errorf("%s of %s: processes %v %v, want some: %v", end.name, h.Name, left, err, end.runs)
			}
			if err := h.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := "exited " + end.code
			if live && end.runs {
				want = "running 0"
			}
			if got := mustDocker(t, h.Socket, "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", id); got != want {
				t.Errorf("after the %s of %s: %s, want %s", end.name, h.Name, got, want)
			}
			mustDocker(t, h.Socket, "rm", "--force", id)
			if got := mustDocker(t, h.TCP, "run", "--rm", pin, "version"); got != "v1" {
				t.Errorf("a new container after the %s of %s: %q", end.name, h.Name, got)
			}
		}
	}
}

// A container's log and outcome are whole across restarts of its engine.
func TestALogAcrossRestartsWithLiveRestore(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Each: []HostOptions{{LiveRestore: true}}})
	h := f.Hosts[0]
	pin := push(t, f.Registry, "etl/jobs:v1", ProgramImage("v1"))
	id := mustDocker(t, h.Socket, "run", "--detach", pin, "lines", "80", "100ms")
	for _, end := range []func() error{h.Stop, h.Crash} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // so that lines come which no engine reads
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if code := mustDocker(t, h.Socket, "wait", id); code != "0" {
		t.Errorf("it ended with %s", code)
	}
	var want []string
	for n := range 80 {
		want = append(want, fmt.Sprint("line ", n+1))
	}
	if got := mustDocker(t, h.Socket, "logs", id); got != strings.Join(want, "\n") {
		t.Errorf("its log:\n%s", got)
	}
}
