//go:build e2e && engine29

package fleet

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestAMixedFleet(t *testing.T) {
	t.Parallel()
	const drivers = `{{range .DriverStatus}}{{index . 0}}={{index . 1}} {{end}}`
	f := up(t, Options{Each: []HostOptions{{}, {Engine: Engine29}, {Engine: Engine29Classic}}})
	pin := push(t, f.Registry, "etl/jobs:v1", Image{Version: "v1", Platforms: []string{MachinePlatform(), ForeignPlatform()}})
	for i, h := range f.Hosts {
		for _, network := range []string{"bridge", "none", "host"} {
			if got := mustDocker(t, h.TCP, "run", "--rm", "--network", network, pin); got != "program v1" {
				t.Errorf("%s, %s, network %s: got %q", h.Name, h.Engine, network, got)
			}
		}
		const containerd = "driver-type=io.containerd.snapshotter.v1"
		status := mustDocker(t, h.Socket, "info", "--format", drivers)
		if got, want := strings.Contains(status, containerd), h.Engine == Engine29; got != want {
			t.Errorf("%s: the images are in containerd: %v, want %v: %s", h.Engine, got, want, status)
		}
		version := mustDocker(t, h.Socket, "version", "--format", "{{.Server.APIVersion}}")
		if got, want := version == "1.41", i == 0; got != want {
			t.Errorf("%s speaks API %s", h.Engine, version)
		}
	}
}

func TestContainersWhileACurrentEngineIsAway(t *testing.T) {
	t.Parallel()
	whileAway(t, HostOptions{Engine: Engine29}, HostOptions{Engine: Engine29, LiveRestore: true})
}

func TestACurrentEngineIsKilledAndLeavesNothing(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Each: []HostOptions{{Engine: Engine29, TLS: MutualTLS, SSH: true}}})
	h := f.Hosts[0]
	pin := push(t, f.Registry, "etl/jobs:v1", ProgramImage("v1"))
	id := mustDocker(t, h.Socket, "run", "--detach", pin, "sleep", "1h")
	if err := h.Kill(); err != nil {
		t.Fatal(err)
	}
	if left, err := h.engine.mark.processes(); err != nil || len(left) > 0 {
		t.Errorf("processes are left: %v %v", left, err)
	}
	begin := time.Now()
	if err := h.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Logf("started after %v", time.Since(begin))
	if got := mustDocker(t, h.Socket, "inspect", "--format", "{{.State.Running}}", id); got != "false" {
		t.Errorf("the killed container runs: %s", got)
	}
	if got := mustDocker(t, h.Socket, "run", "--rm", pin); got != "program v1" {
		t.Errorf("after the kill: %q", got)
	}
	if err := f.Down(); err != nil {
		t.Fatal(err)
	}
	if left := traces(t, f.state); len(left) > 0 {
		t.Errorf("left after Down: %v", left)
	}
}

func TestACurrentEngineAndRegistriesOfAllKinds(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Each: []HostOptions{{Engine: Engine29}, {Engine: Engine29Classic}}})
	accounts := map[string]string{"ci": "secret"}
	secure := add(t, f, RegistryOptions{Name: "secure", TLS: true, Accounts: accounts, Tokens: time.Minute})
	basic := add(t, f, RegistryOptions{Name: "basic", Accounts: accounts, Gate: true})
	cache := add(t, f, RegistryOptions{Name: "cache", CacheOf: secure})
	pin := push(t, secure, "etl/jobs:v1", ProgramImage("v1"))
	cached := strings.Replace(pin, secure.Addr, cache.Addr, 1)
	other := push(t, basic, "etl/other:v1", ProgramImage("other"))
	for _, h := range f.Hosts {
		for _, tc := range []struct {
			r    *Registry
			pin  string
			want string
		}{{secure, pin, "program v1"}, {basic, other, "program other"}} {
			// That nobody may pull, TestRegistriesWithAccounts tells: Debian's docker
			// asks for a password when this engine says so, and never ends.
			if _, err := dockerAs(t, h, tc.r, "secret", "pull", tc.pin); err != nil {
				t.Errorf("%s: %v", h.Engine, err)
			}
			if got := mustDocker(t, h.Socket, "run", "--rm", "--network", "none", tc.pin); got != tc.want {
				t.Errorf("%s: got %q", h.Engine, got)
			}
		}
		if got := mustDocker(t, h.Socket, "run", "--rm", "--network", "none", cached); got != "program v1" {
			t.Errorf("%s, from the cache: got %q", h.Engine, got)
		}
	}
}
