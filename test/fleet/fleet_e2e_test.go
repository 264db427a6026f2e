//go:build e2e

package fleet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"
)

func TestEveryHostRunsWhatTheRegistryHas(t *testing.T) {
	t.Parallel()
	f := up(t, Options{})
	if len(f.Hosts) != DefaultHosts {
		t.Fatalf("%d hosts, want %d", len(f.Hosts), DefaultHosts)
	}
	pin := push(t, f.Registry, "etl/jobs:v1", ProgramImage("v1"))
	for _, h := range f.Hosts {
		for _, network := range []string{"bridge", "none", "host"} {
			if got := mustDocker(t, h.TCP, "run", "--rm", "--network", network, pin); got != "program v1" {
				t.Errorf("%s, network %s: got %q", h.Name, network, got)
			}
		}
		if got := mustDocker(t, h.Socket, "info", "--format", "{{.Name}} {{.DockerRootDir}}"); got != h.Name+" "+filepath.Join(f.Dir, h.Name, "data") {
			t.Errorf("%s: engine is %q", h.Name, got)
		}
		if got := mustDocker(t, h.Socket, "ps", "--all", "--quiet"); got != "" {
			t.Errorf("%s: containers are left: %s", h.Name, got)
		}
	}
}

func TestDownLeavesNothing(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 2})
	pin := push(t, f.Registry, "etl/jobs:v1", ProgramImage("v1"))
	for _, h := range f.Hosts {
		mustDocker(t, h.Socket, "run", "--detach", pin, "sleep", "1h")
		mustDocker(t, h.Socket, "run", "--detach", "--network", "host", "--pid", "host", pin, "sleep", "1h")
	}
	// 2 engines, 2 containerd, 4 shims, 4 containers, a registry.
	if before := traces(t, f.state); len(before) < 13 {
		t.Fatalf("the test sees too little of a running fleet: %v", before)
	}
	for range 2 { // the second time there is nothing to do
		if err := f.Down(); err != nil {
			t.Fatal(err)
		}
		if left := traces(t, f.state); len(left) > 0 {
			t.Fatalf("left after Down: %v", left)
		}
	}
}

func TestFleetsStandSideBySide(t *testing.T) {
	t.Parallel()
	fleets := make([]*Fleet, 2)
	var g errgroup.Group
	for i := range fleets {
		g.Go(func() (err error) {
			fleets[i], err = Up(t.Context(), Options{Hosts: 1})
			return err
		})
	}
	err := g.Wait()
	for _, f := range fleets {
		if f != nil {
			defer func() {
				if err := f.Down(); err != nil {
					t.Error(err)
				}
			}()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if a, b := fleets[0].state.Subnet, fleets[1].state.Subnet; a.Overlaps(b) {
		t.Fatalf("subnets %v and %v overlap", a, b)
	}
	if err := fleets[0].Down(); err != nil {
		t.Fatal(err)
	}
	pin := push(t, fleets[1].Registry, "etl/jobs:v1", ProgramImage("v1"))
	if got := mustDocker(t, fleets[1].Hosts[0].TCP, "run", "--rm", pin); got != "program v1" {
		t.Errorf("the other fleet's end disturbed this one: %q", got)
	}
}

func TestLoadFindsARunningFleet(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 1})
	loaded, err := Load(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := loaded.Hosts[0].Stop(); err != nil {
		t.Fatal(err)
	}
	if out, err := docker(t, f.Hosts[0].Socket, "ps"); err == nil {
		t.Errorf("the engine still answers: %s", out)
	}
	if err := loaded.Down(); err != nil {
		t.Fatal(err)
	}
	if left := traces(t, f.state); len(left) > 0 {
		t.Errorf("left after Down: %v", left)
	}
	if _, err := Load(f.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("load after Down: %v", err)
	}
}

// holdVariable makes the test binary a program that starts a fleet, prints its
// folder and waits to be killed.
const holdVariable = "FLEET_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdVariable); dir != "" {
		hold(dir)
	}
	os.Exit(m.Run())
}

func TestTheNextUpClearsWhatAKilledProgramLeft(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "f")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), holdVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	if line, _ := said.ReadString('\n'); line != "up\n" {
		rest, _ := io.ReadAll(said)
		t.Fatalf("the program that is to be killed said %s%s", line, rest)
	}
	s, err := readState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	up(t, Options{Hosts: 1})
	if left := traces(t, s); len(left) > 0 {
		t.Errorf("left of the killed program's fleet: %v", left)
	}
}

func hold(dir string) {
	if _, err := Up(context.Background(), Options{Hosts: 1, Dir: dir}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("up")
	select {}
}
